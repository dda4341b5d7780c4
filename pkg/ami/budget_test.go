package ami

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// A pool is some nodes' feeds to one subscription, under one budget.
type pool struct {
	t      testing.TB
	budget budget
	sub    *Subscription
	feeds  []*feed
	num    int
}

func newPool(t testing.TB, nodes int, limit int64) *pool {
	t.Helper()
	s, err := newSubscription(SubscribeOptions{RingEvents: 1 << 20, RingBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	p := &pool{t: t, budget: budget{limit: limit}, sub: s}
	for i := range nodes {
		f := &feed{node: fmt.Sprint("n", i), budget: &p.budget}
		p.feeds = append(p.feeds, f)
		s.attach(f)
	}
	return p
}

func (p *pool) push(node, events, payload int) {
	for range events {
		p.num++
		m := anEvent(p.t, p.num, payload)
		p.feeds[node].offer(&m, 1, uint64(p.num), 1)
	}
	p.feeds[node].flush()
}

func (p *pool) stats(node int) SubscriptionStats { return p.feeds[node].list()[0].stats() }

// check holds what always holds: the total is under the cap, credit is what the rings say they hold, and no ring holds
// more than its credit.
func (p *pool) check() {
	p.t.Helper()
	var credit, bytes int64
	rings := int64(0)
	for _, f := range p.feeds {
		for _, r := range f.list() {
			credit += r.credit
			bytes += int64(r.bytes)
			if r.credit > 0 {
				rings++
			}
			if int64(r.bytes) > r.credit {
				p.t.Fatalf("%s holds %d bytes on %d of credit", r.node, r.bytes, r.credit)
			}
		}
	}
	if used := p.budget.used.Load(); used != credit || used > p.budget.limit || used < 0 {
		p.t.Fatalf("%d bytes are booked of %d, the rings have %d", used, p.budget.limit, credit)
	}
	if got := p.budget.rings.Load(); got != rings {
		p.t.Fatalf("%d rings are booked, %d hold credit", got, rings)
	}
}

// When all use as much, all get a share.
func TestBudgetIsShared(t *testing.T) {
	const nodes, limit = 16, 16 << 20
	p := newPool(t, nodes, limit)
	for range 100 {
		for n := range nodes {
			p.push(n, 20, 2000)
		}
		p.check()
	}
	for n := range nodes {
		if st := p.stats(n); st.QueuedBytes < limit/nodes/2 {
			t.Errorf("node %d holds %d bytes of a fair share of %d", n, st.QueuedBytes, limit/nodes)
		}
	}
	mustDrain(p.sub)
	p.check()
	if used := p.budget.used.Load(); used != 0 {
		t.Errorf("%d bytes are taken though nothing is queued", used)
	}
}

// More rings than the budget has chunks: the cap holds, every event is delivered or counted.
func TestBudgetSmallerThanItsRings(t *testing.T) {
	p := newPool(t, 100, 1<<20)
	for range 20 {
		for n := range 100 {
			p.push(n, 3, 500)
		}
		p.check()
	}
	delivered, gone := uint64(0), uint64(0)
	for _, ev := range mustDrain(p.sub) {
		if ev.Gap != nil {
			gone += ev.Gap.Dropped
		} else {
			delivered++
		}
	}
	st := p.sub.Stats()
	if delivered+gone != 6000 || st.Delivered != delivered || st.Dropped != gone || delivered == 0 {
		t.Errorf("%d delivered, %d in gaps, of 6,000; stats %+v", delivered, gone, st)
	}
	p.check()
}

func TestBudgetAtRandom(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 2))
		nodes := 1 + rng.IntN(12)
		p := newPool(t, nodes, int64(1+rng.IntN(64))*creditChunk)
		for range 100 {
			switch n := rng.IntN(nodes); rng.IntN(4) {
			case 0:
				for range rng.IntN(200) {
					p.sub.Poll()
				}
			default:
				p.push(n, rng.IntN(30), rng.IntN(20_000)/(1+rng.IntN(100)))
			}
			p.check()
			if st := p.sub.Stats(); st.Offered != st.Delivered+st.Dropped+st.Queued || st.Offered != uint64(p.num) {
				t.Fatalf("seed %d: %+v of %d", seed, st, p.num)
			}
		}
		p.sub.Close()
		p.check()
		if used := p.budget.used.Load(); used != 0 {
			t.Fatalf("seed %d: %d bytes are taken after Close", seed, used)
		}
	}
}

