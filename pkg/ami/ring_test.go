package ami

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// anEvent decodes an event numbered n with a payload of that many bytes.
func anEvent(t testing.TB, n, payload int) wire.Message {
	t.Helper()
	d := wire.NewSessionDecoder(wire.Limits{})
	text := fmt.Sprintf("Asterisk Call Manager/11.0.0\r\nEvent: Tick\r\nNum: %d\r\nBody: %s\r\n\r\n", n, strings.Repeat("x", payload))
	for text != "" {
		k := copy(d.Space(), text)
		d.Wrote(k)
		text = text[k:]
		for {
			m, err := d.Next()
			if err != nil {
				break
			}
			if m.Kind() == wire.Event {
				return m.Clone()
			}
		}
	}
	t.Fatal("no event came out of the decoder")
	return wire.Message{}
}

// A reference is a subscription's stream as it should be: everything that happened, in order, of which the oldest
// events may turn into drops.
type reference struct {
	items []refItem
	count int // events
	drops uint64
}

type refItem struct {
	num     int   // > 0: an event
	dropped bool  // that event was dropped
	since   int64 // != 0: a disconnect
	until   int64 // != 0: a resume
}

func (m *reference) push(num, most int) {
	for m.count >= most {
		for i := range m.items {
			if it := &m.items[i]; it.num > 0 && !it.dropped {
				it.dropped = true
				m.count--
				m.drops++
				break
			}
		}
	}
	m.items = append(m.items, refItem{num: num})
	m.count++
}

// story tells the stream up to the first n events, or all of it and the gaps behind it, as a subscriber should see it:
// whatever was lost between two events that arrive is one overflow and one disconnect.
func (m *reference) story(n int) (s []string) {
	var l loss
	tell := func() {
		if l.dropped > 0 {
			s = append(s, fmt.Sprintf("overflow %d", l.dropped))
		}
		if l.since != 0 {
			s = append(s, fmt.Sprintf("away %d-%d", l.since, l.until))
		}
		l = loss{}
	}
	for i, it := range m.items {
		switch {
		case it.dropped:
			l.dropped++
		case it.num > 0:
			if n == 0 {
				m.items = m.items[i:]
				return s
			}
			tell()
			s = append(s, fmt.Sprint(it.num))
			n--
			m.count--
			if n == 0 && m.count > 0 {
				m.items = m.items[i+1:]
				return s
			}
		default:
			if l.since == 0 {
				l.since = it.since
			}
			l.until = it.until
		}
	}
	tell()
	m.items = nil
	return s
}

func heard(evs []Event) (s []string) {
	for _, ev := range evs {
		switch {
		case ev.Gap == nil:
			s = append(s, ev.Get("Num"))
		case ev.Gap.Reason == GapOverflow:
			s = append(s, fmt.Sprintf("overflow %d", ev.Gap.Dropped))
		default:
			until := int64(0)
			if !ev.Gap.Until.IsZero() {
				until = ev.Gap.Until.UnixNano()
			}
			s = append(s, fmt.Sprintf("away %d-%d", ev.Gap.Since.UnixNano(), until))
		}
	}
	return s
}

