package ami_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// subscribe subscribes to the numbered events that these tests emit, and to nothing else.
func (f *fleet) subscribe(o ami.SubscribeOptions) *ami.Subscription {
	f.t.Helper()
	if o.Events == nil {
		o.Events = []string{"Tick"}
	}
	s, err := f.Subscribe(o)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// ticks makes n events, with that many bytes of payload each.
func ticks(n, payload int) []amitest.Event {
	evs := make([]amitest.Event, n)
	for i := range evs {
		evs[i] = amitest.NewEvent("Tick", "Body", strings.Repeat("x", payload))
	}
	return evs
}

// drain returns what is there now.
func drain(s *ami.Subscription) (evs []ami.Event) {
	for {
		ev, ok := s.Poll()
		if !ok {
			return evs
		}
		evs = append(evs, ev)
	}
}

// tell writes a stream down: numbered events as runs, gaps as what they say.
func tell(evs []ami.Event) (story []string) {
	first, last := -1, -1
	end := func() {
		if first >= 0 {
			story = append(story, fmt.Sprintf("%d-%d", first, last))
		}
		first = -1
	}
	for _, ev := range evs {
		switch {
		case ev.Gap == nil:
			n, err := strconv.Atoi(ev.Get("Num"))
			if err != nil {
				n = -2
			}
			if first < 0 || n != last+1 {
				end()
				first = n
			}
			last = n
		case ev.Gap.Reason == ami.GapOverflow:
			end()
			story = append(story, fmt.Sprintf("overflow %d", ev.Gap.Dropped))
		default:
			end()
			until := "away"
			if !ev.Gap.Until.IsZero() {
				until = ev.Gap.Until.Sub(ev.Gap.Since).String()
			}
			story = append(story, "disconnect "+until)
		}
	}
	end()
	return story
}

func wantStory(t *testing.T, evs []ami.Event, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, tell(evs)); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
}

// wantSubscription checks a subscription's books.
func wantSubscription(t *testing.T, s *ami.Subscription) ami.SubscriptionStats {
	t.Helper()
	st := s.Stats()
	if st.Offered != st.Filtered+st.Delivered+st.Dropped+st.Discarded+st.Queued {
		t.Errorf("the subscription's ledger does not balance: %+v", st)
	}
	return st
}

// one returns a fleet of one server with numbered events and one ready node. FullyBooted and SuccessfulAuth are
// numbered too, so that ticks begin at the number that base says.
func one(t *testing.T, opts ...amitest.Option) (f *fleet, srv *amitest.Server, n *ami.Node) {
	t.Helper()
	f = newFleet(t, ami.ClusterConfig{})
	srv = f.serve("pbx", append([]amitest.Option{amitest.WithEventNumbers()}, opts...)...)
	n = f.add("pbx")
	f.ready(time.Second)
	synctest.Wait()
	return f, srv, n
}

// What the buffers can hold is neither lost nor does it cost the session, however fast it comes: 1 MiB bursts in
// packets of all sizes.
func TestBurstsAreKept(t *testing.T) {
	for _, size := range []int{10, 1000, 60_000, 900_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, srv, n := one(t)
				defer f.close()
				s := f.subscribe(ami.SubscribeOptions{})
				count := max(1, min(8192, (1<<20)/(size+64)))
				if size == 10 {
					count = 8192 // the default ring's events, to the last
				}
				for range 6 {
					last := int(srv.Emit(ticks(count, size)...))
					synctest.Wait()
					wantStory(t, drain(s), fmt.Sprintf("%d-%d", last-count+1, last))
				}
				if st := wantSubscription(t, s); st.Dropped != 0 || st.Queued != 0 || st.QueuedBytes != 0 {
					t.Errorf("stats %+v", st)
				}
				if st := n.Stats(); st.Lost != 0 {
					t.Errorf("lost %d sessions", st.Lost)
				}
			})
		})
	}
}

