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
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte("Event: Tick\r\nPrivilege: call,all\r\n\r\n"))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
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
			case <-stop:
				return
			default:
				s.PollBorrowed()
			}
		}
	})
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
	close(stop)
	all.Wait()
	if bad > 0 {
		t.Errorf("%d snapshots are wrong", bad)
	}
	// Nodes leave, and the subscription ends: nothing is forgotten meanwhile.
	var leave sync.WaitGroup
	before := s.Stats()
	leave.Go(func() {
		for _, f := range feeds[:2] {
			s.detach(f)
		}
		s.Close()
	})
	bad = 0
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

// Five nodes at random against one consumer that keeps up or does not, under a budget: every gap is counted, no borrowed
// event changes, and the budget comes back whole.
func TestRingStorm(t *testing.T) {
	for seed := range uint64(6) {
		b := &budget{limit: []int64{256 << 10, 1 << 20, 1 << 30}[seed%3]}
		s, _ := newSubscription(SubscribeOptions{RingEvents: []int{1, 7, 300, 8192}[seed%4], RingBytes: []int{3000, 20000, 200_000, 8 << 20}[(seed+1)%4]})
		feeds := make([]*feed, 5)
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for i := range feeds {
			f := &feed{node: strconv.Itoa(i), budget: b}
			feeds[i] = f
			s.attach(f)
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, uint64(i)))
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
			})
		}
		last := make(map[string]int)
		lost := make(map[string]uint64)
		got := 0
		check := func(ev *Event) {
			if ev.Gap != nil {
				lost[ev.Node] += ev.Gap.Dropped
				return
			}
			got++
			n, _ := strconv.Atoi(ev.Get("N"))
			body := ev.Get("Body")
			if uint64(n) != ev.Seq || strings.Trim(body, string(rune('a'+n%26))) != "" {
				t.Fatalf("seed %d: corrupt %d %d", seed, n, ev.Seq)
			}
			if miss := n - last[ev.Node] - 1; uint64(miss) != lost[ev.Node] {
				t.Fatalf("seed %d node %s: at %d after %d, gaps say %d", seed, ev.Node, n, last[ev.Node], lost[ev.Node])
			}
			last[ev.Node], lost[ev.Node] = n, 0
		}
		rnd := rand.New(rand.NewPCG(seed, 99))
		var held *Event
		for end := time.Now().Add(250 * time.Millisecond); time.Now().Before(end); {
			if held != nil {
				n, _ := strconv.Atoi(held.Get("N"))
				if uint64(n) != held.Seq || strings.Trim(held.Get("Body"), string(rune('a'+n%26))) != "" {
					t.Fatal("borrowed event changed")
				}
			}
			ev, ok := s.PollBorrowed()
			held = nil
			if ok {
				check(ev)
				if ev.Gap == nil {
					held = ev
				}
			}
			if rnd.IntN(500) == 0 {
				time.Sleep(time.Duration(rnd.IntN(3000)) * time.Microsecond)
				st := s.Stats()
				if sum := st.Filtered + st.Delivered + st.Dropped + st.Discarded + st.Queued; sum != st.Offered {
					t.Fatalf("ledger %+v", st)
				}
			}
		}
		close(stop)
		wg.Wait()
		for {
			ev, ok := s.PollBorrowed()
			if !ok {
				break
			}
			check(ev)
		}
		for n, l := range lost {
			if l != 0 {
				last[n] += int(l)
			}
		}
		st := s.Stats()
		if st.Delivered != uint64(got) || st.Queued != 0 || st.Offered != st.Delivered+st.Dropped {
			t.Errorf("seed %d: %+v got %d", seed, st, got)
		}
		s.Close()
		if u, r := b.used.Load(), b.rings.Load(); u != 0 || r != 0 {
			t.Errorf("seed %d: budget %d, %d rings", seed, u, r)
		}
		t.Logf("seed %d: %+v", seed, st)
	}
}