// The ring against a model that remembers everything: under any order of pushes, pulls, disconnects and resumes each
// event is told or counted, each gap is in its place, and the books balance.
func TestRingAgainstModel(t *testing.T) {
	const most = 7
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s, err := newSubscription(SubscribeOptions{RingEvents: most, RingBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		f := &feed{node: "pbx"}
		s.attach(f)
		var model reference
		num, clock := 0, time.Now().UnixNano()+1000
		pull := func() {
			got := heard(mustDrain(s))
			want := model.story(1 << 30)
			if strings.Join(got, ", ") != strings.Join(want, ", ") {
				t.Fatalf("seed %d: got %v, want %v", seed, got, want)
			}
		}
		away := int64(0)
		for range 200 {
			switch rng.IntN(8) {
			case 0:
				pull()
			case 1:
				clock++
				if away == 0 {
					f.lost(clock)
					away = clock
					model.items = append(model.items, refItem{since: away})
				} else {
					f.resumed(clock)
					model.items = append(model.items, refItem{since: away, until: clock})
					away = 0
				}
			default:
				if away != 0 {
					continue
				}
				for range 1 + rng.IntN(10) {
					num++
					m := anEvent(t, num, rng.IntN(50))
					f.offer(&m, clock, uint64(num), 1)
					model.push(num, most)
				}
				f.flush()
			}
			st := s.Stats()
			if st.Offered != uint64(num) || st.Offered != st.Delivered+st.Dropped+st.Queued || st.Dropped != model.drops || st.Queued != uint64(model.count) {
				t.Fatalf("seed %d: stats %+v, model %d dropped, %d queued of %d", seed, st, model.drops, model.count, num)
			}
		}
		pull()
	}
}

func mustDrain(s *Subscription) (evs []Event) {
	for {
		ev, ok := s.Poll()
		if !ok {
			return evs
		}
		evs = append(evs, ev)
	}
}

// One turn of a ring is bounded in events and in bytes, and an event larger than a turn gets through after some.
func TestRingTurnsAreBounded(t *testing.T) {
	s, err := newSubscription(SubscribeOptions{RingEvents: 1 << 20, RingBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	small, large := &feed{node: "small"}, &feed{node: "large"}
	s.attach(small)
	s.attach(large)
	for i := range 20_000 {
		m := anEvent(t, i, 10)
		small.offer(&m, 1, uint64(i), 1)
	}
	for i := range 20 {
		m := anEvent(t, i, 300_000)
		large.offer(&m, 1, uint64(i), 1)
	}
	small.flush()
	large.flush()
	share := map[string]int{}
	run, longest, node := 0, 0, ""
	for range 10_000 {
		ev, ok := s.Poll()
		if !ok {
			break
		}
		share[ev.Node] += inside.Of(&ev.Message).Size()
		if ev.Node != node {
			run, node = 0, ev.Node
		}
		run += inside.Of(&ev.Message).Size()
		longest = max(longest, run)
	}
	// Both had something to say all the time. A turn is 64 KiB and up to what one event is over it.
	if longest > 400_000 {
		t.Errorf("one node held the floor for %d bytes", longest)
	}
	if share["large"] == 0 || share["small"] == 0 {
		t.Errorf("bytes by node: %v", share)
	}
}

func TestIdleRingHoldsNoMemory(t *testing.T) {
	s, err := newSubscription(SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f := &feed{node: "pbx", budget: &budget{limit: 1 << 30}}
	s.attach(f)
	for i := range 5000 {
		m := anEvent(t, i, 100)
		f.offer(&m, time.Now().UnixNano(), uint64(i), 1)
	}
	f.flush()
	mustDrain(s)
	for i := range 3 { // a quiet node: one event at a time
		m := anEvent(t, i, 100)
		f.offer(&m, time.Now().UnixNano(), uint64(i), 1)
		f.flush()
		mustDrain(s)
	}
	for _, r := range f.list() {
		held := 0
		for _, s := range append(r.segs.lent, r.segs.spare, r.segs.head, r.open) {
			if s != nil {
				held += len(s.text)
			}
		}
		if held > 2*smallSegment || r.bytes != 0 || r.credit != 0 {
			t.Errorf("an idle ring holds segments of %d bytes, %d bytes queued, credit %d", held, r.bytes, r.credit)
		}
	}
	if used := f.budget.used.Load(); used != 0 {
		t.Errorf("%d bytes of budget are taken", used)
	}
}

// A borrowed event stays as it is until the next call, however much is written, dropped and pulled meanwhile, and
// whatever segments are used again.
func TestBorrowedEventsStay(t *testing.T) {
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 4))
		s, err := newSubscription(SubscribeOptions{RingEvents: 1 + rng.IntN(600), RingBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		feeds := []*feed{{node: "a"}, {node: "b"}}
		for _, f := range feeds {
			s.attach(f)
		}
		num := 0
		push := func(n int) {
			f := feeds[rng.IntN(2)]
			for range n {
				num++
				m := anEvent(t, num, (num*37)%900)
				f.offer(&m, 1, uint64(num), 1)
				if rng.IntN(20) == 0 {
					f.flush()
				}
			}
			f.flush()
		}
		last := map[string]uint64{}
		for range 100 {
			push(rng.IntN(40))
			ev, ok := s.PollBorrowed()
			if !ok || ev.Gap != nil {
				continue
			}
			seq, node := ev.Seq, ev.Node
			if seq <= last[node] {
				t.Fatalf("seed %d: %s: event %d behind %d", seed, node, seq, last[node])
			}
			last[node] = seq
			own := ev.Clone()
			if rng.IntN(20) == 0 {
				push(700)
			}
			for _, e := range []*Event{ev, &own} {
				if e.Get("Num") != fmt.Sprint(seq) || len(e.Get("Body")) != int(seq*37)%900 || e.Name() != "Tick" || e.Len() != 3 {
					t.Fatalf("seed %d: event %d turned into %q", seed, seq, e.Text())
				}
			}
		}
		if st := s.Stats(); st.Offered != uint64(num) || st.Offered != st.Delivered+st.Dropped+st.Queued {
			t.Fatalf("seed %d: stats %+v of %d", seed, st, num)
		}
	}
}

// What a flood fills is used again by the next one, whichever node it comes from, up to the pool's size.
func TestSegmentsAreUsedAgain(t *testing.T) {
	s, err := newSubscription(SubscribeOptions{RingEvents: 1 << 20, RingBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	feeds := []*feed{{node: "a"}, {node: "b"}}
	for _, f := range feeds {
		s.attach(f)
	}
	m := anEvent(t, 1, 700)
	burst := func(f *feed, n int) {
		for i := range n {
			f.offer(&m, 1, uint64(i), 1)
		}
		f.flush()
		for _, ok := s.PollBorrowed(); ok; _, ok = s.PollBorrowed() {
		}
	}
	burst(feeds[0], 3000)
	grown := testing.AllocsPerRun(20, func() { burst(feeds[1], 3000) })
	if grown > 60 { // of some 85 segments with two objects and more each
		t.Errorf("a second burst allocates %.0f objects", grown)
	}
	burst(feeds[0], 50_000)
	if n := len(s.pool.free); n > poolSize {
		t.Errorf("%d segments are kept", n)
	}
}

// An event that can never fit costs nothing but itself.
func TestEventThatNeverFitsDropsItselfAlone(t *testing.T) {
	s, _ := newSubscription(SubscribeOptions{RingBytes: 64 << 10})
	f := &feed{node: "n"}
	s.attach(f)
	for i := range 100 {
		ev := anEvent(t, i, 50)
		f.offer(&ev, 1, uint64(i), 1)
	}
	big := anEvent(t, 100, 70_000)
	f.offer(&big, 1, 100, 1)
	f.flush()
	if st := s.Stats(); st.Queued != 100 || st.Dropped != 1 {
		t.Errorf("%d of 100 are left, %d dropped", st.Queued, st.Dropped)
	}
}

func TestJoinWhileASessionIsLost(t *testing.T) {
	s, _ := newSubscription(SubscribeOptions{})
	f := &feed{node: "n"}
	at := time.Now().UnixNano() // the reader took the time of the loss, and flushes
	s.attach(f)                 // Subscribe meanwhile
	f.lost(at)                  // the reader goes on
	f.resumed(time.Now().UnixNano())
	var closed bool
	for ev, ok := s.Poll(); ok; ev, ok = s.Poll() {
		t.Logf("gap %+v", *ev.Gap)
		closed = !ev.Gap.Until.IsZero()
	}
	if !closed {
		t.Error("the subscription was told that the node is away, and never that it is back")
	}
}
