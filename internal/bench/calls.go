package bench

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A callBook follows the calls that a run makes, so that it can bound how many there are and leave none behind.
type callBook struct {
	run      *run
	channels atomic.Uint64 // on the servers as last sampled, theirs and ours
	most     int           // open at one time
	stop     chan struct{}
	done     chan struct{}

	mu     sync.Mutex // guards the rest
	open   map[uint64]*openCall
	lanes  map[int]*laneCalls
	hangup *Histogram
	c      Calls
	own    Ended // actions that were no load: counting channels, hanging up
}

// An openCall is a call whose end has not come.
type openCall struct {
	number   uint64
	lane     int
	intended time.Duration
	followed *ami.FollowedCall
	unsure   bool // events are missing since it began, so that the end of its channel may not be its own
}

// laneCalls are the open calls of one lane, by its own events.
type laneCalls struct {
	follower ami.CallFollower
	calls    map[*ami.FollowedCall]*openCall
}

func newCallBook(r *run) *callBook {
	b := &callBook{
		run: r, most: int(r.Part.quota(uint64(max(0, r.Config.MaxCalls)))), open: map[uint64]*openCall{}, lanes: map[int]*laneCalls{}, hangup: NewHistogram(),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go b.sample()
	return b
}

// room reports whether one more call is below the ceiling.
func (b *callBook) room() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.open) < b.most
}

// begin books a call that is about to be asked for, and follows it from now on.
func (b *callBook) begin(lane int, number uint64, intended time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lanes[lane]
	if l == nil {
		l = &laneCalls{calls: map[*ami.FollowedCall]*openCall{}}
		b.lanes[lane] = l
	}
	c := &openCall{number: number, lane: lane, intended: intended, followed: l.follower.Follow(b.run.channelID(number))}
	l.calls[c.followed] = c
	b.open[number] = c
	b.c.Originated++
	b.c.Peak = max(b.c.Peak, uint64(len(b.open)))
}

// close takes a call out of the book. Called under mu.
func (b *callBook) close(number uint64) {
	c := b.open[number]
	if c == nil {
		return
	}
	l := b.lanes[c.lane]
	l.follower.Forget(c.followed)
	delete(l.calls, c.followed)
	delete(b.open, number)
}

// refused takes a call back that the engine did not send.
func (b *callBook) refused(number uint64) {
	b.mu.Lock()
	b.close(number)
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
		b.close(number)
	default:
		b.c.Failed++
	}
}

// event books what an event of a lane tells of its calls. A call ends with the hangup of the channel that it is on by
// then: a Local channel may be optimised away, and the call be picked up or transferred.
func (b *callBook) event(lane int, m *wire.Message, at time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lanes[lane]
	if l == nil {
		return
	}
	f := l.follower.Event(m)
	if f == nil || !f.Ended {
		return
	}
	c := l.calls[f]
	b.close(c.number)
	if c.unsure {
		return
	}
	b.c.HungUp++
	if c.intended >= b.run.warm {
		b.hangup.Record(micros(at - c.intended))
	}
}

// gap books that events of a lane are missing. Where its calls went meanwhile is not known, nor, from then on, when they end.
func (b *callBook) gap(lane int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.lanes[lane]; l != nil {
		for _, c := range l.calls {
			c.unsure = true
		}
	}
}

// Times of the calls workload.
const (
	sampleChannels = time.Second
	hangupWithin   = 10 * time.Second
	hangupTimeout  = 2 * time.Second // abandonHangup where the run is abandoned
)

// noSuchChannel is how a server refuses to hang up what it does not have (action_hangup in manager.c). One that refuses
// for another reason leaves the call where it is.
const noSuchChannel = "No such channel"

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
	end, stop := context.WithCancel(context.Background())
	go func() { <-b.stop; stop() }()
	for {
		ctx, cancel := context.WithTimeout(end, sampleChannels)
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
	if b.run.Part.gone() {
		limit = time.Now().Add(abandonHangup)
	}
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
	gone := b.run.Part.gone()
	for time.Now().Before(limit) {
		b.mu.Lock()
		n := len(b.open)
		b.mu.Unlock()
		if n == 0 || !gone && b.run.Part.gone() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// hangUpAll asks for the end of every open call, a bounded number at a time, and returns how many there were. What is
// hung up is the channel that the call is on now. The server finds a channel by its unique id as it does by name
// (ast_channel_get_by_name in channel.c).
func (b *callBook) hangUpAll() int {
	b.mu.Lock()
	numbers := slices.Collect(maps.Keys(b.open))
	b.mu.Unlock()
	timeout := hangupTimeout
	if b.run.Part.gone() {
		timeout = abandonHangup
	}
	batch := b.run.Engine.NewBatch()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	asked := map[uint64]string{}
	for _, n := range numbers {
		lane, channel, ok := b.present(n)
		if !ok {
			continue
		}
		a := action{Name: "Hangup", Timeout: timeout, Fields: []field{{Name: "Channel", Value: channel}}}
		if b.run.Engine.Submit(lane, &a, batch, flight{number: n}) {
			asked[n] = channel
		} else {
			b.book(endRejected)
		}
	}
	for range asked {
		e, err := batch.Wait(ctx)
		if err != nil {
			// Their timeout is as long as ours; wait for the ends that are due any moment.
			if e, err = batch.Wait(context.Background()); err != nil {
				break
			}
		}
		b.book(e.Kind)
		if e.Kind == endError && e.Refusal == noSuchChannel {
			b.gone(e.Flight.number, asked[e.Flight.number])
		}
	}
	return len(numbers)
}

// present returns the channel that an open call is on.
func (b *callBook) present(number uint64) (lane int, channel string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.open[number]
	if c == nil {
		return 0, "", false
	}
	return c.lane, c.followed.Channel, true
}

// gone books a call whose channel the server does not have, and whose end was not seen, unless the call was on another
// channel by the time the server looked.
func (b *callBook) gone(number uint64, channel string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.open[number]; c != nil && c.followed.Channel == channel {
		b.close(number)
	}
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
