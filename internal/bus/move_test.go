package bus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// Where one session's events stand in another's is known where they stand at one place alone.
func TestAlign(t *testing.T) {
	for name, tt := range map[string]struct {
		goes, comes string
		at          int
		ok          bool
	}{
		"nothing has come":                         {"", "", 0, true},
		"nothing to compare":                       {"ab", "", 0, false},
		"at the beginning":                         {"abc", "abc", 0, true},
		"in the middle":                            {"abcde", "cd", 2, true},
		"at the end":                               {"abc", "c", 2, true},
		"the same again":                           {"abab", "ab", 0, false},
		"the same again, and longer":               {"ababc", "abc", 2, true},
		"over itself":                              {"aaaa", "aaa", 0, false},
		"all the same":                             {"aaa", "aaa", 0, true},
		"other events":                             {"abc", "x", 0, false},
		"more than the other has":                  {"bc", "abc", 0, false},
		"an end that is not there":                 {"abc", "cd", 0, false},
		"events, where the other session has none": {"", "a", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			marks := func(text string) (all []mark) {
				for _, c := range text {
					all = append(all, mark(c))
				}
				return unpackMarks(packMarks(all))
			}
			if at, ok := align(marks(tt.goes), marks(tt.comes)); ok != tt.ok || ok && at != tt.at {
				t.Errorf("%d, %v", at, ok)
			}
		})
	}
}

// What a server sends to everybody has a mark, the same in each session, and what is a session's own has none.
func TestMarks(t *testing.T) {
	const event = "Event: Hangup\r\nPrivilege: call,all\r\nN: 1\r\n\r\n"
	first, ok := markOf(anEvent(event))
	if again, ok2 := markOf(anEvent(event)); !ok || !ok2 || first != again {
		t.Errorf("%v %v, and %v %v", first, ok, again, ok2)
	}
	if other, _ := markOf(anEvent(strings.Replace(event, "1", "2", 1))); other == first {
		t.Error("another event has the same mark")
	}
	for _, text := range []string{
		"Response: Success\r\n\r\n", "Event: FullyBooted\r\nPrivilege: system,all\r\n\r\n", "Event: Status\r\nPrivilege: Call\r\n\r\n", "Event: IAXpeer\r\n\r\n",
	} {
		if _, ok := markOf(anEvent(text)); ok {
			t.Errorf("%q has a mark", text)
		}
	}
	gap := gapOf("pbx", ami.GapOverflow, 1)
	if _, ok := markOf(&gap); ok {
		t.Error("a gap has a mark")
	}
}

// movers are two bridges of one node, under a flood that a consumer reads.
type movers struct {
	t     *testing.T
	url   string
	conn  *nats.Conn
	srv   *amitest.Server
	stop  map[string]func()
	nodes func() []ami.Config

	ctx      context.Context //nolint:containedctx // of the test
	mu       sync.Mutex      // guards what follows
	owner    string
	moved    int // owners
	gaps     int
	last     int
	events   int // that have no number
	numbered int
	fault    string
}

func newMovers(t *testing.T, rate int, options func(*Options), server ...amitest.Option) *movers {
	t.Helper()
	unhurried(t)
	m := &movers{t: t, url: aBus(t), srv: amitest.NewServer(append(server, amitest.WithName("pbx"))...), stop: make(map[string]func()), ctx: t.Context()}
	t.Cleanup(m.srv.Close)
	m.nodes = func() []ami.Config { return configsOf(m.srv) }
	m.conn = dial(t, m.url)
	for _, name := range []string{"a", "b"} {
		o := Options{Conn: dial(t, m.url), Cluster: "c", Name: name, Nodes: m.nodes}
		if options != nil {
			options(&o)
		}
		m.stop[name] = run(t, o)
	}
	var c *Consumer
	eventually(t, "there is a stream", func() (ok bool) {
		var err error
		c, err = Read(t.Context(), m.conn, ReadOptions{Cluster: "c", Start: Start{All: true}})
		return err == nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { m.read(ctx, c) })
	t.Cleanup(func() { cancel(); all.Wait(); c.Close() })
	eventually(t, "the node has an owner", func() bool { return m.now() != "" && m.srv.Ledger().Logins > 0 })
	if rate > 0 {
		all.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				m.srv.EmitEvent("UserEvent", "N", strconv.Itoa(n))
				time.Sleep(time.Second / time.Duration(rate))
			}
		})
		eventually(t, "events come", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.last > 0 })
	}
	return m
}

