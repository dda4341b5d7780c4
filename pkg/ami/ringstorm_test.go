package ami

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Stats is read while the consumer takes events: no figure wraps round, and what was delivered never becomes less.
func TestSubscriptionStatsWhileConsumed(t *testing.T) {
	s, err := newSubscription(SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	feeds := make([]*feed, 4)
	for i := range feeds {
		feeds[i] = &feed{node: "n"}
		s.attach(feeds[i])
	}
	stop := offerAndPoll(t, s, feeds)
	var last SubscriptionStats
	bad := 0
	for begin := time.Now(); time.Since(begin) < 300*time.Millisecond; {
		st := s.Stats()
		runtime.Gosched()
		if st.Delivered > st.Offered || st.Delivered < last.Delivered || st.Offered < last.Offered {
			if bad++; bad == 1 {
				t.Errorf("delivered %d of %d offered, before %d of %d", st.Delivered, st.Offered, last.Delivered, last.Offered)
			}
		}
		if sum := st.Filtered + st.Delivered + st.Dropped + st.Discarded + st.Queued; sum != st.Offered {
			if bad++; bad == 1 {
				t.Errorf("ledger %+v", st)
			}
		}
		last = st
	}
	stop()
	if bad > 0 {
		t.Errorf("%d snapshots are wrong", bad)
	}
	forgetsNothing(t, s, feeds[:2])
}

// offerAndPoll has the feeds offer events and a consumer take them, until it is stopped.
func offerAndPoll(t *testing.T, s *Subscription, feeds []*feed) (stop func()) {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte("Event: Tick\r\nPrivilege: call,all\r\n\r\n"))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	stopped := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stopped:
				return
			default:
			}
			f := feeds[i%len(feeds)]
			for range 16 {
				f.offer(&m, 1, 1, 1)
			}
			f.flush()
		}
	})
	all.Go(func() {
		for {
			select {
			case <-stopped:
				return
			default:
				s.PollBorrowed()
			}
		}
	})
	return func() {
		close(stopped)
		all.Wait()
	}
}

// forgetsNothing reads Stats while nodes leave and the subscription ends.
func forgetsNothing(t *testing.T, s *Subscription, leaving []*feed) {
	t.Helper()
	var leave sync.WaitGroup
	before := s.Stats()
	leave.Go(func() {
		for _, f := range leaving {
			s.detach(f)
		}
		s.Close()
	})
	bad := 0
	for range 2000 {
		st := s.Stats()
		if st.Offered < before.Offered || st.Delivered < before.Delivered || st.Delivered > st.Offered {
			if bad++; bad == 1 {
				t.Errorf("while it ends: %+v, before %+v", st, before)
			}
		}
	}
	leave.Wait()
}

// offerAtRandom has a feed offer events until it is stopped: mostly small ones that come in bursts, with an absence now and then.
func offerAtRandom(f *feed, rnd *rand.Rand, stop <-chan struct{}) {
	n := 0
	d := wire.NewDecoder(wire.Limits{})
	for {
		select {
		case <-stop:
			f.flush()
			return
		default:
		}
		for range rnd.IntN(40) {
			n++
			size := rnd.IntN(300)
			switch rnd.IntN(200) {
			case 0:
				size = rnd.IntN(60_000)
			case 1:
				size = rnd.IntN(5000)
			}
			c := string(rune('a' + n%26))
			d.Feed(fmt.Appendf(nil, "Event: E\r\nPrivilege: call,all\r\nN: %d\r\nBody: %s\r\n\r\n", n, strings.Repeat(c, size)))
			m, err := d.Next()
			if err != nil {
				panic(err)
			}
			f.offer(&m, int64(n), uint64(n), 1)
		}
		f.flush()
		if rnd.IntN(300) == 0 {
			f.lost(int64(n) + 1)
			f.resumed(int64(n) + 2)
		}
		if rnd.IntN(3) == 0 {
			time.Sleep(time.Duration(rnd.IntN(100)) * time.Microsecond)
		}
	}
}

