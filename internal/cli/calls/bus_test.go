package calls

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// heldBus has events, half of them at hand; behind them it ends with err, or with the run.
type heldBus struct {
	events []ami.Event
	err    error
	next   int
	closed bool
}

func (b *heldBus) PollBorrowed() (*ami.Event, bool) {
	if b.next == len(b.events) || b.next%2 == 0 {
		return nil, false
	}
	b.next++
	return &b.events[b.next-1], true
}

func (b *heldBus) NextBorrowed(ctx context.Context) (*ami.Event, error) {
	if b.next == len(b.events) {
		if b.err == nil {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, b.err
	}
	b.next++
	return &b.events[b.next-1], nil
}

func (b *heldBus) New() bool    { return false }
func (b *heldBus) Due() bool    { return false }
func (b *heldBus) Close()       { b.closed = true }
func (b *heldBus) Acknowledge() {}

// onTwoNodes are two calls of node a, and the same, numbered otherwise, of node b, which ends none.
func onTwoNodes(t *testing.T) (all []ami.Event) {
	t.Helper()
	at := time.Unix(1_795_435_200, 0)
	add := func(node, text string) {
		name, rest, _ := strings.Cut(text, " ")
		d := wire.NewDecoder(wire.Limits{})
		d.Feed([]byte("Event: " + name + "\r\n" + strings.ReplaceAll(strings.ReplaceAll(rest, "=", ": "), ";", "\r\n") + "\r\n\r\n"))
		m, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Second)
		all = append(all, ami.Event{Node: node, Message: m.Clone(), Received: at})
	}
	for _, e := range twoCalls {
		if name, _, _ := strings.Cut(e, " "); name != "Hangup" {
			add("b", e)
		}
		add("a", e)
	}
	all = append(all, ami.Event{Node: "a", Received: at, Gap: &ami.Gap{Reason: ami.GapOverflow, Dropped: 3}})
	return all
}

func overBus(t *testing.T, bus *heldBus, nodes flags.List, output string) (r *runtest.Run, asked *run.BusQuery) {
	t.Helper()
	r = runtest.New(t, runtest.Setup{Config: "nats = \"nats://127.0.0.1:1\"\ncluster = \"c\"", Flags: run.Globals{Nodes: nodes, Output: output}})
	asked = new(run.BusQuery)
	r.Bus = func(_ context.Context, q run.BusQuery) (run.EventStream, error) { *asked = q; return bus, nil }
	return r, asked
}

// Calls of a bus are told as they end, of the nodes that are meant, until there are enough or the bus has no more.
func TestCallsOfABus(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		options options
		nodes   flags.List
		output  string
		err     error
		want    string // the objects' types and Linkedids
		ends    error
	}{
		"all there is":   {options{}, nil, "jsonl", io.EOF, `["call-record3","call-record1","gap"]`, nil},
		"enough":         {options{count: flags.Count{Value: 1, Given: true}}, nil, "jsonl", nil, `["call-record3"]`, nil},
		"as long":        {options{length: flags.Duration{Value: 50 * time.Millisecond, Given: true}}, nil, "jsonl", nil, `["call-record3","call-record1","gap"]`, nil},
		"of a node":      {options{}, flags.List{"b"}, "jsonl", io.EOF, `[]`, nil},
		"of the other":   {options{}, flags.List{"a"}, "jsonl", io.EOF, `["call-record3","call-record1","gap"]`, nil},
		"with condition": {options{where: flags.List{"legs.channel=~carol"}}, nil, "jsonl", io.EOF, `["call-record1","gap"]`, nil},
		"it breaks":      {options{}, nil, "jsonl", broken, `["call-record3","call-record1","gap"]`, broken},
		"for people":     {options{}, nil, "table", io.EOF, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			bus := &heldBus{events: onTwoNodes(t), err: test.err}
			r, asked := overBus(t, bus, test.nodes, test.output)
			err := calls(t.Context(), r.Run, &test.options)
			if !errors.Is(err, test.ends) || (err == nil) != (test.ends == nil) {
				t.Errorf("it ended with %v", err)
			}
			if test.output == "table" {
				if got := strings.Count(r.Out.String(), "  answered  "); got != 2 || strings.Contains(r.Out.String(), "gap") {
					t.Errorf("printed %s", r.Out)
				}
			} else if got := kinds(r.Out.String()); got != test.want {
				t.Errorf("%s, want %s, of %s", got, test.want, r.Out)
			}
			if !bus.closed || asked.Stored || asked.URL == "" {
				t.Errorf("closed %v, asked for %+v", bus.closed, asked)
			}
		})
	}
}