// read wants events to be whole wherever there is no gap.
func (m *movers) read(ctx context.Context, c *Consumer) {
	marked := true
	for {
		_, r, err := c.Next(ctx)
		if err != nil {
			return
		}
		m.mu.Lock()
		switch {
		case r.Owner != nil:
			m.owner = strings.Clone(r.Owner.Bridge)
			m.moved++
		case r.Event.Gap != nil:
			m.gaps++
			marked = true
		case r.Event.Name() == "UserEvent":
			n, _ := strconv.Atoi(r.Event.Get("N"))
			if n <= m.last || n > m.last+1 && !marked {
				m.fault = fmt.Sprintf("%d comes behind %d", n, m.last)
			}
			m.last, marked = n, false
			m.numbered++
		case r.Event.Name() == "Same":
			m.events++
		}
		m.mu.Unlock()
	}
}

func (m *movers) now() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owner
}

// others is the bridge that does not own the node.
func (m *movers) other() string {
	if m.now() == "a" {
		return "b"
	}
	return "a"
}

func (m *movers) move(to string) (*Moved, error) {
	return Move(m.ctx, m.conn, "c", "pbx", to, patience)
}

// mustMove moves it, without a gap.
func (m *movers) mustMove(to string) {
	m.t.Helper()
	var moved *Moved
	var err error
	eventually(m.t, "the owner takes moves, and the other bridge comes", func() bool {
		moved, err = m.move(to)
		var why *MoveError
		return !errors.As(err, &why) || why.Reason != MoveNoOwner && why.Reason != MoveAway // on a busy host who has just begun is yet to listen
	})
	if err != nil || !moved.Whole || moved.To != to {
		m.t.Fatalf("%+v, %v", moved, err)
	}
	eventually(m.t, "the other bridge owns it", func() bool { return m.now() == to })
}

// judge wants events to go on, none to be missing without a gap, and so many gaps, or any number if it is -1.
func (m *movers) judge(gaps int) {
	m.t.Helper()
	m.mu.Lock()
	mark := m.last
	m.mu.Unlock()
	eventually(m.t, "events go on", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.last > mark+10 })
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != "" || gaps >= 0 && m.gaps != gaps {
		m.t.Errorf("%s; there are %d gaps, and %d owners were there", m.fault, m.gaps, m.moved)
	}
	all, err := Verify(m.ctx, m.conn, "c")
	if err != nil || len(all) != 1 || len(all[0].Faults) > 0 {
		m.t.Errorf("%+v, %v", all, err)
	}
}

// A node goes from one bridge to another and back, and nothing is missing, nothing twice, and there is no gap.
func TestMove(t *testing.T) {
	t.Parallel()
	m := newMovers(t, 200, nil)
	for range 6 {
		m.mustMove(m.other())
	}
	m.judge(1) // the first owner's
}

// Single events go on behind those of the owner before, each once, and without a gap as well.
func TestMoveWithSingles(t *testing.T) {
	t.Parallel()
	m := newMovers(t, 200, func(o *Options) { o.Each, o.Line = []string{"UserEvent"}, aLine })
	const moves = 4
	for range moves {
		m.mustMove(m.other())
	}
	m.judge(1)
	m.judgeSingles(1)
}

// judgeSingles wants each single event once and in order, none to be missing without a gap, and so many gaps.
func (m *movers) judgeSingles(want int) {
	m.t.Helper()
	m.mu.Lock()
	came := m.numbered // and gaps before them
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(m.ctx, patience)
	defer cancel()
	gaps, before, marked := 0, 0, true
	for _, line := range onesOf(ctx, m.t, mustJetStream(m.t, m.conn), came) {
		_, text, _ := strings.Cut(line, " ")
		var n int
		if _, err := fmt.Sscanf(text, "UserEvent %d", &n); err != nil {
			gaps++
			marked = true
			continue
		}
		if n <= before || n != before+1 && !marked {
			m.t.Errorf("%d comes behind %d", n, before)
		}
		before, marked = n, false
	}
	if gaps != want || before == 0 {
		m.t.Errorf("%d gaps are among the single events, the last of which is %d", gaps, before)
	}
}

// Where nothing happens, there is nothing to compare, and nothing is missing.
func TestMoveInSilence(t *testing.T) {
	t.Parallel()
	m := newMovers(t, 0, nil)
	for range 2 {
		m.mustMove(m.other())
	}
	for n := range 20 {
		m.srv.EmitEvent("UserEvent", "N", strconv.Itoa(n+1))
	}
	eventually(t, "all have come", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.last == 20 })
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != "" || m.numbered != 20 || m.gaps != 1 {
		t.Errorf("%s; %d events came, and %d gaps", m.fault, m.numbered, m.gaps)
	}
}

