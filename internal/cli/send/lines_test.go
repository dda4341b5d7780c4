package send

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
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

// printed has each object's line, node and what it is, sorted.
func printed(out string) (all []string) {
	for line := range strings.Lines(out) {
		o := gjson.Parse(line)
		what := o.Get("type").Str
		if what == "error" {
			what = o.Get("code").Str + ": " + o.Get("message").Str
		}
		all = append(all, fmt.Sprintf("%d %s %s", o.Get("line").Int(), o.Get("node").Str, what))
	}
	slices.Sort(all)
	return all
}

// Which nodes a line goes to: its own, else all, the route's, or the only one.
func TestSendLinesChoosesNodes(t *testing.T) {
	const ping = `{"action":"Ping"}` + "\n"
	a, b := pbx(t, "a"), pbx(t, "b")
	one, two := []*amitest.Server{a}, []*amitest.Server{a, b}
	for name, test := range map[string]struct {
		servers []*amitest.Server
		options options
		lines   string
		want    []string
		exit    int
	}{
		"the only one":        {one, options{}, ping + "\n \n" + ping, []string{"1 a reply", "4 a reply"}, fail.ExitOK},
		"the line's own":      {two, options{}, `{"action":"Ping","node":"b"}`, []string{"1 b reply"}, fail.ExitOK},
		"its own, not all":    {two, options{Fanout: target.Fanout{All: true}}, `{"action":"Ping","node":"b"}`, []string{"1 b reply"}, fail.ExitOK},
		"all":                 {two, options{Fanout: target.Fanout{All: true}}, ping, []string{"1 a reply", "1 b reply"}, fail.ExitOK},
		"none that is there":  {two, options{Fanout: target.Fanout{All: true}}, `{"action":"Ping","node":"c"}`, []string{`1 c input: line 1: there is no node "c"`}, fail.ExitUsage},
		"none said":           {two, options{}, ping + ping, []string{"1  input: line 1 names no node, and 2 are selected"}, fail.ExitUsage},
		"and on":              {one, options{keepGoing: true}, "{}\n" + ping, []string{"1  input: line 1: no action", "2 a reply"}, fail.ExitMixed},
		"no further":          {one, options{}, "{}\n" + ping, []string{"1  input: line 1: no action"}, fail.ExitUsage},
		"a long line":         {one, options{keepGoing: true}, strings.Repeat("x", 2<<20) + "\n" + ping, []string{"1  input: line 1: it is longer than 1 MiB", "2 a reply"}, fail.ExitMixed},
		"reserved":            {one, options{}, `{"action":"Logoff"}`, []string{"1  input: line 1: Logoff is amictl's own and cannot be sent"}, fail.ExitUsage},
		"nothing":             {one, options{}, "", nil, fail.ExitOK},
		"a pace that is slow": {one, options{rate: flags.Count{Value: 1000, Given: true}, parallel: flags.Count{Value: 1, Given: true}}, ping + ping, []string{"1 a reply", "2 a reply"}, fail.ExitOK},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers, Stdin: test.lines, Flags: run.Globals{Output: "jsonl"}})
			test.options.args = []string{"-"}
			err := send(t.Context(), r.Run, &test.options)
			if diff := cmp.Diff(test.want, printed(r.Out.String())); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if f := fail.Classify(err); f.Exit != test.exit || test.exit != fail.ExitOK && r.Err.String() == "" {
				t.Errorf("status %d, want %d; said %q", f.Exit, test.exit, r.Err)
			}
		})
	}
	for what, o := range map[string]options{"--route": {Fanout: target.Fanout{Route: "failover"}}, "--all --route": {Fanout: target.Fanout{All: true, Route: "failover"}}} {
		r := runtest.New(t, runtest.Setup{Servers: two, Stdin: ping + ping, Flags: run.Globals{Output: "jsonl"}})
		o.args = []string{"-"}
		err := send(t.Context(), r.Run, &o)
		if o.All {
			runtest.Refused(t, err, fail.CodeUsage, "--all and --route do not go together")
		} else if got := strings.Count(r.Out.String(), `"Pong"`); err != nil || got != 2 {
			t.Errorf("%s: %v, printed %s", what, err, r.Out)
		}
	}
}

// A header that the catalogue does not have is told of once, however many lines have it; the lines are sent.
func TestSendLinesTellsOfUnknownHeaders(t *testing.T) {
	const lines = `{"action":"QueueStatus","fields":{"Quue":"a"}}` + "\n" + `{"action":"QueueStatus","fields":{"Quue":"b","Membr":"c"}}` + "\n"
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{pbx(t, "a")}, Stdin: lines})
	if err := send(t.Context(), r.Run, &options{args: []string{"-"}}); err != nil {
		t.Error(err)
	}
	want := "amictl: QueueStatus has no parameter Quue in the catalogue; did you mean Queue?\namictl: QueueStatus has no parameter Membr in the catalogue; did you mean Member?\n"
	if r.Err.String() != want {
		t.Errorf("it said %q, want %q", r.Err, want)
	}
}

