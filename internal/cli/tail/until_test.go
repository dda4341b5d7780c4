package tail

import (
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// counting is a server that answers Count with how often it was asked, as a list of so many items too.
func counting(t *testing.T, name string) (*amitest.Server, *atomic.Int64) {
	srv := runtest.Server(t, name)
	asked := new(atomic.Int64)
	srv.Handle("Count", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.Reply("Success", amitest.Header{Name: "N", Value: strconv.FormatInt(asked.Add(1), 10)})
	})
	srv.Handle("List", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.ListStart("follows")
		for i := range asked.Add(1) {
			w.Item("Entry", "I", strconv.FormatInt(i+1, 10))
		}
		w.ListEnd("ListComplete")
	})
	return srv, asked
}

func within(d time.Duration) run.Globals {
	return run.Globals{Timeout: flags.Duration{Value: d, Given: true}}
}

// A wait asks until what it was asked for is so, on all of its nodes in one round, and prints the answers that were.
func TestUntil(t *testing.T) {
	for name, test := range map[string]struct {
		action     string
		conditions flags.List
		found      cond.Found
		ahead      int64 // how often b was asked before
		want       []string
	}{
		"an answer":       {"Count", flags.List{"N>=3"}, cond.Found{}, 0, []string{"a 3", "b 3"}},
		"two conditions":  {"Count", flags.List{"N>=2", "N!=2"}, cond.Found{}, 0, []string{"a 3", "b 3"}},
		"all in a round":  {"Count", flags.List{"N>=5"}, cond.Found{}, 3, []string{"a 5", "b 8"}},
		"never at once":   {"Count", flags.List{"N=4 || N=6"}, cond.Found{}, 2, []string{"a 4", "b 6"}},
		"an item":         {"List", flags.List{"I=2"}, cond.Found{}, 0, []string{"a ", "b "}},
		"as many":         {"List", flags.List{"I>=1"}, cond.AtLeast(3), 0, []string{"a ", "b "}},
		"none any longer": {"Count", flags.List{"N<3"}, cond.None, 0, []string{"a 3", "b 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, _ := counting(t, "a")
			b, before := counting(t, "b")
			before.Store(test.ahead)
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{a, b}, Rest: []string{test.action}, Flags: within(20 * time.Second)})
			o := newWaitOptions()
			o.All = true
			o.until = untilOptions{conditions: test.conditions, found: test.found, every: flags.Duration{Value: time.Millisecond}}
			if err := wait(t.Context(), r.Run, o); err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(r.Out.String()) {
				got = append(got, gjson.Get(line, "node").Str+" "+gjson.Get(line, "fields.N").Str)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What ends a wait for an answer before it has come, and what is printed of it.
func TestUntilFails(t *testing.T) {
	t.Parallel() // it only waits
	a, _ := counting(t, "a")
	b, _ := counting(t, "b")
	protected := runtest.Setup{Servers: []*amitest.Server{a}, Config: "protect = true", Rest: []string{"QueueReload"}}
	for name, test := range map[string]struct {
		setup     runtest.Setup
		fan       target.Fanout
		condition string
		code      fail.Code
		want      string
		prints    bool
	}{
		"a refusal":        {runtest.Setup{Servers: []*amitest.Server{a}, Rest: []string{"Nosuch"}}, target.Fanout{}, "N=1", fail.CodeRefused, "Nosuch", true},
		"no condition":     {runtest.Setup{Servers: []*amitest.Server{a}, Rest: []string{"Count"}}, target.Fanout{}, "N", fail.CodeUsage, "N", false},
		"no header":        {runtest.Setup{Servers: []*amitest.Server{a}, Rest: []string{"Count", "x"}}, target.Fanout{}, "N=1", fail.CodeUsage, "x", false},
		"one for two":      {runtest.Setup{Servers: []*amitest.Server{a, b}, Rest: []string{"Count"}}, target.Fanout{}, "N=1", fail.CodeUsage, "2 nodes are selected", false},
		"one of two":       {runtest.Setup{Servers: []*amitest.Server{a, b}, Rest: []string{"Count"}}, target.Fanout{Route: "failover"}, "N=1", fail.CodeUsage, "--until watches particular nodes", false},
		"without being so": {runtest.Setup{Servers: []*amitest.Server{a}, Rest: []string{"Count"}, Flags: within(2 * time.Second)}, target.Fanout{}, "N=0", fail.CodeCondition, "the condition did not hold within 2s", true},
		"a change":         {protected, target.Fanout{}, "N=1", fail.CodeUsage, "is protected", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, test.setup)
			o := newWaitOptions()
			o.Fanout = test.fan
			o.until.conditions, o.until.every.Value = flags.List{test.condition}, time.Millisecond
			err := wait(t.Context(), r.Run, o)
			runtest.Refused(t, err, test.code, test.want)
			if got := strings.Contains(r.Out.String(), `"reply"`); got != test.prints {
				t.Errorf("printed %s", r.Out)
			}
			if f := fail.Classify(err); test.code == fail.CodeCondition && (f.Exit != fail.ExitTimeout || !strings.HasPrefix(f.Hint, "the last answer is on standard output")) {
				t.Errorf("status %d, hint %q", f.Exit, f.Hint)
			}
		})
	}
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{a}, Rest: []string{"Count"}, Flags: within(2 * time.Second)})
	a.Inject(amitest.Fault{Kind: "drop", Action: "Count", Times: -1})
	o := newWaitOptions()
	o.until.conditions = flags.List{"N=1"}
	if f := fail.Classify(wait(t.Context(), r.Run, o)); f.Exit != fail.ExitTimeout || f.Hint != "no answer came; --timeout allows more time" {
		t.Errorf("status %d, hint %q: %s", f.Exit, f.Hint, f.Message)
	}
	r = runtest.New(t, runtest.Setup{Servers: []*amitest.Server{a, b}, Rest: []string{"Count"}})
	o.Route = "failover"
	o.DryRun = true
	if err := wait(t.Context(), r.Run, o); err != nil || !strings.Contains(r.Out.String(), "Action: Count") {
		t.Errorf("a dry run: %v, printed %s", err, r.Out)
	}
}

// What was answered before stands where a round has no answer, and what it has is kept.
func TestLastAnswers(t *testing.T) {
	end := func(node string, answered bool) target.Ending {
		e := target.Ending{Node: node}
		if answered {
			e.Reply = &ami.Reply{Node: node}
		}
		return e
	}
	before := []target.Ending{end("before", true), end("before", true), end("before", false)}
	got := answered([]target.Ending{end("now", true), end("now", false), end("now", false)}, before)
	var nodes []string
	for _, e := range got {
		nodes = append(nodes, e.Node+" "+replyNode(e.Reply))
	}
	if diff := cmp.Diff([]string{"now now", "now before", "now "}, nodes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if first := answered([]target.Ending{end("now", true)}, nil); replyNode(first[0].Reply) != "now" {
		t.Errorf("the first round is %v", first)
	}
}
