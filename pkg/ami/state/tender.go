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

// A survey asks for everything, on one session.
type survey struct {
	t     *tender
	audit bool
	epoch uint64 // the tender's when it began

	session uint64 // guarded by f.mu: of the first answer; 0: there was none
	torn    bool   // guarded by f.mu: another answer was of another session
	whole   bool   // guarded by f.mu: no list was short
	left    int    // guarded by f.mu: lists that have yet to be applied
}

// A question is an action that asks for a list. Its answer is the pump's, which knows the place in the stream.
type question struct {
	*survey
	list     *listing
	last     bool          // there is no other action to ask by
	answered chan struct{} // room for one: what follows is there
	answer   answer
	final    bool // it is the answer to the listing, whatever it says
	err      error
}

// hear takes over what came for it.
func (q *question) hear(reply *ami.Reply, err error) {
	q.final, q.err = q.answer.hear(reply, err)
	q.final = q.final || q.last
}

// survey lists everything on one session. It reports whether it got all of it without a gap.
func (t *tender) survey(ctx context.Context, audit bool) bool {
	f := t.f
	select { // what was asked for until now is met by this
	case <-t.again:
	default:
	}
	t.last = time.Now()
	all := t.agenda(audit)
	f.mu.Lock()
	s := &survey{t: t, audit: audit, epoch: t.epoch, whole: true, left: len(all)}
	f.mu.Unlock()
	for _, l := range all {
		err := t.ask(ctx, s, l)
		f.mu.Lock()
		first, off := s.session == 0, s.torn || s.epoch != t.epoch
		f.mu.Unlock()
		switch {
		case err != nil:
			if !first && !errors.As(err, new(*ami.ResponseError)) { // else it may be the session's fault, or a relay's
				t.fails[l]++
			}
			return false
		case off:
			t.resurvey()
			return false
		}
		delete(t.fails, l)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return s.whole
}

// agenda returns what a survey is to ask for. What ended too many of them waits for an audit.
func (t *tender) agenda(audit bool) (all []*listing) {
	for i := range listings {
		switch l := &listings[i]; {
		case !t.f.core.wantsList(l): // what is asked for does not change
		case t.fails[l] >= tries && !audit:
			t.f.apply(func(c *core) {
				if s := c.servers[t.name]; s != nil {
					s.part(l.part, Absent)
				}
			})
		default:
			all = append(all, l)
		}
	}
	return all
}

// ask asks for one list, by another action if the user may not use the first, and returns when the pump has the answer.
func (t *tender) ask(ctx context.Context, s *survey, l *listing) error {
	for i, action := range l.actions {
		q := &question{
			survey: s, list: l, last: i == len(l.actions)-1, answered: make(chan struct{}, 1),
			answer: answer{blind: !sees(t.mask, l.class)},
		}
		if err := t.f.lists.Submit(ctx, t.node, ami.NewAction(action), q); err != nil {
			return err
		}
		select {
		case <-q.answered:
		case <-ctx.Done():
			return ctx.Err()
		}
		if q.err != nil || q.final {
			return q.err
		}
	}
	return nil
}