// A list that is not whole is data all the same: what came is printed, in front of the failure, if it is one.
func TestSendLinesPrintsWhatCame(t *testing.T) {
	end := func(verdict string) func(q *amitest.Request, w *amitest.ResponseWriter) {
		return func(q *amitest.Request, w *amitest.ResponseWriter) {
			w.Raw("Event: ListedComplete\r\nActionID: " + q.ActionID() + "\r\nEventList: " + verdict + "\r\nListItems: 3\r\n\r\n")
		}
	}
	for name, test := range map[string]struct {
		verdict string
		items   bool
		want    []string
		said    string
		exit    int
	}{
		"cancelled":     {"Cancelled", false, []string{"1 a refused: a: Listed: the server cancelled the list after 2 items", "1 a reply"}, "amictl: line 1: a: Listed: the server cancelled", fail.ExitFailed},
		"too few":       {"Complete", false, []string{"1 a reply"}, "amictl: line 1: a: Listed: 2 items came, but the server announced 3\n", fail.ExitOK},
		"each by items": {"Complete", true, []string{"1 a item", "1 a item", "1 a reply"}, "amictl: line 1: a: Listed: 2 items came, but the server announced 3\n", fail.ExitOK},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{listing(t, end(test.verdict))}, Stdin: `{"action":"Listed"}`, Flags: run.Globals{Output: "jsonl"}})
			err := send(t.Context(), r.Run, &options{args: []string{"-"}, items: test.items})
			if diff := cmp.Diff(test.want, printed(r.Out.String())); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if f := fail.Classify(err); f.Exit != test.exit || !strings.HasPrefix(r.Err.String(), test.said) {
				t.Errorf("status %d, want %d; said %q, want %q", f.Exit, test.exit, r.Err, test.said)
			}
			if test.items && gjson.Get(r.Out.String(), `..#(type="reply").items`).Int() != 2 {
				t.Errorf("the answer does not say how many items it had: %s", r.Out)
			}
		})
	}
}

// Failures that follow each other with the same hint have it once.
func TestSendLinesSharesHints(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{pbx(t, "a")}, Stdin: "x\ny\n" + `{"action":"Ping","node":"c"}` + "\nz\n", Flags: run.Globals{Output: "none"}})
	_ = send(t.Context(), r.Run, &options{args: []string{"-"}, keepGoing: true})
	var got []string
	for line := range strings.Lines(r.Err.String()) {
		got = append(got, line[:12])
	}
	if diff := cmp.Diff([]string{"amictl: line", "hint: a line", "amictl: line", "amictl: line", "hint: a line", "amictl: line", "hint: a line"}, got); diff != "" {
		t.Errorf("-want +got:\n%s\nof %s", diff, r.Err)
	}
}

// A line whose time is over while its server is away was not sent, and ends wherever it stands; those behind it go on.
func TestSendLinesEndWhileAway(t *testing.T) {
	srv := pbx(t, "a")
	in, feed := io.Pipe()
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	r.Stdin = in
	end := make(chan error, 1)
	go func() { end <- send(t.Context(), r.Run, &options{args: []string{"-"}, keepGoing: true}) }()
	put := func(more string) { _, _ = io.WriteString(feed, `{"action":"Ping"`+more+"}\n") }
	put("")
	runtest.Eventually(t, r.Out, `"line":1`)
	srv.SetDown(true)
	runtest.Eventually(t, r.Err, "the connection was lost")
	put("")
	put(`,"timeout":"20ms"`)
	runtest.Eventually(t, r.Out, `"line":3`)
	if e := gjson.Get(r.Out.String(), `..#(line=3)`); e.Get("sent").Str != "no" || e.Get("exit").Int() != fail.ExitConnect || e.Get("node").Str != "a" {
		t.Errorf("the late line is told of as %s", e)
	}
	srv.SetDown(false)
	runtest.Eventually(t, r.Out, `"line":2`)
	put("")
	_ = feed.Close()
	if f := fail.Classify(<-end); f.Exit != fail.ExitMixed {
		t.Errorf("it ended with %d", f.Exit)
	}
	if got := gjson.Get(r.Out.String(), `..#(type="reply")#.line`).Raw; got != "[1,2,4]" {
		t.Errorf("lines %s were answered", got)
	}
}