// A move that cannot be says why, and changes nothing.
func TestMoveRefused(t *testing.T) {
	t.Parallel()
	m := newMovers(t, 200, nil)
	ctx := t.Context()
	conn := dial(t, m.url)
	run(t, Options{Conn: dial(t, m.url), Cluster: "c", Name: "poor", Nodes: func() []ami.Config { return nil }})
	for what, tt := range map[string]struct {
		node, to string
		want     MoveReason
		text     string
	}{
		"no such node":      {"pbx9", "b", MoveNoNode, `no node "pbx9"`},
		"no such bridge":    {"pbx", "z", MoveNoBridge, `no bridge "z"`},
		"already there":     {"pbx", m.now(), MoveThere, "already"},
		"not its own nodes": {"pbx", "poor", MoveFailed, "no node of this name"},
	} {
		var why *MoveError
		eventually(t, "the owner has heard of poor", func() bool {
			_, err := Move(ctx, conn, "c", tt.node, tt.to, patience)
			return errors.As(err, &why) && (tt.to != "poor" || why.Reason != MoveNoBridge)
		})
		if why.Reason != tt.want || !strings.Contains(why.What, tt.text) {
			t.Errorf("%s: %s, %s (%q)", what, why.Reason, why.What, why.Names)
		}
	}
	m.judge(1)
}

// A node that no bridge owns cannot be moved, and one that the bus has never seen is another matter.
func TestMoveWithoutOwner(t *testing.T) {
	t.Parallel()
	m := newMovers(t, 0, nil)
	m.stop["a"]()
	m.stop["b"]()
	var why *MoveError
	if _, err := m.move("a"); !errors.As(err, &why) || why.Reason != MoveNoOwner {
		t.Errorf("%v", err)
	}
}

// Of two who move at once one does it, and the other is told.
func TestMoveTwice(t *testing.T) {
	t.Parallel()
	m := newMovers(t, 200, nil)
	to, busy, done := m.other(), 0, 0
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 4 {
		conn := dial(t, m.url)
		all.Go(func() {
			moved, err := Move(t.Context(), conn, "c", "pbx", to, patience)
			mu.Lock()
			defer mu.Unlock()
			var why *MoveError
			switch {
			case err == nil && moved.Whole:
				done++
			case errors.As(err, &why) && (why.Reason == MoveBusy || why.Reason == MoveThere || why.Reason == MoveNoOwner):
				busy++
			default:
				t.Errorf("%+v, %v", moved, err)
			}
		})
	}
	all.Wait()
	if done != 1 || busy != 3 {
		t.Errorf("%d moved it, and %d were told that somebody does", done, busy)
	}
	m.judge(1)
}

// Events that are all alike can hardly be told apart: the node moves only where they can, and each of them is there once.
func TestMoveOfEventsThatAreAlike(t *testing.T) {
	t.Parallel()
	m := newMovers(t, 0, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	sent := 0
	all.Go(func() {
		for ctx.Err() == nil {
			for range 50 {
				m.srv.EmitEvent("Same")
				sent++
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	for range 3 {
		moved, err := Move(t.Context(), m.conn, "c", "pbx", m.other(), time.Second)
		var why *MoveError
		if err == nil && !moved.Whole || err != nil && (!errors.As(err, &why) || why.Reason != MoveFailed && why.Reason != MoveNoOwner && why.Reason != MoveAway) {
			t.Errorf("%+v, %v", moved, err)
		}
		eventually(t, "the stream says who owns it", func() bool { return err != nil || m.now() == moved.To })
	}
	cancel()
	all.Wait()
	m.mustMove(m.other())
	eventually(t, "all have come", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.events >= sent })
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.events != sent || m.gaps != 1 {
		t.Errorf("%d events were sent, %d came, and %d gaps", sent, m.events, m.gaps)
	}
}

// A bridge whose session sees other events cannot go on where the owner stands: the node stays.
func TestMoveOfOtherEvents(t *testing.T) {
	t.Parallel()
	m := newMovers(t, 200, nil)
	other := amitest.NewServer(amitest.WithName("pbx"))
	t.Cleanup(other.Close)
	run(t, Options{Conn: dial(t, m.url), Cluster: "c", Name: "elsewhere", Nodes: func() []ami.Config { return configsOf(other) }})
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			other.EmitEvent("Other")
			time.Sleep(time.Millisecond)
		}
	})
	var why *MoveError
	eventually(t, "the owner has heard of the other bridge", func() bool {
		_, err := Move(t.Context(), m.conn, "c", "pbx", "elsewhere", 2*time.Second)
		return errors.As(err, &why) && why.Reason != MoveNoBridge
	})
	cancel()
	all.Wait()
	if why.Reason != MoveFailed || !strings.Contains(why.What, "are not the same") {
		t.Errorf("%s: %v", why.Reason, why)
	}
	m.judge(1)
}

// Sessions are lost while nodes move: whatever becomes of the moves, what is missing is within a gap.
func TestMoveWhileSessionsAreLost(t *testing.T) {
	t.Parallel()
	m := newMovers(t, 200, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			m.srv.Kick()
			time.Sleep(rand.N(500 * time.Millisecond))
		}
	})
	whole := 0
	for range 10 {
		moved, err := Move(t.Context(), m.conn, "c", "pbx", m.other(), patience)
		var why *MoveError
		switch {
		case err == nil:
			eventually(t, "the stream says who owns it", func() bool { return m.now() == moved.To })
			if moved.Whole {
				whole++
			}
		case !errors.As(err, &why):
			t.Error(err)
		}
	}
	cancel()
	all.Wait()
	m.mu.Lock()
	gaps := m.gaps
	m.mu.Unlock()
	t.Logf("%d moves were whole, and there are %d gaps", whole, gaps)
	m.judge(-1)
}

