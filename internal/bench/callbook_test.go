package bench

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// bookOf returns the book of a run that has begun one call, number 1 on lane 0, and its tap.
func bookOf(e engine) (*callBook, *tap) {
	r := &run{ID: "test", Engine: e}
	r.calls = &callBook{run: r, open: map[uint64]*openCall{}, lanes: map[int]*laneCalls{}, hangup: NewHistogram()}
	r.calls.begin(0, 1, 0)
	return r.calls, &tap{run: r, nodes: make([]tapLane, 2), latency: NewHistogram()}
}

// How a call is booked, and whether its end is still waited for.
func TestCallBook(t *testing.T) {
	for name, tt := range map[string]struct {
		kind     endKind
		outcome  ami.Outcome
		answered uint64
		open     bool
	}{
		"answered":               {endReply, ami.OutcomeAnswered, 1, true},
		"busy":                   {endError, ami.OutcomeBusy, 0, false},
		"nobody took it":         {endError, ami.OutcomeNoAnswer, 0, false},
		"refused":                {endError, ami.OutcomeUnknown, 0, false},
		"never sent":             {endUnsent, ami.OutcomeUnknown, 0, false},
		"no answer in time":      {endTimeout, ami.OutcomeUnknown, 0, true},
		"the connection is lost": {endMaybe, ami.OutcomeUnknown, 0, true},
		"taken, and no more":     {endReply, ami.OutcomeUnknown, 0, true},
	} {
		b, _ := bookOf(nil)
		b.answered(1, tt.kind, tt.outcome)
		if b.c.Answered != tt.answered || b.c.Answered+b.c.Failed != 1 || (len(b.open) == 1) != tt.open {
			t.Errorf("%s: %+v, %d open", name, b.c, len(b.open))
		}
	}
}

// A hangupEngine takes Hangups and answers each as it is told, after what happens meanwhile.
type hangupEngine struct {
	engine
	answer    ending
	meanwhile func()
	asked     []string // channels
	ends      []ending
}

func (e *hangupEngine) NewBatch() batch { return e }

func (e *hangupEngine) Submit(_ int, a *action, _ batch, f flight) bool {
	e.asked = append(e.asked, a.Fields[0].Value)
	end := e.answer
	end.Flight = f
	e.ends = append(e.ends, end)
	return true
}

func (e *hangupEngine) Poll() (ending, bool) { return ending{}, false }

func (e *hangupEngine) Wait(context.Context) (ending, error) {
	if len(e.ends) == 0 {
		return ending{}, errors.New("nothing is in flight")
	}
	if e.meanwhile != nil {
		e.meanwhile()
	}
	end := e.ends[0]
	e.ends = e.ends[1:]
	return end, nil
}

// A deafEngine is one whose servers answer nothing.
type deafEngine struct{ hangupEngine }

func (e *deafEngine) NewBatch() batch { return e }

func (e *deafEngine) Submit(_ int, a *action, _ batch, f flight) bool {
	e.answer = ending{Kind: endTimeout}
	e.meanwhile = func() { time.Sleep(a.Timeout) }
	return e.hangupEngine.Submit(0, a, e, f)
}

func (e *deafEngine) Channels(ctx context.Context) (uint64, Ended) {
	<-ctx.Done()
	return 0, Ended{Cancelled: 1}
}

// The calls of a part that was abandoned are asked to end, and nobody waits long for servers that cannot be reached: it took
// seconds.
func TestAnAbandonedPartDoesNotWaitForHangups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		abandon := make(chan struct{})
		e := &deafEngine{}
		b, _ := bookOf(e)
		b.run.Part = &Part{Abandon: abandon}
		b.run.giveUp.Store(true)
		b.stop, b.done = make(chan struct{}), make(chan struct{})
		go b.sample()
		time.Sleep(10 * time.Millisecond)
		close(abandon)
		start := time.Now()
		b.end()
		if took := time.Since(start); took > abandonHangup || len(e.asked) == 0 || b.c.Left != 1 {
			t.Errorf("it took %s, %d hangups were asked for, %d calls are left", took, len(e.asked), b.c.Left)
		}
	})
}

