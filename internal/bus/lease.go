package bus

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/subject"
)

// Times of leases.
const (
	leaseTime  = 15 * time.Second // it ends so long after it was last renewed; under 10 s an election would end it
	renewEvery = 3 * time.Second
)

// errTaken: another bridge has the lease.
var errTaken = errors.New("bus: another bridge has the lease")

// A holder is what a lease says.
type holder struct {
	Bridge string      `json:"bridge"`
	Since  time.Time   `json:"since"`
	Handed *handedOver `json:"handed,omitempty"` // the bridge does not own the node yet: another one has given it the lease
}

// A lease is the right to own a node, for as long as it is renewed.
type lease struct {
	js    jetstream.JetStream
	key   string // subject of the bucket's stream
	epoch uint64 // the revision that it began with: greater than that of every lease before it
	value []byte

	restore func(context.Context) error // makes the bucket anew if it has gone; nil: nobody does

	turn     chan struct{} // has room for whoever writes the lease: two at once would take each other for another bridge
	revision uint64        // of what we wrote last; whose turn it is may use it
}

func leaseSubject(cluster, node string) string {
	return "$KV." + leaseBucket(cluster) + "." + subject.StreamName(node)
}

// acquire takes a node's lease, which is free at the revision that the caller has seen (0: it was never there, or has gone), or
// whose holder is taken for dead. Another revision than that is errTaken.
func acquire(ctx context.Context, js jetstream.JetStream, cluster, node, bridge string, seen uint64, restore func(context.Context) error) (*lease, error) {
	value, err := json.Marshal(holder{Bridge: bridge, Since: time.Now().UTC()})
	if err != nil {
		return nil, err
	}
	l := &lease{js: js, key: leaseSubject(cluster, node), value: value, restore: restore, turn: make(chan struct{}, 1)}
	if l.epoch, err = l.write(ctx, l.value, seen); err != nil {
		return nil, err
	}
	l.revision = l.epoch
	return l, nil
}

// write stores the lease if its last revision is the one that is given. The bucket's own Update would take its end away: only
// a message with a time to live ends by itself.
func (l *lease) write(ctx context.Context, value []byte, seen uint64) (revision uint64, err error) {
	ack, err := l.js.PublishMsg(ctx, &nats.Msg{Subject: l.key, Data: value}, jetstream.WithExpectLastSequencePerSubject(seen), jetstream.WithMsgTTL(leaseTime))
	switch {
	case err == nil:
		return ack.Sequence, nil
	case wrongSequence(err):
		return 0, errTaken
	case errors.Is(err, jetstream.ErrNoStreamResponse) && l.restore != nil:
		if err = l.restore(ctx); err == nil {
			return 0, errTaken // as far as anybody knows: what was there has gone
		}
	}
	return 0, wrap("write a lease", err)
}

// hold renews the lease until ctx is done (nil) or another bridge has it (errTaken). While the bus is away the owner goes on: what
// he writes is refused if anybody has written meanwhile, and what he reads need not be lost.
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
		if errors.Is(err, errTaken) {
			return err
		}
	}
}

// renew makes the lease last from now on. errTaken: another bridge has it.
func (l *lease) renew(ctx context.Context) error {
	if err := l.wait(ctx); err != nil {
		return err
	}
	defer l.done()
	return l.rewrite(ctx)
}

// rewrite is renew. It is our turn.
func (l *lease) rewrite(ctx context.Context) error {
	revision, err := l.write(ctx, l.value, l.revision)
	if errors.Is(err, errTaken) {
		if err = l.regain(ctx); err == nil {
			revision, err = l.write(ctx, l.value, l.revision)
		}
	}
	if err == nil {
		l.revision = revision
	}
	return err
}

// pass gives the lease to another bridge, with what that has to know. errTaken: a third one has it. After any other error it is still
// ours, unless ctx is done: then nobody knows.
func (l *lease) pass(ctx context.Context, bridge string, note *handedOver) error {
	value, err := json.Marshal(holder{Bridge: bridge, Since: time.Now().UTC(), Handed: note})
	if err != nil {
		return err
	}
	if err := l.wait(ctx); err != nil {
		return err
	}
	defer l.done()
	for {
		failed := l.within(ctx, func(ctx context.Context) error { _, err := l.write(ctx, value, l.revision); return err })
		if failed == nil {
			return nil
		}
		// It may be stored all the same, or in a moment. What is on its way is refused once we have written behind it.
		ours, err := l.settle(ctx, bridge)
		switch {
		case err != nil:
			return err
		case !ours:
			return nil
		case !errors.Is(failed, errTaken): // else it was another revision of our own
			return failed
		}
	}
}

// settle finds out whether the lease is still ours, or another bridge's that we have tried to give it to. errTaken: a third one's. It is our
// turn.
func (l *lease) settle(ctx context.Context, bridge string) (ours bool, err error) {
	for {
		err := l.within(ctx, l.rewrite)
		if err == nil {
			return true, nil
		}
		if errors.Is(err, errTaken) {
			var last *stored
			err = l.within(ctx, func(ctx context.Context) (err error) {
				last, err = lastOf(ctx, l.js, "KV_"+l.bucket(), l.key)
				return err
			})
			if err == nil {
				if s := stateOf(last); s.holder != bridge {
					return false, errTaken
				}
				return false, nil
			}
		}
		select {
		case <-time.After(retryWait):
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// within does something for so long as a renewal may take.
func (l *lease) within(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	return do(ctx)
}

// wait takes the turn, and done gives it back.
func (l *lease) wait(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *lease) done() { <-l.turn }

// regain finds out why the last revision is another one. It is not another bridge's if it is our own text, so that the answer to a
// renewal was lost, or if the lease has ended and nobody took it. It is our turn.
func (l *lease) regain(ctx context.Context) error {
	last, err := lastOf(ctx, l.js, "KV_"+l.bucket(), l.key)
	switch {
	case err != nil:
		return err
	case last == nil:
		l.revision = 0
	case last.isValue() && string(last.Data) != string(l.value):
		return errTaken
	default:
		l.revision = last.Sequence
	}
	return nil
}

func (l *lease) bucket() string {
	before, _, _ := cutLast(l.key)
	return strings.TrimPrefix(before, "$KV.")
}

// release gives the lease back, so that another bridge can take it at once.
func (l *lease) release(ctx context.Context) error {
	if err := l.wait(ctx); err != nil {
		return err
	}
	defer l.done()
	err := l.free(ctx)
	if wrongSequence(err) {
		if err = l.regain(ctx); err == nil {
			err = l.free(ctx)
		}
	}
	if errors.Is(err, errTaken) || wrongSequence(err) {
		return nil // it is another's by now
	}
	return wrap("give a lease back", err)
}

// How a bucket marks a key as deleted.
const (
	operationHeader = "KV-Operation"
	freed           = "DEL"
)

// free marks the lease as given back.
func (l *lease) free(ctx context.Context) error {
	m := &nats.Msg{Subject: l.key, Header: nats.Header{operationHeader: []string{freed}}}
	_, err := l.js.PublishMsg(ctx, m, jetstream.WithExpectLastSequencePerSubject(l.revision))
	return err
}