// A lease is given to another bridge by one write, and who gave it has it no longer. One that is a third's cannot be given.
func TestPassLease(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx := t.Context()
	mine, err := acquire(ctx, js, "c", "pbx", "a/1", 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	mine.revision = 1 << 40 // the answer to a renewal was lost
	note := &handedOver{Move: "m", Skip: 3, Behind: "pbx.1.2"}
	if err := mine.pass(ctx, "b/1", note); err != nil {
		t.Fatal(err)
	}
	board, err := watchLeases(ctx, js, "c")
	if err != nil {
		t.Fatal(err)
	}
	defer board.stop()
	s := board.of("pbx")
	if s.holder != "b/1" || s.handed == nil || *s.handed != *note {
		t.Errorf("the lease is %+v", s)
	}
	if err := mine.renew(ctx); !errors.Is(err, errTaken) {
		t.Errorf("who gave it away renews it: %v", err)
	}
	if err := mine.pass(ctx, "b/1", note); err != nil { // its answer was lost
		t.Errorf("once more: %v", err)
	}
	theirs, err := acquire(ctx, js, "c", "pbx", "b/1", s.revision, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := mine.pass(ctx, "c/1", note); !errors.Is(err, errTaken) {
		t.Errorf("what is another's is given away: %v", err)
	}
	if err := theirs.renew(ctx); err != nil {
		t.Error(err)
	}
}

// standsAt knows what comes behind one batch.
func standsAt(id string) func(context.Context, *stored) bool {
	return func(_ context.Context, last *stored) bool { return last.id() == id }
}

// An owner to whom a node was handed over begins without a gap, if the stream ends where he was told.
func TestTakeOverBehind(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx := t.Context()
	first, err := owning(ctx, js, batch.Owner{Bridge: "a", Epoch: 1, Time: time.Now()}, leaseOurs)
	if err != nil {
		t.Fatal(err)
	}
	behind := first.id(first.number)
	for i, want := range []bool{true, false} { // behind the first owner stands the second one, the second time
		p := newPublisher(js, "c", "pbx", quiet())
		p.confirm = leaseOurs
		if whole, err := p.takeOver(ctx, batch.Owner{Bridge: "b", Epoch: uint64(i + 2)}, standsAt(behind)); err != nil || whole != want {
			t.Errorf("%v, %v", whole, err)
		}
	}
	if got := strings.Join(readAll(t, js.Conn(), 5), ";"); got != "owner a 1;gap disconnect;owner b 2;owner b 3;gap disconnect" {
		t.Errorf("on the bus is %s", got)
	}
}

// What is lost around the begin of an owner who was handed the node over has no gap of his to stand in: a consumer marks it.
func TestLostAroundAMove(t *testing.T) {
	js := withJetStream(t, aBus(t))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	first, err := owning(ctx, js, batch.Owner{Bridge: "a", Epoch: 1, Time: time.Now()}, leaseOurs)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Read(ctx, js.Conn(), ReadOptions{Cluster: "c", Start: Start{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = records(ctx, t, c, 2) // the owner and his gap
	seen := c.places["pbx"]
	for range 2 {
		if err := first.publish(ctx, aBatch("Event: A\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	second := newPublisher(js, "c", "pbx", quiet())
	second.confirm = leaseOurs
	if whole, err := second.takeOver(ctx, batch.Owner{Bridge: "b", Epoch: 2}, standsAt(first.id(first.number))); err != nil || !whole {
		t.Fatalf("%v, %v", whole, err)
	}
	if got := strings.Join(records(ctx, t, c, 3), ";"); got != "A;A;owner b 2" {
		t.Errorf("a consumer that has all reads %s", got)
	}
	stream, err := js.Stream(ctx, eventStream("c"))
	if err == nil {
		err = stream.Purge(ctx, jetstream.WithPurgeSequence(second.last))
	}
	if err != nil {
		t.Fatal(err)
	}
	after, err := Read(ctx, js.Conn(), ReadOptions{Cluster: "c", Start: Start{All: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	after.places["pbx"] = seen // as if it had been slow
	if got := strings.Join(records(ctx, t, after, 2), ";"); got != "gap expired;owner b 2" {
		t.Errorf("a consumer that was slow reads %s", got)
	}
}