// A subscriber that blocks for ever: the socket is read to the end, memory stays flat, others get everything.
func TestSubscriberThatBlocksForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, srv, n := one(t)
		defer f.close()
		stuck := f.subscribe(ami.SubscribeOptions{RingEvents: 100})
		fine := f.subscribe(ami.SubscribeOptions{})
		release := make(chan struct{})
		go func() {
			for range stuck.All(context.Background()) {
				<-release
			}
		}()
		defer close(release)
		const rounds, burst = 200, 500
		var got int
		sizeAt := func() int { return heapInUse() }
		var early int
		for i := range rounds {
			srv.Emit(ticks(burst, 100)...)
			synctest.Wait()
			for _, ev := range drain(fine) {
				if ev.Gap != nil {
					t.Fatalf("the other subscriber lost %+v", ev.Gap)
				}
				got++
			}
			if err := ping(n); err != nil {
				t.Fatal(err)
			}
			if i == 20 {
				early = sizeAt()
			}
		}
		if late := sizeAt(); late > early+1<<20 {
			t.Errorf("the heap grew from %d to %d bytes", early, late)
		}
		if got != rounds*burst {
			t.Errorf("the other subscriber got %d of %d", got, rounds*burst)
		}
		st := wantSubscription(t, stuck)
		// At most one ring's worth went with the one event that blocks.
		if st.Dropped < rounds*burst-300 || st.PeakEvents > 100 {
			t.Errorf("the blocked one: %+v", st)
		}
		l := srv.Ledger()
		if l.SlowReaders != 0 || n.Stats().Lost != 0 {
			t.Errorf("slow readers %d, sessions lost %d", l.SlowReaders, n.Stats().Lost)
		}
		if s := n.Stats(); s.BytesIn != l.BytesOut {
			t.Errorf("the engine read %d bytes of %d", s.BytesIn, l.BytesOut)
		}
	})
}

func TestSubscriptionClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, srv, _ := one(t)
		defer f.close()
		waiting, queued := f.subscribe(ami.SubscribeOptions{}), f.subscribe(ami.SubscribeOptions{})
		done := make(chan error)
		go func() { _, err := waiting.Next(context.Background()); done <- err }()
		synctest.Wait()
		waiting.Close()
		if err := <-done; !errors.Is(err, ami.ErrClosed) {
			t.Errorf("a waiting Next: %v", err)
		}
		srv.Emit(ticks(1000, 10)...)
		synctest.Wait()
		if _, err := queued.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		queued.Close()
		queued.Close()
		if _, err := queued.Next(t.Context()); !errors.Is(err, ami.ErrClosed) {
			t.Errorf("Next of a closed one: %v", err)
		}
		if _, ok := queued.Poll(); ok {
			t.Error("Poll of a closed one gave something")
		}
		srv.Emit(ticks(10, 10)...)
		synctest.Wait()
		if st := wantSubscription(t, queued); st.Offered < 1000 || st.Delivered != 1 || st.Discarded != 999 || st.Queued != 0 {
			t.Errorf("stats %+v", st)
		}
		if used := f.Stats().BudgetUsed; used != 0 {
			t.Errorf("%d bytes of budget are still taken", used)
		}
	})
}

func TestSubscriptionSelects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		for _, name := range []string{"a", "b"} {
			f.serve(name)
			f.add(name)
		}
		f.ready(time.Second)
		synctest.Wait()
		where, err := ami.ParseWhere(`Queue=sales && Wait>5`)
		if err != nil {
			t.Fatal(err)
		}
		onlyB := f.subscribe(ami.SubscribeOptions{Nodes: []string{"b", "later"}, Events: []string{"queue*", "HANGUP"}, Where: where})
		all := f.subscribe(ami.SubscribeOptions{Events: []string{"*"}})
		f.serve("later")
		f.add("later")
		f.ready(time.Second)
		synctest.Wait()
		for _, name := range []string{"a", "b", "later"} {
			s := f.servers[name]
			s.EmitEvent("QueueCallerJoin", "Queue", "sales", "Wait", "9")
			s.EmitEvent("QueueCallerJoin", "Queue", "sales", "Wait", "5")
			s.EmitEvent("QueueCallerJoin", "Queue", "help", "Wait", "9")
			s.EmitEvent("Hangup", "Queue", "sales", "Wait", "10")
			s.EmitEvent("Newchannel", "Queue", "sales", "Wait", "9")
		}
		synctest.Wait()
		var got []string
		for _, ev := range drain(onlyB) {
			got = append(got, ev.Node+" "+ev.Name())
		}
		slices.Sort(got) // the order among nodes is nobody's promise
		want := []string{"b Hangup", "b QueueCallerJoin", "later Hangup", "later QueueCallerJoin"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("selected (-want +got):\n%s", diff)
		}
		if st := wantSubscription(t, onlyB); st.Delivered != 4 || st.Filtered != st.Offered-4 || st.Filtered < 6 {
			t.Errorf("stats %+v", st)
		}
		fromLater := 0
		for _, ev := range drain(all) {
			if ev.Node == "later" {
				fromLater++
			}
		}
		if fromLater < 5 {
			t.Errorf("a node added later gave %d events", fromLater)
		}
		for _, bad := range []ami.SubscribeOptions{{RingEvents: -1}, {RingBytes: -1}} {
			if _, err := f.Subscribe(bad); err == nil {
				t.Errorf("%+v was taken", bad)
			}
		}
	})
}

