package bus

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/subject"
)

// Times of leases.
const (
	leaseTime  = 15 * time.Second // it ends so long after it was last renewed; under 10 s an election would end it
	renewEvery = 3 * time.Second
	leaseDoubt = 10 * time.Second // an owner who could not renew for so long stops: another one may begin at leaseTime
)

// ErrTaken: another bridge has the lease.
var ErrTaken = errors.New("bus: another bridge has the lease")

// A holder is what a lease says.
type holder struct {
	Bridge string    `json:"bridge"`
	Since  time.Time `json:"since"`
}

// A lease is the right to own a node, for as long as it is renewed.
type lease struct {
	js    jetstream.JetStream
	key   string // subject of the bucket's stream
	epoch uint64 // the revision that it began with: greater than that of every lease before it
	value []byte

	mu       sync.Mutex // guards what follows
	revision uint64
	renewed  time.Time
}

func leaseSubject(cluster, node string) string {
	return "$KV." + leaseBucket(cluster) + "." + subject.StreamName(node)
}

// acquire takes a node's lease, which is free at the revision that the caller has seen (0: it was never there, or has gone), or
// whose holder is taken for dead. Another revision than that is ErrTaken.
func acquire(ctx context.Context, js jetstream.JetStream, cluster, node, bridge string, seen uint64) (*lease, error) {
	now := time.Now()
	value, err := json.Marshal(holder{bridge, now.UTC()})
	if err != nil {
		return nil, err
	}
	l := &lease{js: js, key: leaseSubject(cluster, node), value: value}
	if l.epoch, err = l.write(ctx, seen); err != nil {
		return nil, err
	}
	l.revision, l.renewed = l.epoch, now
	return l, nil
}

// write stores the lease if its last revision is the one that is given. The bucket's own Update would take its end away: only
// a message with a time to live ends by itself.
func (l *lease) write(ctx context.Context, seen uint64) (revision uint64, err error) {
	ack, err := l.js.PublishMsg(ctx, &nats.Msg{Subject: l.key, Data: l.value}, jetstream.WithExpectLastSequencePerSubject(seen), jetstream.WithMsgTTL(leaseTime))
	switch {
	case err == nil:
		return ack.Sequence, nil
	case wrongSequence(err):
		return 0, ErrTaken
	}
	return 0, wrap("write a lease", err)
}

// hold renews the lease until ctx is done or it is lost, and returns why it ended: nil, ErrTaken, or what kept it from being
// renewed until it was in doubt.
func (l *lease) hold(ctx context.Context) error {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		renewal, cancel := context.WithTimeout(ctx, renewEvery)
		err := l.renew(renewal)
		cancel()
		if errors.Is(err, ErrTaken) || err != nil && !l.fresh() {
			return err
		}
	}
}

// renew makes the lease last from now on. ErrTaken: it is lost.
func (l *lease) renew(ctx context.Context) error {
	before := time.Now() // the server's clock for the lease begins later
	l.mu.Lock()
	seen := l.revision
	l.mu.Unlock()
	revision, err := l.write(ctx, seen)
	if errors.Is(err, ErrTaken) && l.rewritten(ctx) {
		return nil // and the next one counts anew
	}
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revision, l.renewed = revision, before
	return nil
}

// rewritten reports whether the last revision is our own: a renewal was stored, and its answer lost.
func (l *lease) rewritten(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	last, err := lastOf(ctx, l.js, "KV_"+l.bucket(), l.key)
	if err != nil || last == nil || string(last.Data) != string(l.value) {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revision = last.Sequence
	return true
}

func (l *lease) bucket() string {
	before, _, _ := cutLast(l.key)
	return strings.TrimPrefix(before, "$KV.")
}

// release gives the lease back, so that another bridge can take it at once.
func (l *lease) release(ctx context.Context) error {
	l.mu.Lock()
	seen := l.revision
	l.mu.Unlock()
	m := &nats.Msg{Subject: l.key, Header: nats.Header{"KV-Operation": []string{"DEL"}}}
	_, err := l.js.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(seen))
	if wrongSequence(err) {
		return nil // it is another's by now
	}
	return wrap("give a lease back", err)
}

// fresh reports whether the lease is certainly ours now.
func (l *lease) fresh() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.renewed) < leaseDoubt
}
