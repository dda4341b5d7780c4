package tail

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
)

var errNoMore = errors.New("no more")

// heldBus has a few events.
type heldBus struct {
	events []ami.Event
	polled bool // all can be polled
	next   int
	asked  run.BusQuery
}

func (b *heldBus) PollBorrowed() (*ami.Event, bool) {
	if !b.polled || b.next == len(b.events) {
		return nil, false
	}
	b.next++
	return &b.events[b.next-1], true
}

func (b *heldBus) NextBorrowed(context.Context) (*ami.Event, error) {
	if b.next == len(b.events) {
		return nil, errNoMore
	}
	b.next++
	return &b.events[b.next-1], nil
}

func (b *heldBus) New() bool    { return false }
func (b *heldBus) Due() bool    { return false }
func (b *heldBus) Close()       {}
func (b *heldBus) Acknowledge() {}

// What is asked for of a bus is chosen here: by node, name, condition and time. A gap of a node that is meant always counts.
func TestTailChoosesOnABus(t *testing.T) {
	at := time.Now()
	event := func(node, text string, when time.Time) ami.Event {
		m, ok := decodeOne(text + "\r\n\r\n")
		if !ok {
			t.Fatalf("%q does not decode", text)
		}
		return ami.Event{Node: node, Message: m, Received: when}
	}
	all := []ami.Event{
		event("a", "Event: Hangup\r\nN: 1", at), event("b", "Event: Hangup\r\nN: 2", at), event("a", "Event: Hold\r\nN: 3", at),
		event("a", "Strange: 4", at), event("a", "Event: Hangup\r\nN: 5", at.Add(-time.Hour)),
		{Node: "a", Received: at, Gap: &ami.Gap{Reason: ami.GapOverflow, Dropped: 7}},
		{Node: "b", Received: at, Gap: &ami.Gap{Reason: ami.GapOverflow, Dropped: 8}},
		event("c", "Event: Last\r\nN: 6", at),
	}
	for name, test := range map[string]struct {
		options options
		nodes   flags.List
		want    string // the numbers of events, and of what was dropped
	}{
		"everything":        {options{}, nil, "1 2 3 5 7 8 6"},
		"and more":          {options{packets: true}, nil, "1 2 3 4 5 7 8 6"},
		"a node":            {options{}, flags.List{"a", "c"}, "1 3 5 7 6"},
		"some nodes":        {options{}, flags.List{"[bc]"}, "2 8 6"},
		"a name":            {options{names: []string{"hang*", "Last"}}, nil, "1 2 5 7 8 6"},
		"a condition":       {options{where: flags.List{"N>=3"}}, nil, "3 5 7 8 6"},
		"of packets too":    {options{where: flags.List{"N>=4 || Strange>=4"}, packets: true}, nil, "4 5 7 8 6"},
		"none of packets":   {options{where: flags.List{"N=6"}, packets: true}, nil, "7 8 6"},
		"what is not old":   {options{since: "10m"}, nil, "1 2 3 7 8 6"},
		"as many":           {options{names: []string{"Hangup"}, count: flags.Count{Value: 2, Given: true}}, nil, "1 2"},
		"as many, with gap": {options{names: []string{"Hold", "Last"}, count: flags.Count{Value: 8, Given: true}}, nil, "3 7"},
	} {
		for _, polled := range []bool{false, true} {
			bus := &heldBus{events: all, polled: polled}
			r := runtest.New(t, runtest.Setup{Config: "nats = \"nats://127.0.0.1:1\"\ncluster = \"c\"", Flags: run.Globals{Query: "[fields.N,dropped,text]", Nodes: test.nodes}})
			r.Bus = func(_ context.Context, q run.BusQuery) (run.EventStream, error) { bus.asked = q; return bus, nil }
			o := test.options
			if err := tail(t.Context(), r.Run, &o); (err != nil) != !o.count.Given || err != nil && !errors.Is(err, errNoMore) {
				t.Errorf("%s: %v", name, err)
			}
			got := strings.Join(strings.Fields(strings.NewReplacer("[", " ", "]", " ", `"`, " ", ",", " ", "null", " ", "Strange:", " ", `\r\n`, " ").Replace(r.Out.String())), " ")
			if got != test.want {
				t.Errorf("%s, polled %v: %s, want %s", name, polled, got, test.want)
			}
			if diff := cmp.Diff([]string(test.nodes), bus.asked.Nodes); len(test.nodes) > 0 && diff != "" {
				t.Errorf("%s: the bus is asked for other nodes (-want +got):\n%s", name, diff)
			}
		}
	}
}

// amictl itself has no bus: the daemon's program is run, which is not there either.
func TestTailWithoutABus(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Config: "nats = \"nats://127.0.0.1:1\"\ncluster = \"c\"", Env: map[string]string{"PATH": t.TempDir()}})
	runtest.Refused(t, tail(t.Context(), r.Run, &options{}), fail.CodeUsage, "amictld")
	runtest.Refused(t, wait(t.Context(), r.Run, newWaitOptions()), fail.CodeUsage, "amictld")
}
