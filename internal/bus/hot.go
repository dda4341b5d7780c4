package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// Defaults of what a standby remembers, of each node. A takeover begins within some seconds of the last batch.
const (
	DefaultHotEvents = 64 << 10
	DefaultHotBytes  = 32 << 20
)

// hotTime is how long a node may wait for a takeover without a gap, until it is taken over with one.
const hotTime = 5 * time.Second

// mostUnread is how often what is stored is to be read: the leader of the stream may die once more meanwhile.
const mostUnread = 3

// Of what is stored last so many events are looked for, and so many if these stand at several places.
const (
	fewMarks  = 32
	manyMarks = 512
)

// A standby reads a node that another bridge owns, on a session of its own, and remembers what came last. When the owner has died, this
// bridge goes on behind his last batch: where the last events that are stored stand in what was read here, at one place alone, all that
// comes behind them has yet to be stored. See splice.
type standby struct {
	node    ami.Config
	session *Session
	cancel  context.CancelFunc
	ended   chan struct{} // closed when nobody reads any more but whoever has claimed the standby
	unfit   atomic.Bool
	since   atomic.Pointer[time.Time] // when the first of last came; nil: last is empty

	mu     sync.Mutex // guards what follows
	last   memory
	number uint64 // of the session that last is of
	taken  uint64 // events that were read of the subscription

	asked  time.Time   // about the last batch, for the first time; what follows is for whoever has claimed the standby
	unread int         // times that what is stored could not be read
	rest   []ami.Event // what has yet to be stored, if that is known
	why    error       // it is not
}

// Why an owner's events do not go on without a gap.
var (
	errNoTimestamp = errors.New("its events have no Timestamp, without which they cannot be told apart: manager.conf's timestampevents = yes")
	errNothing     = errors.New("no event is stored behind the last gap, to be compared with")
	errNotHeard    = errors.New("what is stored last was not heard here: the own session is younger, has a gap, or sees other events, or more came since than are remembered")
	errAmbiguous   = errors.New("what is stored last stands at several places in what was heard here: its events are too much alike")
	errOwnSession  = errors.New("the own session was lost")
	errUnread      = errors.New("bus: what is stored could not be read")
	errStillWrites = errors.New("the owner before went on writing")
)

// standBy has a session to each node that another bridge owns.
func (b *bridge) standBy(nodes []ami.Config) {
	if !b.o.Hot {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range nodes {
		name := nodes[i].Name
		l := b.leases.of(name)
		before, unfit := b.unfit[name]
		switch s := b.standbys[name]; {
		case s != nil && s.unfit.Load():
			b.o.Log.Warn("there is no standby for this node: a takeover will have a gap", slog.String("node", name), slog.Any("cause", errNoTimestamp))
			b.unfit[name] = s.node
			b.dismiss(name)
		case s == nil && l.holder != "" && l.holder != b.self && b.owners[name] == nil && b.arrivals[name] == nil && !(unfit && b.o.Same(&before, &nodes[i])):
			b.beginStandby(nodes[i])
		}
	}
}

// beginStandby begins to read a node; if its session before has yet to end, the next look does. Called under mu.
func (b *bridge) beginStandby(node ami.Config) {
	session, err := b.read(node)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &standby{node: node, session: session, cancel: cancel, ended: make(chan struct{}), last: memory{events: b.o.HotEvents, bytes: b.o.HotBytes}}
	b.standbys[node.Name] = s
	go s.follow(ctx)
}

// ready reports whether no other hot bridge can be expected to know better what a dead owner has stored last: one that began to read the node
// only when he was silent already, or has a gap since then, lets others go first.
func (b *bridge) ready(node string, l leaseState) bool {
	if !b.o.Hot || l.revision == 0 || len(b.members.list()) < 2 {
		return true
	}
	b.mu.Lock()
	s := b.standbys[node]
	_, unfit := b.unfit[node]
	b.mu.Unlock()
	silent := b.free[node]
	if l.holder != "" {
		silent = b.members.last(l.holder)
	}
	if s == nil {
		return unfit
	}
	since := s.since.Load()
	return since != nil && since.Before(silent)
}

// claim takes a node's standby out, and has it read no more. nil: there is none. Called under mu.
func (b *bridge) claim(node string) *standby {
	s := b.standbys[node]
	if s != nil {
		delete(b.standbys, node)
		s.cancel()
		<-s.ended
	}
	return s
}

// dismiss ends a node's standby. Called under mu.
func (b *bridge) dismiss(node string) {
	if s := b.claim(node); s != nil {
		b.all.Go(s.session.End)
	}
}

// follow remembers what comes, until ctx is done or an event cannot be told from others.
func (s *standby) follow(ctx context.Context) {
	defer close(s.ended)
	for !s.unfit.Load() {
		ev, err := s.session.Events.NextBorrowed(ctx)
		if err != nil {
			return
		}
		s.take(ev)
	}
}

func (s *standby) take(ev *ami.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ev.Gap != nil {
		s.last.clear()
		s.since.Store(nil)
		return
	}
	s.taken++
	if ev.Session != s.number { // what came before was another session, whether its gap was seen or not
		s.last.clear()
		s.since.Store(nil)
		s.number = ev.Session
	}
	if s.since.Load() == nil {
		now := time.Now()
		s.since.Store(&now)
	}
	m, everybody := markOf(ev)
	if everybody && ev.Get("Timestamp") == "" {
		s.unfit.Store(true)
	}
	s.last.add(heard{event: ev.Clone(), mark: m, everybody: everybody})
}

// meets finds what comes behind the last batch. It may be asked again, about a later one.
func (s *standby) meets(ctx context.Context, c *chain, last *stored) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, hotTime)
	defer cancel()
	if s.why = s.look(limited, c, last); s.why == nil {
		return true, nil
	}
	s.rest = nil
	if s.unread++; errors.Is(s.why, errUnread) && s.unread < mostUnread {
		s.asked = time.Time{} // that is nobody's writing
		return false, s.why
	}
	return false, nil
}

