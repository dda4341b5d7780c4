package bus

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/subject"
)

// A leaseBoard is what a bridge knows of all leases of its cluster.
type leaseBoard struct {
	js      jetstream.JetStream
	cluster string
	cancel  context.CancelFunc
	gone    sync.WaitGroup

	mu     sync.Mutex // guards leases
	leases map[string]leaseState

	came chan struct{} // has room for one: something was written
}

// A leaseState is what is known of a node's lease.
type leaseState struct {
	holder   string    // "": it is free
	lapsed   string    // who held it last, if it is free because it ended by itself; "": somebody gave it back, or nobody knows
	revision uint64    // of the last that was written; 0: nothing was
	ceded    bool      // it is free because he gave it back
	held     time.Time // since when the holder has it, as he says
	handed   *handedOver
}

// watchLeases begins to follow the leases; when it returns, those of the moment are known.
func watchLeases(ctx context.Context, js jetstream.JetStream, cluster string) (*leaseBoard, error) {
	ctx, cancel := context.WithCancel(ctx)
	b := &leaseBoard{js: js, cluster: cluster, cancel: cancel, leases: make(map[string]leaseState), came: make(chan struct{}, 1)}
	known := make(chan error, 1)
	b.gone.Go(func() { b.follow(ctx, known) })
	err := <-known
	if err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

// watchAgain is how long the board waits before it watches again: the client gives a watch up for good when its stream is gone.
const watchAgain = time.Second

// follow watches until ctx is done. known gets one error or nil: of the first watch, when all that there was has come.
func (b *leaseBoard) follow(ctx context.Context, known chan error) {
	tell := func(err error) {
		select {
		case known <- err:
		default: // it was told
		}
	}
	for {
		err := b.watch(ctx, func() { tell(nil) })
		if err == nil {
			err = ctx.Err()
		}
		tell(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchAgain):
		}
	}
}

// watch takes what is written until the watch or ctx ends.
func (b *leaseBoard) watch(ctx context.Context, whole func()) error {
	bucket, err := b.js.KeyValue(ctx, leaseBucket(b.cluster))
	if err != nil {
		return wrap("look for the leases of cluster "+b.cluster, err)
	}
	watch, err := bucket.WatchAll(ctx)
	if err != nil {
		return wrap("watch the leases", err)
	}
	defer func() { go func() { _ = watch.Stop() }() }() // who may not delete a consumer has to wait, and the server deletes it anyway
	for {
		select {
		case entry, ok := <-watch.Updates():
			switch {
			case !ok:
				return nil
			case entry == nil: // all that there was has come
				whole()
			default:
				b.take(entry)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (b *leaseBoard) take(entry jetstream.KeyValueEntry) {
	node, err := subject.NodeOfKey(entry.Key())
	if err != nil {
		return // not ours
	}
	s := leaseState{revision: entry.Revision(), ceded: entry.Operation() == jetstream.KeyValueDelete}
	if entry.Operation() == jetstream.KeyValuePut {
		s.read(entry.Value())
	}
	b.put(node, s)
}

// refresh asks for a node's lease: what is written is told, and what has expired without a trace is not.
func (b *leaseBoard) refresh(ctx context.Context, node string) {
	last, err := lastOf(ctx, b.js, "KV_"+leaseBucket(b.cluster), leaseSubject(b.cluster, node))
	if err != nil {
		return // it is asked again
	}
	b.put(node, stateOf(last))
}

// stateOf is what a lease's last message says; nil: there is none.
func stateOf(last *stored) (s leaseState) {
	if last != nil {
		if s.revision = last.Sequence; last.isValue() {
			s.read(last.Data)
		}
		s.ceded = last.header().Get(operationHeader) == freed
	}
	return s
}

// read takes what a holder has written. What nobody can read is nobody's.
func (s *leaseState) read(value []byte) {
	var h holder
	_ = json.Unmarshal(value, &h)
	s.holder, s.held, s.handed = h.Bridge, h.Since, h.Handed
}

func (b *leaseBoard) put(node string, s leaseState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if before := b.leases[node]; s.holder == "" && !s.ceded {
		s.lapsed = cmp.Or(before.holder, before.lapsed)
	}
	b.leases[node] = s
	select {
	case b.came <- struct{}{}:
	default:
	}
}

// of returns what is known of a node's lease.
func (b *leaseBoard) of(node string) leaseState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.leases[node]
}

// all are the leases that are known.
func (b *leaseBoard) all() map[string]leaseState {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.leases)
}

func (b *leaseBoard) stop() {
	b.cancel()
	b.gone.Wait()
}
