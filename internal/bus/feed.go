package bus

import (
	"context"
	"errors"
	"sync"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/internal/manager"
	"github.com/apntalk/amictl/pkg/ami"
)

// A feed hands the events of a cluster to a caller's sessions. A loss ends the sessions of its node, as it ends those to servers: the
// client marks it, and begins anew.
type feed struct {
	events *Consumer
	failed func(error) // is told of each batch that cannot be read
	gone   sync.WaitGroup

	mu       sync.Mutex // guards what follows
	reached  uint64     // sequence of the last batch that has come, all of it
	sessions map[string]map[*outbox]struct{}
	err      error // why there are no more events
}

// Follow gives the sessions that the caller makes the events of a consumer, as far as they ask for events: it reads what comes next. failed
// is told of each batch that cannot be read. The caller closes the consumer.
func (c *Caller) Follow(events *Consumer, failed func(error)) {
	f := &feed{events: events, failed: failed, reached: events.at.stream, sessions: make(map[string]map[*outbox]struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	c.feed = f
	c.unfollow = func() {
		cancel()
		f.gone.Wait()
		events.Close()
	}
	f.gone.Go(func() { f.run(ctx) })
}

// run hands out events until ctx is done, or the consumer's end.
func (f *feed) run(ctx context.Context) {
	for {
		node, r, err := f.events.Next(ctx)
		var version *batch.VersionError
		var format *batch.FormatError
		switch {
		case errors.As(err, &version), errors.As(err, &format):
			f.failed(err)
			f.lose(node)
		case err != nil:
			f.end(err)
			return
		case r.Event == nil: // a new owner, who says by a gap whether anything may be missing
		case r.Event.Gap != nil:
			f.lose(node)
		default:
			f.add(node, r.Event)
		}
		if f.events.isWhole() {
			f.endBatch(node, f.events.at.stream)
		}
	}
}

func (f *feed) add(node string, ev *ami.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for o := range f.sessions[node] {
		o.add(ev)
	}
}

func (f *feed) endBatch(node string, at uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reached = at
	for o := range f.sessions[node] {
		o.end(at)
	}
}

// lose ends the sessions of a node.
func (f *feed) lose(node string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for o := range f.sessions[node] {
		o.finish()
	}
	delete(f.sessions, node)
}

// end ends all of them.
func (f *feed) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	for _, all := range f.sessions {
		for o := range all {
			o.finish()
		}
	}
	clear(f.sessions)
}

// ended returns why there are no more events, nil while there are.
func (f *feed) ended() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// join begins to hand a node's events to a session.
func (f *feed) join(node string, mask manager.Class) (*outbox, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	o := newOutbox(mask, f.reached)
	if f.sessions[node] == nil {
		f.sessions[node] = make(map[*outbox]struct{})
	}
	f.sessions[node][o] = struct{}{}
	return o, nil
}

func (f *feed) leave(node string, o *outbox) {
	o.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.sessions[node], o)
}