func (s *standby) look(ctx context.Context, c *chain, last *stored) error {
	if s.asked.IsZero() {
		s.asked = time.Now()
	}
	if time.Since(s.asked) > hotTime {
		return errStillWrites
	}
	end, err := s.find(ctx, c, last, s.catchUp)
	if err == nil {
		s.rest = s.last.behind(end)
	}
	return err
}

// find says behind how many of the events for everybody that are remembered those that are stored end. caughtUp is to return when all that is
// stored has been heard.
func (s *standby) find(ctx context.Context, c *chain, last *stored, caughtUp func(context.Context) error) (end int, err error) {
	h := &hindsight{chain: c}
	if err := h.add(last); err != nil {
		return 0, err
	}
	if err := h.reach(ctx, fewMarks); err != nil {
		return 0, err
	}
	if len(h.marks) == 0 {
		return 0, errNothing
	}
	if err := caughtUp(ctx); err != nil {
		return 0, err
	}
	s.mu.Lock()
	marks := s.last.marks()
	s.mu.Unlock()
	end, found := endOf(marks, h.marks)
	if found > 1 && !h.over {
		if err := h.reach(ctx, manyMarks); err != nil {
			return 0, err
		}
		end, found = endOf(marks, h.marks)
	}
	switch found {
	case 0:
		return 0, errNotHeard
	case 1:
		return end, nil
	}
	return 0, errAmbiguous
}

// catchUp reads all that the server has sent to everybody by now: what is stored is among it.
func (s *standby) catchUp(ctx context.Context) error {
	until, err := s.session.Ping(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", errOwnSession, err)
	}
	for {
		ev, ok := s.session.Events.PollBorrowed()
		if !ok {
			break
		}
		s.take(ev)
		if ev.Gap == nil && ev.Session == until.Session && ev.Seq > until.Seq {
			break
		}
	}
	return s.isOf(until.Session)
}

// isOf returns why what is remembered is of no use, nil if it is a session's.
func (s *standby) isOf(session uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.unfit.Load():
		return errNoTimestamp
	case len(s.last.all) > 0 && s.number != session:
		return errOwnSession
	}
	return nil
}

// standIn returns what a standby knows of the last batch. nil: there is none.
func (o *owner) standIn(p *publisher) func(context.Context, *stored) (bool, error) {
	o.bridge.mu.Lock()
	o.standby = o.bridge.claim(o.node.Name)
	o.bridge.mu.Unlock()
	s := o.standby
	if s == nil {
		return nil
	}
	s.why = errNothing
	return func(ctx context.Context, last *stored) (bool, error) { return s.meets(ctx, &p.chain, last) }
}

// adopt goes on with the standby's session if the node was taken over without a gap, and ends it if not.
func (o *owner) adopt(whole bool, err error) {
	s := o.standby
	if s == nil {
		return
	}
	o.standby = nil
	if !whole || err != nil {
		s.session.End()
		if err == nil {
			o.log.Warn("taken over with a gap, although there was a standby", slog.Any("cause", s.why))
		}
		return
	}
	o.session, o.head = s.session, s.rest
	o.passed.Store(s.taken - uint64(len(s.rest)))
	o.log.Info("taken over without a gap", slog.Int("events", len(s.rest)))
}

// heard is an event that was read.
type heard struct {
	event     ami.Event
	mark      mark
	everybody bool // it has a mark
}

// A memory holds what came last, without a gap between.
type memory struct {
	events, bytes int // that it holds at most
	all           []heard
	size          int // bytes of their text
}

func (m *memory) clear() { m.all, m.size = nil, 0 }

func (m *memory) add(h heard) {
	m.all = append(m.all, h)
	m.size += len(h.event.Text())
	for len(m.all) > 0 && (len(m.all) > m.events || m.size > m.bytes) {
		m.size -= len(m.all[0].event.Text())
		m.all[0] = heard{}
		m.all = m.all[1:]
	}
}

func (m *memory) marks() (all []mark) {
	for i := range m.all {
		if m.all[i].everybody {
			all = append(all, m.all[i].mark)
		}
	}
	return all
}

// behind is what came behind so many events for everybody.
func (m *memory) behind(marks int) (rest []ami.Event) {
	for i := range m.all {
		if marks == 0 {
			rest = append(rest, m.all[i].event)
		} else if m.all[i].everybody {
			marks--
		}
	}
	return rest
}

// endOf finds behind how many of the marks that were heard those that are stored last end, and at how many places they may: one, none, or
// more than one. Where the hearing began among them, the ones before are not compared; a few that are left prove it only if one of them came but once.
func endOf(heard, last []mark) (end, places int) {
	if len(last) == 0 {
		return 0, 0
	}
	for at := range heard {
		n := min(len(last), at+1)
		if heard[at] != last[len(last)-1] || !slices.Equal(heard[at+1-n:at+1], last[len(last)-n:]) {
			continue
		}
		if places++; places > 1 {
			return 0, places
		}
		end = at + 1
	}
	if n := min(len(last), end); places == 1 && n < enoughAlike && !anyOnce(last[len(last)-n:], heard, last) {
		return 0, 2
	}
	return end, places
}

// anyOnce reports whether one of some marks stands once in each of the lists.
func anyOnce(some []mark, lists ...[]mark) bool {
	return slices.ContainsFunc(some, func(m mark) bool {
		return !slices.ContainsFunc(lists, func(list []mark) bool {
			n := 0
			for _, other := range list {
				if other == m {
					n++
				}
			}
			return n != 1
		})
	})
}
