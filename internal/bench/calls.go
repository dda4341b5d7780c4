package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A callBook follows the calls that a run makes, so that it can bound how many there are and leave none behind.
type callBook struct {
	run      *run
	channels atomic.Uint64 // on the servers as last sampled, theirs and ours
	stop     chan struct{}
	done     chan struct{}

	mu     sync.Mutex // guards the rest
	open   map[uint64]*openCall
	hangup *Histogram
	c      Calls
	own    Ended // actions that were no load: counting channels, hanging up
}

// An openCall is a call whose Hangup has not come.
type openCall struct {
	lane     int
	intended time.Duration
}

func newCallBook(r *run) *callBook {
	b := &callBook{
		run: r, open: map[uint64]*openCall{}, hangup: NewHistogram(),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go b.sample()
	return b
}

// room reports whether one more call is below the ceiling.
func (b *callBook) room() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open) < b.run.Config.MaxCalls
}

// begin books a call that is about to be asked for.
func (b *callBook) begin(lane int, number uint64, intended time.Duration) {
	b.mu.Lock()
	b.open[number] = &openCall{lane: lane, intended: intended}
	b.c.Originated++
	b.c.Peak = max(b.c.Peak, uint64(len(b.open)))
	b.mu.Unlock()
}

// refused takes a call back that the engine did not send.
func (b *callBook) refused(number uint64) {
	b.mu.Lock()
	delete(b.open, number)
	b.c.Originated--
	b.mu.Unlock()
}

// answered books the end of the call's Originate. A call that was refused, or that nobody took, has no channel; of one
// that timed out nobody knows.
func (b *callBook) answered(number uint64, kind endKind, outcome ami.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case outcome == ami.OutcomeAnswered:
		b.c.Answered++
	case outcome != ami.OutcomeUnknown, kind == endError, kind == endUnsent:
		b.c.Failed++
		delete(b.open, number)
	default:
		b.c.Failed++
	}
}

// hungUp books a Hangup event.
func (b *callBook) hungUp(id string, at time.Duration) {
	n, ok := b.run.ours(id)
	if !ok {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	call := b.open[n]
	if call == nil {
		return
	}
	delete(b.open, n)
	b.c.HungUp++
	if call.intended >= b.run.warm {
		b.hangup.Record(micros(at - call.intended))
	}
}

// Times of the calls workload.
const (
	sampleChannels = time.Second
	hangupWithin   = 10 * time.Second
	hangupTimeout  = 2 * time.Second
)

// A counter is an engine that can say how many channels its servers have.
type counter interface {
	// Channels asks each ready node once and returns the sum, and how those actions of its own ended.
	Channels(ctx context.Context) (uint64, Ended)
}

// sample asks the servers for their channels from time to time.
func (b *callBook) sample() {
	defer close(b.done)
	counter, ok := b.run.Engine.(counter)
	if !ok {
		<-b.stop
		return
	}
	tick := time.NewTicker(sampleChannels)
	defer tick.Stop()
	for {
		ctx, cancel := context.WithTimeout(context.Background(), sampleChannels)
		n, done := counter.Channels(ctx)
		cancel()
		b.channels.Store(n)
		b.mu.Lock()
		b.c.Channels = max(b.c.Channels, n)
		b.own.Add(done)
		b.mu.Unlock()
		select {
		case <-tick.C:
		case <-b.stop:
			return
		}
	}
}

// end waits for calls to end by themselves while they may, hangs up the others, and counts what is left.
func (b *callBook) end() {
	close(b.stop)
	<-b.done
	limit := time.Now().Add(hangupWithin)
	if !b.run.giveUp.Load() {
		b.await(time.Now().Add(min(hangupWithin/2, time.Duration(b.run.Config.Hold)+time.Second)))
	}
	for tries := 0; tries < 3 && time.Now().Before(limit); tries++ {
		if b.hangUpAll() == 0 {
			break
		}
		b.await(minTime(limit, time.Now().Add(hangupTimeout)))
	}
	b.mu.Lock()
	b.c.Left = uint64(len(b.open))
	b.mu.Unlock()
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// await waits until no call is open, at most until limit.
func (b *callBook) await(limit time.Time) {
	for time.Now().Before(limit) {
		b.mu.Lock()
		n := len(b.open)
		b.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// hangUpAll asks for the end of every open call, a bounded number at a time, and returns how many there were. The
// server finds a channel by its unique id as it does by name (ast_channel_get_by_name in channel.c). A channel that
// the server does not know has ended.
func (b *callBook) hangUpAll() int {
	b.mu.Lock()
	numbers := make([]uint64, 0, len(b.open))
	for n := range b.open {
		numbers = append(numbers, n)
	}
	b.mu.Unlock()
	batch := b.run.Engine.NewBatch()
	ctx, cancel := context.WithTimeout(context.Background(), hangupTimeout)
	defer cancel()
	flying := 0
	for _, n := range numbers {
		b.mu.Lock()
		call := b.open[n]
		b.mu.Unlock()
		if call == nil {
			continue
		}
		a := action{Name: "Hangup", Timeout: hangupTimeout, Fields: []field{{Name: "Channel", Value: b.run.channelID(n)}}}
		if b.run.Engine.Submit(call.lane, &a, batch, flight{number: n}) {
			flying++
		} else {
			b.book(endRejected)
		}
	}
	for ; flying > 0; flying-- {
		e, err := batch.Wait(ctx)
		if err != nil {
			// Their timeout is as long as ours; wait for the ends that are due any moment.
			if e, err = batch.Wait(context.Background()); err != nil {
				break
			}
		}
		b.book(e.Kind)
		if e.Kind == endError {
			b.gone(e.Flight.number)
		}
	}
	return len(numbers)
}

// gone books a call whose channel the server no longer has, and whose Hangup was not seen.
func (b *callBook) gone(number uint64) {
	b.mu.Lock()
	delete(b.open, number)
	b.mu.Unlock()
}

// book books an action that was no load.
func (b *callBook) book(kind endKind) {
	b.mu.Lock()
	b.own.add(kind)
	b.mu.Unlock()
}

func (b *callBook) result() (*Calls, *Histogram) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.c
	s := b.hangup.Summary()
	c.HangupP50, c.HangupP99, c.HangupMax = s.P50, s.P99, s.Max
	return &c, b.hangup
}
