package bus

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

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
func standsAt(id string) func(context.Context, *stored) (bool, error) {
	return func(_ context.Context, last *stored) (bool, error) { return last.id() == id, nil }
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
	c := fromStart(ctx, t, js.Conn())
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
	after := fromStart(ctx, t, js.Conn())
	after.places["pbx"] = seen // as if it had been slow
	if got := strings.Join(records(ctx, t, after, 2), ";"); got != "gap expired;owner b 2" {
		t.Errorf("a consumer that was slow reads %s", got)
	}
}
