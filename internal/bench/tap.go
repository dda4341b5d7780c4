package bench

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Headers of the numbered events.
const (
	headerSeq  = "Seq"  // counts each simulated node's numbered events from 1
	headerSent = "Sent" // when it was emitted: nanoseconds since 1970
)

// numberedEvent is the name of the UserEvents that a simulator sends for a run.
const numberedEvent = "AmictlNumber"

// A tap is the run's consumer of events. It takes all nodes' events from one stream, at the run's pace, and looks for
// what is missing, late or out of order.
type tap struct {
	run    *run
	stream stream
	cancel context.CancelFunc
	done   chan struct{}
	count  atomic.Uint64

	mu      sync.Mutex // guards the rest
	nodes   []tapLane  // by lane
	latency *Histogram
	events  Events
	last    uint64        // count at the last interval
	over    time.Duration // when the servers stopped sending; 0: not yet
	away    time.Duration // in which the consumer was held up by the machine
	ended   bool
}

// tapLane is what the tap knows of a lane.
type tapLane struct {
	started   bool // a numbered event came
	seq       uint64
	last      time.Duration // when the latest numbered event came
	longest   time.Duration // longest time without one, beyond their period
	delivered uint64
	dropped   uint64
	gaps      uint64
	explained uint64 // events that marks since the last number account for
	blank     bool   // a session was lost since the last number
}

func newTap(r *run, s stream) *tap {
	return &tap{run: r, stream: s, done: make(chan struct{}), nodes: make([]tapLane, len(r.lanes)), latency: NewHistogram()}
}

func (t *tap) start() {
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	go t.consume(ctx)
}

func (t *tap) consume(ctx context.Context) {
	defer close(t.done)
	pace := newPacer(t.run.Config.EventPace, time.Now())
	for {
		d, err := t.stream.Next(ctx)
		if err != nil {
			return
		}
		now := time.Now()
		t.mu.Lock()
		t.take(&d, now)
		t.mu.Unlock()
		if d.Message == nil {
			continue
		}
		if s := pace.sleep(now); s > 0 {
			time.Sleep(s)
			t.overslept(time.Since(now) - s)
		}
	}
}

// take books a delivery.
func (t *tap) take(d *delivery, now time.Time) {
	if t.ended {
		return
	}
	l := &t.nodes[d.Lane]
	measured := now.Sub(t.run.epoch) >= t.run.warm
	if d.Message == nil {
		l.explained += d.Dropped
		l.blank = l.blank || d.Lost
		if t.run.calls != nil {
			t.run.calls.gap(d.Lane)
		}
		if !measured {
			return
		}
		l.dropped += d.Dropped
		t.events.Dropped += d.Dropped
		if d.Lost {
			l.gaps++
			t.events.Gaps++
		}
		return
	}
	t.count.Add(1)
	if measured {
		t.events.Delivered++
		l.delivered++
	}
	if t.run.calls != nil {
		t.run.calls.event(d.Lane, d.Message, now.Sub(t.run.epoch))
	}
	if d.Message.Name() == "UserEvent" {
		t.userEvent(l, d.Message, now)
	}
}

func (t *tap) userEvent(l *tapLane, m *wire.Message, now time.Time) {
	switch m.Get("UserEvent") {
	case numberedEvent:
		t.number(l, m, now)
	case userEvent:
		if m.Get("Run") != t.run.ID {
			return
		}
		if at, err := strconv.ParseInt(m.Get("T"), 10, 64); err == nil && time.Duration(at) >= t.run.warm {
			t.latency.Record(micros(now.Sub(t.run.epoch) - time.Duration(at)))
		}
	}
}

// number books a numbered event: its number must follow the last one, but for what marks account for.
func (t *tap) number(l *tapLane, m *wire.Message, now time.Time) {
	seq, err := strconv.ParseUint(m.Get(headerSeq), 10, 64)
	if err != nil {
		return
	}
	if sent, err := strconv.ParseInt(m.Get(headerSent), 10, 64); err == nil {
		if took := time.Duration(now.UnixNano() - sent); now.Sub(t.run.epoch)-took >= t.run.warm {
			t.latency.Record(micros(took))
		}
	}
	at := now.Sub(t.run.epoch) - t.away
	if l.started {
		switch skipped := seq - l.seq - 1; {
		case seq <= l.seq:
			t.events.Disorder++
		case skipped > l.explained && !l.blank:
			t.events.Missing += skipped - l.explained
		}
	}
	t.starved(l, at)
	l.started, l.seq, l.last, l.explained, l.blank = true, seq, at, 0, false
}

// starved keeps the longest time without a numbered event, from the start of the run on. Their period is not
// starvation. at is an offset from the start without the time in which the consumer was held up.
func (t *tap) starved(l *tapLane, at time.Duration) {
	if t.run.Config.EventRate <= 0 {
		return
	}
	period := time.Duration(float64(time.Second) / t.run.Config.EventRate)
	if gap := at - max(l.last, t.run.warm) - period; at >= t.run.warm && gap > l.longest {
		l.longest = gap
	}
}

// overslept books time in which the consumer would have asked for events but was not woken. It is the machine's doing,
// so it starves nobody.
func (t *tap) overslept(d time.Duration) {
	if d <= 0 {
		return
	}
	t.mu.Lock()
	t.away += d
	t.events.HeldUp = max(t.events.HeldUp, d.Microseconds())
	t.mu.Unlock()
}

// interval returns how many events came since the last call, and how many are queued.
func (t *tap) interval() (events, queued uint64) {
	n := t.count.Load()
	events = n - t.last
	t.last = n
	return events, t.stream.Stats().Queued
}

// tapSettle is how long the end waits for events that are on their way.
const tapSettle = 2 * time.Second

// end lets the consumer take what is queued, within tapSettle, and stops it. Numbered events were sent until over.
func (t *tap) end(over time.Duration) {
	t.mu.Lock()
	t.over = over
	for i := range t.nodes {
		t.starved(&t.nodes[i], over-t.away)
	}
	t.mu.Unlock()
	limit := time.Now().Add(tapSettle)
	for time.Now().Before(limit) && !t.run.Part.gone() {
		before := t.count.Load()
		time.Sleep(20 * time.Millisecond)
		if t.stream.Stats().Queued == 0 && t.count.Load() == before {
			break
		}
	}
	t.cancel()
	<-t.done
	t.mu.Lock()
	t.ended = true
	t.mu.Unlock()
}

// result sums up; elapsed is the offset that the run has got to.
func (t *tap) result(elapsed time.Duration) *Events {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.events
	if t.over > 0 {
		elapsed = min(elapsed, t.over)
	}
	if elapsed -= t.run.warm; elapsed > 0 {
		e.Rate = float64(e.Delivered) / elapsed.Seconds()
	}
	e.Latency(t.latency.Summary())
	return &e
}