// A ring's cap in bytes holds, whatever an event's size; one that can never fit is dropped and counted alone.
func TestRingBytesHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, srv, _ := one(t)
		defer f.close()
		const limit = 100 << 10
		s := f.subscribe(ami.SubscribeOptions{RingBytes: limit})
		srv.Emit(ticks(1000, 1000)...)
		synctest.Wait()
		st := wantSubscription(t, s)
		if st.QueuedBytes > limit || st.PeakBytes > limit || st.QueuedBytes < limit*9/10 {
			t.Errorf("holds %d, held %d of %d bytes", st.QueuedBytes, st.PeakBytes, limit)
		}
		drain(s)
		base := int(srv.Emit(append(append(ticks(2, 10), ticks(1, 200_000)...), ticks(2, 10)...)...)) - 5
		synctest.Wait()
		evs := drain(s)
		lost := 0
		for _, ev := range evs {
			if ev.Gap != nil {
				lost += int(ev.Gap.Dropped)
			}
		}
		if n := len(evs); n == 0 || evs[n-1].Get("Num") != fmt.Sprint(base+5) || lost == 0 || lost > 3 {
			t.Errorf("stream %q of %d to %d", tell(evs), base+1, base+5)
		}
		wantSubscription(t, s)
	})
}

// Events that came before an answer are there when Do returns, and Seq says where the answer stands among them.
func TestEventsAndAnswersShareOneOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, srv, n := one(t)
		defer f.close()
		srv.Handle("Mark", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Ack("marked") })
		s := f.subscribe(ami.SubscribeOptions{})
		for range 50 {
			srv.Emit(ticks(20, 10)...)
			synctest.Wait()
			r, err := n.Do(t.Context(), ami.NewAction("Mark"))
			if err != nil {
				t.Fatal(err)
			}
			srv.Emit(ticks(20, 10)...)
			synctest.Wait()
			before, after := 0, 0
			last := uint64(0)
			for _, ev := range drain(s) {
				if ev.Seq <= last || ev.Session != r.Session {
					t.Fatalf("seq %d of session %d behind %d", ev.Seq, ev.Session, last)
				}
				if last = ev.Seq; ev.Seq < r.Seq {
					before++
				} else {
					after++
				}
			}
			if before != 20 || after != 20 {
				t.Fatalf("%d events before the answer, %d after", before, after)
			}
		}
	})
}

// Events that arrive in one segment with the login's answer, before the node is ready, are kept.
func TestEventsBeforeReadyAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.serve("pbx")
		s := f.subscribe(ami.SubscribeOptions{Events: []string{"FullyBooted", "Tick"}})
		hold := make(chan struct{})
		n := f.add("pbx", func(c *ami.Config) {
			c.OnReady = func(context.Context, *ami.Conn) error { <-hold; return nil }
		})
		synctest.Wait()
		f.servers["pbx"].Emit(ticks(100, 10)...)
		synctest.Wait()
		if n.Ready() {
			t.Fatal("ready: the test proves nothing")
		}
		if evs := drain(s); len(evs) != 101 || evs[0].Name() != "FullyBooted" {
			t.Errorf("%d events before ready", len(evs))
		}
		close(hold)
		f.ready(time.Second)
		if !n.Booted() {
			t.Error("FullyBooted was not noticed")
		}
		f.servers["pbx"].Close()
		synctest.Wait()
		if n.Booted() {
			t.Error("a node that is away is still said to be booted")
		}
	})
}

func TestAllEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, srv, _ := one(t)
		defer f.close()
		s := f.subscribe(ami.SubscribeOptions{})
		srv.Emit(ticks(5000, 10)...)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		got := 0
		var last error
		for ev, err := range s.All(ctx) {
			if last != nil || err != nil && ev.Name() != "" {
				t.Errorf("%v comes behind %v, with %q", err, last, ev.Name())
			}
			if last = err; err != nil {
				continue
			}
			if got++; got == 10 {
				cancel()
			}
		}
		if !errors.Is(last, context.Canceled) {
			t.Errorf("the loop ended with %v", last)
		}
		if got != 10 {
			t.Errorf("%d events after the context was done", got-10)
		}
		if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Next with a context that is done: %v", err)
		}
		// The rest is still there for another.
		if evs := drain(s); len(evs) != 5000-10 {
			t.Errorf("%d are left", len(evs))
		}
		wantSubscription(t, s)
	})
}
