package state

import (
	"context"
	"errors"
	"hash/fnv"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

const (
	retryMin = 500 * time.Millisecond // after a survey that failed
	retryMax = 30 * time.Second
	// calm is the least time between the beginnings of surveys, so that a node whose stream overflows all the time is
	// not made busier by them.
	calm = time.Second
	// tries is how many surveys a list may end, before it is left out until the next audit: some handlers close the
	// session when they fail.
	tries = 3
	// settling is how long after a module was reloaded everything is listed.
	settling = 2 * time.Second
)

// A tender asks one node for its lists: when a session begins, after a gap, and at each audit.
type tender struct {
	f    *follower
	node *ami.Node
	name string
	mask string
	stop context.CancelFunc

	again chan struct{} // room for one: survey now
	soon  chan struct{} // room for one: survey in a moment

	epoch        uint64 // guarded by f.mu: gaps so far
	session, seq uint64 // guarded by f.mu: the first answer of the last survey

	// The tender's own.
	last  time.Time        // when the last survey began
	fails map[*listing]int // surveys in a row that ended with this list
}

// resurvey asks for everything to be listed again.
func (t *tender) resurvey() { signal(t.again) }

func (t *tender) relist() { signal(t.soon) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run tends the node until ctx is done or the node is removed.
func (t *tender) run(ctx context.Context) {
	defer t.stop()
	t.fails = make(map[*listing]int)
	retry := retryMin
	next := t.firstAudit()
	audit := false
	for {
		if err := t.node.WaitReady(ctx); err != nil {
			return // removed, or over
		}
		pause := retry
		if t.survey(ctx, audit) {
			retry, pause = retryMin, 0
		} else {
			retry = min(2*retry, retryMax)
		}
		var ok bool
		if audit, ok = t.rest(ctx, pause, &next); !ok {
			return
		}
	}
}

// firstAudit spreads the audits of the nodes over the interval, each node's always at the same place in it.
func (t *tender) firstAudit() time.Time {
	every := t.f.options.Audit
	if every < 0 {
		return time.Time{}
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(t.name))
	return time.Now().Add(every/2 + time.Duration(h.Sum64()%uint64(every)))
}

// rest waits until everything is to be listed again: after pause, if that is not 0, else when something happened, or for
// an audit.
func (t *tender) rest(ctx context.Context, pause time.Duration, next *time.Time) (audit, ok bool) {
	var alarm <-chan time.Time
	again, soon := t.again, t.soon
	if pause > 0 {
		timer := time.NewTimer(pause)
		defer timer.Stop()
		alarm, again = timer.C, nil
	} else if !next.IsZero() {
		timer := time.NewTimer(time.Until(*next))
		defer timer.Stop()
		alarm, audit = timer.C, true
	}
	for {
		select {
		case <-ctx.Done():
			return false, false
		case <-alarm:
			if audit {
				*next = time.Now().Add(t.f.options.Audit)
			}
			return audit, true
		case <-again:
			wait := time.Until(t.last.Add(calm))
			if wait <= 0 {
				return false, true
			}
			timer := time.NewTimer(wait)
			defer timer.Stop()
			alarm, audit, again = timer.C, false, nil
		case <-soon: // a further one waits for the next rest: one that comes all the time must not put this off
			timer := time.NewTimer(settling)
			defer timer.Stop()
			alarm, audit, soon = timer.C, false, nil
		}
	}
}

// survey lists everything on one session. It reports whether it got all of it without a gap.
func (t *tender) survey(ctx context.Context, audit bool) bool {
	f := t.f
	f.mu.Lock()
	epoch := t.epoch
	f.mu.Unlock()
	select { // what was asked for until now is met by this
	case <-t.again:
	default:
	}
	t.last = time.Now()
	var last *ami.Reply
	whole := true
	for i := range listings {
		l := &listings[i]
		if !f.core.wantsList(l) { // what is asked for does not change
			continue
		}
		if t.fails[l] >= tries && !audit {
			f.apply(func(c *core) {
				if s := c.servers[t.name]; s != nil {
					s.part(l.part, Absent)
				}
			})
			continue
		}
		reply, a, err := l.ask(ctx, t.node)
		if err != nil {
			var refused *ami.ResponseError
			if last != nil && !errors.As(err, &refused) { // else it may be the session's fault, or a relay's
				t.fails[l]++
			}
			return false
		}
		delete(t.fails, l)
		a.blind = !sees(t.mask, l.class)
		if last != nil && last.Session != reply.Session {
			t.resurvey()
			return false
		}
		f.mu.Lock()
		if t.epoch != epoch {
			f.mu.Unlock()
			t.resurvey()
			return false
		}
		if last == nil {
			t.session, t.seq = reply.Session, reply.Seq
		}
		f.mu.Unlock()
		last = reply
		whole = whole && !a.short()
		f.post(arrival{
			t: t, epoch: epoch, session: reply.Session, seq: reply.Seq, at: reply.Received,
			list: l, answer: a, audit: audit,
		})
	}
	if whole && last != nil {
		f.post(arrival{t: t, epoch: epoch, session: last.Session, seq: last.Seq, at: last.Received, audit: audit})
	}
	return whole
}