// kinds has the types and Linkedids of what is printed.
func kinds(out string) string {
	all := []string{}
	for line := range strings.Lines(out) {
		all = append(all, `"`+gjson.Get(line, "type").Str+gjson.Get(line, "linkedid").Str+`"`)
	}
	return "[" + strings.Join(all, ",") + "]"
}

// A call's story is told of what a bus has stored: it is read again until all that belongs to the call is known.
func TestTimelineOfABus(t *testing.T) {
	for name, test := range map[string]struct {
		id    string
		nodes flags.List
		want  int // events
		fails string
	}{
		"by its first channel": {"1", flags.List{"a"}, 13, ""},
		"by a later one":       {"PJSIP/carol-4", flags.List{"a"}, 13, ""},
		"of both nodes":        {"1", nil, 22, ""},
		"of no call":           {"77", nil, 0, "--since: no event is of the call 77"},
	} {
		t.Run(name, func(t *testing.T) {
			bus := &heldBus{}
			r, asked := overBus(t, bus, test.nodes, "jsonl")
			opened := 0
			r.Bus = func(_ context.Context, q run.BusQuery) (run.EventStream, error) {
				opened++
				*asked, *bus = q, heldBus{events: onTwoNodes(t), err: io.EOF}
				return bus, nil
			}
			err := calls(t.Context(), r.Run, &options{timeline: test.id, since: "1h"})
			if test.fails != "" {
				runtest.Refused(t, err, fail.CodeCondition, test.fails)
			} else if err != nil {
				t.Error(err)
			}
			if got := strings.Count(r.Out.String(), "\n"); got != test.want || opened < 2 || !asked.Stored || time.Since(asked.Since) < time.Hour || !bus.closed {
				t.Errorf("%d events, want %d; it was opened %d times, asked for %+v", got, test.want, opened, asked)
			}
		})
	}
}

// Where the calls come from, and what is refused of it.
func TestSourceOfCalls(t *testing.T) {
	const bus = "nats = \"nats://127.0.0.1:1\"\ncluster = \"c\""
	hour := flags.Duration{Value: time.Hour, Given: true}
	for name, test := range map[string]struct {
		options options
		config  string
		onBus   bool
		want    string
	}{
		"a server":                      {options{}, "", false, ""},
		"a bus":                         {options{}, bus, true, ""},
		"a bus from a time":             {options{since: "1h"}, bus, true, ""},
		"a bus, what is up":             {options{live: true}, bus, false, ""},
		"a bus, a call that is":         {options{timeline: "1"}, bus, false, ""},
		"a bus, a call that was":        {options{timeline: "1", since: "1h"}, bus, true, ""},
		"a bus, for a time":             {options{length: hour}, bus, true, ""},
		"a bus, a time from a time":     {options{since: "1h", length: hour}, bus, true, ""},
		"a file beside a bus":           {options{from: flags.List{"x"}}, bus, false, ""},
		"a file from a time":            {options{from: flags.List{"x"}, since: "1h"}, bus, false, "--since is for a bus"},
		"a server from a time":          {options{since: "1h"}, "", false, "--since is for a bus"},
		"a call of a server, of before": {options{since: "1h", timeline: "1"}, "", false, "--since is for a bus"},
		"what is up, of before":         {options{since: "1h", live: true}, bus, false, "--live prints the calls that are up now"},
		"what was, for a time":          {options{since: "1h", timeline: "1", length: hour}, bus, false, "--since ends with what a bus has stored"},
		"no time":                       {options{since: "soon"}, bus, false, `--since "soon" is not a time`},
		"half a bus":                    {options{}, "nats = \"nats://127.0.0.1:1\"", false, "none is named"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: test.config})
			_, onBus, err := test.options.query(r.Run)
			if test.want != "" {
				runtest.Refused(t, err, fail.CodeUsage, test.want)
			} else if err != nil || onBus != test.onBus {
				t.Errorf("on a bus: %v, %v", onBus, err)
			}
		})
	}
	r := runtest.New(t, runtest.Setup{Config: bus, Env: map[string]string{"PATH": t.TempDir()}})
	runtest.Refused(t, calls(t.Context(), r.Run, &options{}), fail.CodeUsage, "amictld")
	r = runtest.New(t, runtest.Setup{})
	err := Command(r.Run).Run(t.Context(), []string{"calls", "--from", "x", "--nats", "nats://127.0.0.1:1", "--cluster", "c"})
	runtest.Refused(t, err, fail.CodeUsage, "--from reads a file, and --nats a bus")
}

