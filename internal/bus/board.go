package bus

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/subject"
)

// A leaseBoard is what a bridge knows of all leases of its cluster.
type leaseBoard struct {
	watch jetstream.KeyWatcher
	gone  sync.WaitGroup

	mu     sync.Mutex // guards leases
	leases map[string]leaseState
}

// A leaseState is what is known of a node's lease.
type leaseState struct {
	holder   string    // "": it is free
	revision uint64    // of the last that was written; 0: nothing was
	since    time.Time // when we learned that
	held     time.Time // since when the holder has it, as he says
}

// watchLeases begins to follow the leases; when it returns, those of the moment are known.
func watchLeases(ctx context.Context, bucket jetstream.KeyValue) (*leaseBoard, error) {
	watch, err := bucket.WatchAll(ctx)
	if err != nil {
		return nil, wrap("watch the leases", err)
	}
	b := &leaseBoard{watch: watch, leases: make(map[string]leaseState)}
	known := make(chan struct{})
	b.gone.Go(func() {
		tell := sync.OnceFunc(func() { close(known) })
		for entry := range watch.Updates() {
			if entry == nil { // all that there was has come
				tell()
				continue
			}
			b.take(entry)
		}
	})
	select {
	case <-known:
		return b, nil
	case <-ctx.Done():
		b.stop()
		return nil, ctx.Err()
	}
}

func (b *leaseBoard) take(entry jetstream.KeyValueEntry) {
	node, err := subject.NodeOfKey(entry.Key())
	if err != nil {
		return // not ours
	}
	s := leaseState{revision: entry.Revision(), since: time.Now()}
	if entry.Operation() == jetstream.KeyValuePut {
		var h holder
		_ = json.Unmarshal(entry.Value(), &h) // what nobody can read is nobody's
		s.holder, s.held = h.Bridge, h.Since
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leases[node] = s
}

// of returns what is known of a node's lease.
func (b *leaseBoard) of(node string) leaseState {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.leases[node]
	if !ok {
		s = leaseState{since: time.Now()}
		b.leases[node] = s
	}
	return s
}

func (b *leaseBoard) stop() {
	_ = b.watch.Stop()
	b.gone.Wait()
}