// Readers of many nodes and one consumer at once: the books are exact in the end.
func TestBudgetInParallel(t *testing.T) {
	p := newPool(t, 8, 1<<20)
	msg := anEvent(t, 1, 900)
	var readers, consumer sync.WaitGroup
	stop := make(chan struct{})
	consumer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				p.sub.Poll()
			}
		}
	})
	for _, f := range p.feeds {
		readers.Go(func() {
			for i := range 5000 {
				f.offer(&msg, 1, uint64(i), 1)
				if i%17 == 0 {
					f.flush()
				}
			}
			f.flush()
		})
	}
	readers.Wait()
	close(stop)
	consumer.Wait()
	p.check()
	mustDrain(p.sub)
	p.check()
	if st := p.sub.Stats(); st.Offered != 8*5000 || st.Offered != st.Delivered+st.Dropped || p.budget.used.Load() != 0 {
		t.Errorf("stats %+v, %d bytes taken", st, p.budget.used.Load())
	}
}

// The node that uses most gives first: it alone, and as long as it speaks the small ones find room.
func TestBudgetTheGreatestGivesFirst(t *testing.T) {
	p := newPool(t, 10, 8<<20)
	p.push(0, 9000, 2000) // far over the whole budget
	p.check()
	hog := p.stats(0)
	if hog.Dropped == 0 || hog.QueuedBytes < 4<<20 {
		t.Fatalf("the hog: %+v", hog)
	}
	for round := range 40 {
		for n := 1; n < 10; n++ {
			p.push(n, 5, 1000)
		}
		p.push(0, 100, 2000)
		p.check()
		for n := 1; n < 10; n++ {
			if st := p.stats(n); st.Dropped != 0 {
				t.Fatalf("round %d: node %d, which holds %d bytes, lost %d events; the hog holds %d", round, n, st.QueuedBytes, st.Dropped, p.stats(0).QueuedBytes)
			}
		}
	}
	if st := p.stats(0); st.QueuedBytes >= hog.QueuedBytes {
		t.Errorf("the hog held %d bytes and holds %d", hog.QueuedBytes, st.QueuedBytes)
	}
}

func TestRefusedEventsTakeNoMemory(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    SubscribeOptions
		b    *budget
	}{
		{"an event larger than RingBytes", SubscribeOptions{RingBytes: 100}, nil},
		{"a budget below a chunk", SubscribeOptions{}, &budget{limit: 1000}},
		{"a budget that others use up", SubscribeOptions{}, func() *budget {
			b := &budget{limit: 1 << 20}
			for b.take(0) { // 16 rings at least, each a chunk
			}
			return b
		}()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newSubscription(tt.o)
			if err != nil {
				t.Fatal(err)
			}
			f := &feed{node: "n", budget: tt.b}
			s.attach(f)
			ev := anEvent(t, 1, 200)
			for i := range 100_000 {
				f.offer(&ev, int64(i), uint64(i), 1)
				f.flush()
			}
			r := f.list()[0]
			bytes, segs := heldBytes(r)
			st := s.Stats()
			t.Logf("queued %d events, %d bytes; peak %d; dropped %d; but the ring's segments: %d of %d bytes", st.Queued, st.QueuedBytes, st.PeakBytes, st.Dropped, segs, bytes)
			if bytes > 1<<20 {
				t.Errorf("a ring with nothing queued holds %d bytes", bytes)
			}
		})
	}
}

// heldBytes is what a ring's segments hold.
func heldBytes(r *ring) (bytes, segs int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := r.segs.head; s != nil; s = s.next {
		bytes += len(s.text)
		segs++
	}
	return bytes, segs
}

// With more rings than the budget has chunks, and consumers that stand still.
func TestBudgetOfMoreRingsThanChunks(t *testing.T) {
	const limit = 1 << 20
	p := newPool(t, 100, limit)
	ev := anEvent(t, 1, 500)
	for i := range 300_000 {
		f := p.feeds[i%100]
		f.offer(&ev, 1, uint64(i), 1)
		f.flush()
	}
	p.check()
	held := 0
	for _, f := range p.feeds {
		b, _ := heldBytes(f.list()[0])
		held += b
	}
	t.Logf("budget %d, used %d; the rings' segments hold %d", limit, p.budget.used.Load(), held)
	if held > 4*limit {
		t.Errorf("the rings hold %d bytes under a budget of %d", held, limit)
	}
}
