package drain

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

const (
	// hangupGrace is how long what was hung up may take to be gone.
	hangupGrace = 30 * time.Second
	// hangupAgain is when a channel is hung up again that is still there.
	hangupAgain = 5 * time.Second
	// tick is the most time between two looks at what is left.
	tick = time.Second
)

// An emptying is the wait until a server has no channels.
type emptying struct {
	d       *drainer
	node    *ami.Node
	watcher *state.Watcher
	start   time.Time

	session uint64               // on which the channels were listed, so that they are known; 0: on none
	known   bool                 // what there was at the beginning
	first   int                  // calls, at the beginning
	hungUp  int                  // channels
	asked   map[string]time.Time // by Uniqueid: when it was hung up
	changed bool                 // something may have been hung up
	away    time.Time            // since when there is no session; zero: there is one
}

// wait waits until there are no channels, and hangs up what is left if it is told to.
func (e *emptying) wait(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	changed := make(chan struct{}, 1)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer stop()
	watch.Go(func() {
		for _, err := range e.watcher.Changes(watching) {
			if err != nil {
				return
			}
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	})
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	for {
		if empty, err := e.look(ctx, time.Now()); empty || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-ticks.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// look reports whether the server is empty, and says and does what is to be said and done if it is not.
func (e *emptying) look(ctx context.Context, now time.Time) (empty bool, err error) {
	o := e.d.options
	held := e.watcher.Snapshot()
	if err := e.present(now); err != nil {
		return false, err
	}
	if !e.lists(held) {
		return false, e.late(now, "its channels are not known")
	}
	if !e.known {
		e.known, e.first = true, len(held.Calls)
	}
	if len(held.Channels) == 0 {
		return true, nil
	}
	left := describe(held, now)
	e.d.tell(e.node, left)
	if o.hangupAfter.Given && now.Sub(e.start) >= o.hangupAfter.Value {
		if err := e.hangUp(ctx, held, now); err != nil {
			return false, err
		}
	}
	return false, e.late(now, left)
}

// present fails when the server has been away for longer than it may.
func (e *emptying) present(now time.Time) error {
	switch {
	case e.node.Ready():
		e.away = time.Time{}
	case e.away.IsZero():
		e.away = now
	case now.Sub(e.away) >= e.d.options.backWithin.Value:
		return e.absent(now, "--back-within")
	}
	return nil
}

// absent is the error of a server that is not back when its time is over.
func (e *emptying) absent(now time.Time, flag string) error {
	err := notInTime(e.node, "it was not back", now.Sub(e.away).Truncate(time.Millisecond))
	err.Sent, err.Hint = ami.SentNo.String(), "nothing was run; "+flag+" allows more time"
	return err
}

// lists reports whether the channels are known: listed whole on this session, and followed since. A server that is stopping
// refuses lists, and goes on to send events.
func (e *emptying) lists(held *state.Snapshot) bool {
	for _, n := range held.Nodes {
		switch how := n.Parts["channels"]; {
		case n.Stale:
			return false
		case how == state.Followed || how == state.Listed:
			e.session = n.Session
			return true
		default:
			return n.Session == e.session
		}
	}
	return false
}

// describe says what is left.
func describe(held *state.Snapshot, now time.Time) string {
	var longest time.Duration
	for _, c := range held.Calls {
		if !c.Start.IsZero() {
			longest = max(longest, now.Sub(c.Start))
		}
	}
	return fmt.Sprintf("%s left, the longest for %s", fail.Count(len(held.Calls), "call"), output.Duration(longest.Truncate(time.Second)))
}

// late is the error of a server that is not empty in time, else nil.
func (e *emptying) late(now time.Time, left string) error {
	o, took := e.d.options, now.Sub(e.start)
	limit := e.d.run.Flags.Timeout
	switch {
	case limit.Given && took >= limit.Value:
	case e.away.IsZero() && o.hangupAfter.Given && took >= o.hangupAfter.Value+hangupGrace: // else --back-within says how long
	default:
		return nil
	}
	if !e.away.IsZero() {
		return e.absent(now, "--timeout")
	}
	return &fail.Error{
		Code: fail.CodeCondition, Message: fmt.Sprintf("%s: not empty after %s: %s", e.node.Name(), output.Duration(took.Truncate(time.Second)), left),
		Hint: "nothing was run; --timeout allows more time, --hangup-after hangs up what is left",
	}
}

// hangUp hangs up what is left. What is gone by then, and a server that is stopping, are no failures.
func (e *emptying) hangUp(ctx context.Context, held *state.Snapshot, now time.Time) error {
	for _, c := range held.Channels {
		if at, asked := e.asked[c.Uniqueid]; asked && now.Sub(at) < hangupAgain {
			continue
		}
		_, err := e.node.Do(ctx, ami.NewAction("Hangup", "Channel", c.Name))
		f := fail.Classify(err)
		e.changed = e.changed || ami.SentState(err) != ami.SentNo && !errors.As(err, new(*ami.ResponseError))
		switch {
		case err == nil:
			e.changed = true
			if _, again := e.asked[c.Uniqueid]; !again {
				e.hungUp++
			}
		case f.Code == fail.CodePermission:
			return err
		case errors.Is(err, ami.ErrNotReady), errors.Is(err, ami.ErrDisconnected), errors.Is(err, ami.ErrStopping):
			return nil // it is looked at again
		case ctx.Err() != nil:
			return ctx.Err()
		}
		e.asked[c.Uniqueid] = now
	}
	return nil
}