// A gapCounter takes the events that offerAtRandom offers, and holds the gaps between them to what is missing.
type gapCounter struct {
	t    *testing.T
	seed uint64
	last map[string]int    // number, by node
	lost map[string]uint64 // since that one, as gaps say
	got  int
}

// intact says whether an event is as it was offered.
func intact(ev *Event) bool {
	n, _ := strconv.Atoi(ev.Get("N"))
	return uint64(n) == ev.Seq && strings.Trim(ev.Get("Body"), string(rune('a'+n%26))) == ""
}

func (g *gapCounter) take(ev *Event) {
	if ev.Gap != nil {
		g.lost[ev.Node] += ev.Gap.Dropped
		return
	}
	g.got++
	n, _ := strconv.Atoi(ev.Get("N"))
	if !intact(ev) {
		g.t.Fatalf("seed %d: corrupt %d %d", g.seed, n, ev.Seq)
	}
	if miss := n - g.last[ev.Node] - 1; uint64(miss) != g.lost[ev.Node] {
		g.t.Fatalf("seed %d node %s: at %d after %d, gaps say %d", g.seed, ev.Node, n, g.last[ev.Node], g.lost[ev.Node])
	}
	g.last[ev.Node], g.lost[ev.Node] = n, 0
}

// consume takes events for a moment, stands still at times, and holds each borrowed one until the next.
func (g *gapCounter) consume(s *Subscription) {
	g.t.Helper()
	rnd := rand.New(rand.NewPCG(g.seed, 99))
	var held *Event
	for end := time.Now().Add(250 * time.Millisecond); time.Now().Before(end); {
		if held != nil && !intact(held) {
			g.t.Fatal("borrowed event changed")
		}
		ev, ok := s.PollBorrowed()
		held = nil
		if ok {
			g.take(ev)
			if ev.Gap == nil {
				held = ev
			}
		}
		if rnd.IntN(500) == 0 {
			time.Sleep(time.Duration(rnd.IntN(3000)) * time.Microsecond)
			st := s.Stats()
			if sum := st.Filtered + st.Delivered + st.Dropped + st.Discarded + st.Queued; sum != st.Offered {
				g.t.Fatalf("ledger %+v", st)
			}
		}
	}
}

// Five nodes at random against one consumer that keeps up or does not, under a budget: every gap is counted, no borrowed
// event changes, and the budget comes back whole.
func TestRingStorm(t *testing.T) {
	for seed := range uint64(6) {
		b := &budget{limit: []int64{256 << 10, 1 << 20, 1 << 30}[seed%3]}
		s, _ := newSubscription(SubscribeOptions{RingEvents: []int{1, 7, 300, 8192}[seed%4], RingBytes: []int{3000, 20000, 200_000, 8 << 20}[(seed+1)%4]})
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for i := range 5 {
			f := &feed{node: strconv.Itoa(i), budget: b}
			s.attach(f)
			wg.Go(func() { offerAtRandom(f, rand.New(rand.NewPCG(seed, uint64(i))), stop) })
		}
		g := &gapCounter{t: t, seed: seed, last: make(map[string]int), lost: make(map[string]uint64)}
		g.consume(s)
		close(stop)
		wg.Wait()
		for ev, ok := s.PollBorrowed(); ok; ev, ok = s.PollBorrowed() {
			g.take(ev)
		}
		st := s.Stats()
		if st.Delivered != uint64(g.got) || st.Queued != 0 || st.Offered != st.Delivered+st.Dropped {
			t.Errorf("seed %d: %+v got %d", seed, st, g.got)
		}
		s.Close()
		if u, r := b.used.Load(), b.rings.Load(); u != 0 || r != 0 {
			t.Errorf("seed %d: budget %d, %d rings", seed, u, r)
		}
		t.Logf("seed %d: %+v", seed, st)
	}
}