// Over a bus an Originate's answer is waited for, and its end is not: there are no events of the session's own.
func TestSendOverABus(t *testing.T) {
	srv := dialplan(t, "a", time.Millisecond)
	for name, test := range map[string]struct {
		args  []string
		stdin string
		want  string // of the refusal
	}{
		"one":          {args: []string{"Ping"}},
		"lines":        {args: []string{"-"}, stdin: `{"action":"Ping"}`},
		"a call":       {args: []string{"--wait", "hangup", "Originate", "Channel=Local/100@default", "Application=Echo"}, want: "--wait hangup needs a session with events"},
		"calls":        {args: []string{"--wait", "hangup", "-"}, want: "--wait hangup needs a session with events"},
		"only answers": {args: []string{"--wait", "answer", "Originate", "Channel=Local/100@default", "Application=Echo"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: test.stdin})
			r.BusActor = func(context.Context, run.BusQuery, time.Duration) ([]ami.Config, error) {
				return []ami.Config{{Name: "a", Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)}}, nil
			}
			err := Command(r.Run).Run(t.Context(), append([]string{"send", "--nats", "nats://127.0.0.1:4222", "--cluster", "c"}, test.args...))
			if test.want != "" {
				runtest.Refused(t, err, fail.CodeUsage, test.want)
			} else if err != nil || gjson.Get(r.Out.String(), "response").Str != "Success" {
				t.Errorf("%v, printed %s", err, r.Out)
			}
		})
	}
}

// What of an answer counts, for --where, --found, --min-items and --empty-ok, with and without --items.
func TestSendJudges(t *testing.T) {
	srv := listing(t, func(_ *amitest.Request, w *amitest.ResponseWriter) { w.ListEnd("ListedComplete") })
	count := func(n int) flags.Count { return flags.Count{Value: n, Given: true} }
	one := flags.List{"Name=one"}
	for name, test := range map[string]struct {
		options options
		code    fail.Code
		says    string
		left    int // items
	}{
		"all of it":            {options{}, "", "", 2},
		"what is left":         {options{where: one}, "", "", 1},
		"both":                 {options{where: flags.List{"Name=one", "Name=two"}}, "", "", 0},
		"enough":               {options{minItems: count(2)}, "", "", 2},
		"enough is left":       {options{where: one, minItems: count(1)}, "", "", 1},
		"too few":              {options{where: one, minItems: count(2)}, fail.CodeCondition, "a: ", 1},
		"any":                  {options{where: one, found: cond.Any}, "", "", 1},
		"not all":              {options{where: one, found: cond.All}, fail.CodeCondition, "a: ", 1},
		"none":                 {options{where: flags.List{"Name=six"}, found: cond.None}, "", "", 0},
		"some, and none asked": {options{where: one, found: cond.None}, fail.CodeCondition, "a: ", 1},
		"twice said":           {options{found: cond.Any, minItems: count(1)}, fail.CodeUsage, "--found and --min-items do not go together", 0},
		"an error":             {options{args: []string{"Nosuch"}, emptyOK: true}, fail.CodeRefused, "Nosuch", 0},
	} {
		for _, items := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, items %v", name, items), func(t *testing.T) {
				r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: "jsonl"}})
				o := test.options
				o.items = items
				if o.args == nil {
					o.args = []string{"Listed"}
				}
				f := fail.Classify(send(t.Context(), r.Run, &o))
				if f.Code != test.code || !strings.Contains(f.Message, test.says) {
					t.Errorf("%q, %q; want %q with %q", f.Code, f.Message, test.code, test.says)
				}
				if got := strings.Count(r.Out.String(), `"Entry"`); got != test.left {
					t.Errorf("%d items are left, want %d, of %s", got, test.left, r.Out)
				}
			})
		}
	}
}

// An Error that only says that a list is empty is nothing found where --empty-ok says so.
func TestSendEmpty(t *testing.T) {
	srv := pbx(t, "a")
	srv.Handle("Empty", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("No endpoints found") })
	for name, test := range map[string]struct {
		emptyOK bool
		found   cond.Found
		code    fail.Code
	}{
		"a failure":      {false, cond.Found{}, fail.CodeRefused},
		"nothing wrong":  {true, cond.Found{}, ""},
		"none is wanted": {true, cond.None, ""},
		"some is wanted": {true, cond.Any, fail.CodeCondition},
	} {
		for _, items := range []bool{false, true} {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
			f := fail.Classify(send(t.Context(), r.Run, &options{args: []string{"Empty"}, emptyOK: test.emptyOK, found: test.found, items: items}))
			if f.Code != test.code {
				t.Errorf("%s, items %v: %q, want %q: %s", name, items, f.Code, test.code, f.Message)
			}
		}
	}
}