// captured returns what a real server sent of a call that another channel took over, as if the run had made it.
func captured(t *testing.T, name string) []wire.Message {
	t.Helper()
	data, err := os.ReadFile("../../testdata/captures/" + name + ".raw")
	if err != nil {
		t.Fatal(err)
	}
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(strings.ReplaceAll(string(data), "followed-", "amictl-test-")))
	var all []wire.Message
	for {
		m, err := d.Next()
		if err != nil {
			return all
		}
		if m.Kind() == wire.Event {
			all = append(all, m.Clone())
		}
	}
}

// A call is not over with the channel that it began on, and what is hung up is the channel that it is on.
func TestCallsAreFollowedToTheirEnd(t *testing.T) {
	for _, name := range []string{
		"asterisk22-originate-optimised", "asterisk16-originate-optimised",
		"asterisk22-originate-picked-up", "asterisk16-originate-picked-up",
		"asterisk22-originate-transferred", "asterisk16-originate-transferred",
	} {
		t.Run(name, func(t *testing.T) {
			e := &hangupEngine{}
			b, tap := bookOf(e)
			first := b.run.channelID(1)
			events := captured(t, name)
			ownEnd := false
			for i := range events {
				m := &events[i]
				tap.take(&delivery{Lane: 1, Message: m}, b.run.epoch) // of another server: none of ours
				tap.take(&delivery{Lane: 0, Message: m}, b.run.epoch)
				if ownEnd || m.Name() != "Hangup" || m.Get("Uniqueid") != first {
					continue
				}
				ownEnd = true
				if b.c.HungUp != 0 || len(b.open) != 1 {
					t.Fatalf("over with its first channel: %+v", b.c)
				}
				if b.hangUpAll(); e.asked[0] == first || b.open[1] == nil {
					t.Errorf("asked to hang up %q", e.asked)
				}
			}
			if !ownEnd {
				t.Fatal("the capture has no end of the first channel")
			}
			if diff := cmp.Diff(Calls{Originated: 1, Peak: 1, HungUp: 1}, b.c); diff != "" || len(b.open) != 0 {
				t.Errorf("at the end (-want +got):\n%s%d open", diff, len(b.open))
			}
		})
	}
}

// event makes an event from its name and headers.
func event(t *testing.T, headers ...string) *wire.Message {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte("Event: " + strings.Join(headers, "\r\n") + "\r\n\r\n"))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	m = m.Clone()
	return &m
}

// After a gap nobody knows where a call went: the hangup of its channel frees its place but is no measured end.
func TestAGapLeavesCallsUnknown(t *testing.T) {
	for _, tt := range []struct {
		name   string
		gap    delivery
		hungUp uint64
	}{
		{"dropped events", delivery{Dropped: 3}, 0},
		{"a lost session", delivery{Lost: true}, 0},
		{"of another lane", delivery{Lane: 1, Lost: true}, 1},
	} {
		b, tap := bookOf(nil)
		tap.take(&tt.gap, b.run.epoch)
		tap.take(&delivery{Message: event(t, "Hangup", "Uniqueid: amictl-test-1", "Cause: 16")}, b.run.epoch)
		if b.c.HungUp != tt.hungUp || uint64(b.hangup.Count()) != tt.hungUp || len(b.open) != 0 {
			t.Errorf("%s: %+v, %d open", tt.name, b.c, len(b.open))
		}
	}
}

// What a refused Hangup says about the call.
func TestRefusedHangups(t *testing.T) {
	for _, tt := range []struct {
		name      string
		answer    ending
		meanwhile *wire.Message
		left      int
	}{
		{"the server has no such channel", ending{Kind: endError, Refusal: "No such channel"}, nil, 0},
		{"the user may not hang up", ending{Kind: endError, Refusal: "Permission denied"}, nil, 1},
		{
			"the call went on to another channel just then",
			ending{Kind: endError, Refusal: "No such channel"},
			event(t, "LocalOptimizationBegin", "LocalOneUniqueid: amictl-test-1", "LocalTwoUniqueid: amictl-test-1-2", "SourceUniqueid: h", "SourceChannel: SIP/h-1"), 1,
		},
		{"no answer", ending{Kind: endTimeout}, nil, 1},
	} {
		e := &hangupEngine{answer: tt.answer}
		b, tap := bookOf(e)
		if tt.meanwhile != nil {
			e.meanwhile = func() { tap.take(&delivery{Message: tt.meanwhile}, b.run.epoch) }
		}
		b.hangUpAll()
		if len(b.open) != tt.left {
			t.Errorf("%s: %d left", tt.name, len(b.open))
		}
	}
}