// What has no use together, beside where the calls come from.
func TestCallsThatDoNotGoTogether(t *testing.T) {
	hour, one := flags.Duration{Value: time.Hour, Given: true}, flags.Count{Value: 1, Given: true}
	for name, test := range map[string]struct {
		options options
		want    string // of the refusal, or of its hint
	}{
		"a word":                  {options{names: []string{"Hangup"}}, "`amictl send Hangup Channel=NAME` ends one"},
		"an id":                   {options{names: []string{"1795435200.12"}}, "such as `amictl calls --timeline 1795435200.12`"},
		"an id without point":     {options{names: []string{"12"}}, "such as `amictl calls --timeline 12`"},
		"half an id":              {options{names: []string{".5"}}, "names of events go with --timeline ID"},
		"a call of those up":      {options{timeline: "1", live: true}, "--timeline shows one call"},
		"a number of one call":    {options{timeline: "1", count: one}, "--timeline shows one call"},
		"a number of those up":    {options{live: true, count: one}, "--live ends by itself"},
		"a time of a file":        {options{from: flags.List{"x"}, length: hour}, "--from ends with the file"},
		"a call for a time":       {options{timeline: "1", length: hour}, ""},
		"a call and its events":   {options{timeline: "1", names: []string{"Hangup"}}, ""},
		"a number within a time":  {options{count: one, length: hour}, ""},
		"those up in a file":      {options{live: true, from: flags.List{"x"}}, ""},
		"what is up, with a word": {options{live: true, names: []string{"Hangup"}}, "names of events go with --timeline ID"},
	} {
		err := test.options.check(runtest.New(t, runtest.Setup{}).Run)
		f := fail.Classify(err)
		if test.want == "" && err != nil || test.want != "" && (f.Code != fail.CodeUsage || !strings.Contains(f.Message+f.Hint, test.want)) {
			t.Errorf("%s: %q, %q, hint %q; want %q", name, f.Code, f.Message, f.Hint, test.want)
		}
	}
}

// An event that is not wanted any more, and a printer that fails, end the reading of a bus.
func TestEventsOfABusEnd(t *testing.T) {
	broken := errors.New("broken")
	bus := &heldBus{events: onTwoNodes(t), err: io.EOF}
	taken := 0
	for ev, err := range eventsOf(t.Context(), bus, []string{"a"}, func() error { return nil }) {
		if taken++; err != nil || ev.Node != "a" {
			t.Errorf("%v, %v", ev.Node, err)
		}
		if taken == 3 {
			break
		}
	}
	if taken != 3 {
		t.Errorf("%d events were taken", taken)
	}
	bus = &heldBus{events: onTwoNodes(t), err: io.EOF}
	var last error
	for _, err := range eventsOf(t.Context(), bus, nil, func() error { return broken }) {
		last = err
	}
	if diff := cmp.Diff(broken.Error(), last.Error()); diff != "" || bus.next != 0 {
		t.Errorf("%d events were taken; -want +got:\n%s", bus.next, diff)
	}
}
