package send

import (
	"io"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func pbx(t *testing.T, name string) *amitest.Server {
	return runtest.Server(t, name, amitest.WithSetup(func(s *amitest.Server) {
		s.State().AddQueue(amitest.Queue{Name: "support", Strategy: "ringall", Members: []amitest.QueueMember{{Name: "Ann", Interface: "Local/100@default"}}})
	}))
}

func TestSend(t *testing.T) {
	a, b := pbx(t, "a"), pbx(t, "b")
	for name, test := range map[string]struct {
		servers    []*amitest.Server
		options    options
		path, want string // of all lines
	}{
		"a response":         {[]*amitest.Server{a}, options{args: []string{"Ping"}}, "..#.fields.Ping", `["Pong"]`},
		"from every node":    {[]*amitest.Server{a, b}, options{args: []string{"Ping"}, Fanout: target.Fanout{All: true}}, "..#", "2"},
		"what is left":       {[]*amitest.Server{a}, options{args: []string{"QueueStatus"}, where: flags.List{"Name=Ann"}}, "0.events.#.event", `["QueueMember"]`},
		"shown, not sent":    {[]*amitest.Server{a}, options{args: []string{"Ping"}, Fanout: target.Fanout{DryRun: true}}, "..#.fields", "[]"},
		"each item a record": {[]*amitest.Server{a}, options{args: []string{"QueueStatus"}, items: true}, "..0.type", "item"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers})
			if err := send(t.Context(), r.Run, &test.options); err != nil {
				t.Fatal(err)
			}
			path := test.path
			if !strings.HasPrefix(path, "..") {
				path = ".." + path
			}
			if got := gjson.Get(r.Out.String(), path).String(); got != test.want {
				t.Errorf("%s is %s, want %s, of %s", path, got, test.want, r.Out)
			}
		})
	}
}

func TestSendRefuses(t *testing.T) {
	a, b := pbx(t, "a"), pbx(t, "b")
	two := []*amitest.Server{a, b}
	for name, test := range map[string]struct {
		servers []*amitest.Server
		options options
		code    fail.Code
		want    string
	}{
		"no action":            {two, options{}, fail.CodeUsage, "an action's name is missing"},
		"one for two nodes":    {two, options{args: []string{"Ping"}}, fail.CodeUsage, "2 nodes are selected; nothing was sent"},
		"items of two nodes":   {two, options{args: []string{"QueueStatus"}, items: true, Fanout: target.Fanout{All: true}}, fail.CodeUsage, "--items is for one node"},
		"a reserved action":    {two[:1], options{args: []string{"Login"}}, fail.CodeInput, "cannot be sent"},
		"a reserved header":    {two[:1], options{args: []string{"Ping", "ActionID=1"}}, fail.CodeInput, "ActionID"},
		"no condition":         {two[:1], options{args: []string{"QueueStatus"}, where: flags.List{"Name"}}, fail.CodeUsage, "Name"},
		"a pace for one":       {two[:1], options{args: []string{"Ping"}, rate: flags.Count{Value: 1, Given: true}}, fail.CodeUsage, "are for many actions"},
		"a condition for many": {two[:1], options{args: []string{"-"}, emptyOK: true}, fail.CodeUsage, "are for one action"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers})
			runtest.Refused(t, send(t.Context(), r.Run, &test.options), test.code, test.want)
			if n := a.Ledger().Accepted + b.Ledger().Accepted; n != 0 {
				t.Errorf("servers were dialled %d times", n)
			}
		})
	}
}

// An answer that has nothing of what was asked for is printed, and is a failure.
func TestSendFindsNothing(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{pbx(t, "a")}})
	o := &options{args: []string{"QueueStatus"}, where: flags.List{"Name=Bob"}, minItems: flags.Count{Value: 1, Given: true}}
	err := send(t.Context(), r.Run, o)
	if f := fail.Classify(err); f.Code != fail.CodeCondition || f.Exit != fail.ExitFailed || gjson.Get(r.Out.String(), "response").Str != "Success" {
		t.Errorf("%s with status %d, printed %s", f.Code, f.Exit, r.Out)
	}
}

func TestSendLines(t *testing.T) {
	const lines = `{"action":"Ping","id":"one"}` + "\n" + `{"action":"Nosuch","id":"two"}` + "\nnonsense\n"
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{pbx(t, "a")}, Stdin: lines})
	err := send(t.Context(), r.Run, &options{args: []string{"-"}, keepGoing: true})
	if got := fail.Classify(err).Exit; got != fail.ExitMixed {
		t.Errorf("status %d: %v", got, err)
	}
	for path, want := range map[string]string{
		`..#(id="one").fields.Ping`: "Pong",
		`..#(id="two").code`:        "refused",
		`..#(line=3).code`:          "input",
	} {
		if got := gjson.Get(r.Out.String(), path).Str; got != want {
			t.Errorf("%s is %q, want %q, of %s", path, got, want, r.Out)
		}
	}
}

// What a protected context refuses is refused before the line is sent.
func TestSendLinesProtected(t *testing.T) {
	srv := pbx(t, "a")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Config: "protect = true", Stdin: `{"action":"QueueReload"}` + "\n"})
	err := send(t.Context(), r.Run, &options{args: []string{"-"}})
	if got := fail.Classify(err).Exit; got != fail.ExitUsage || !strings.Contains(r.Err.String(), "is protected") {
		t.Errorf("status %d, said %q", got, r.Err)
	}
}

// listing is a server with an action whose list ends as told.
func listing(t *testing.T, end func(q *amitest.Request, w *amitest.ResponseWriter)) *amitest.Server {
	srv := pbx(t, "a")
	srv.HandleClass("Listed", amitest.ClassNone, func(q *amitest.Request, w *amitest.ResponseWriter) {
		w.ListStart("it follows")
		w.Item("Entry", "Name", "one")
		w.Item("Entry", "Name", "two")
		end(q, w)
	})
	return srv
}

// With --items standard output has the items alone, whatever the format. What the rest of the answer says of them is told: by the
// status and on standard error.
func TestItemsAlone(t *testing.T) {
	whole := func(_ *amitest.Request, w *amitest.ResponseWriter) { w.ListEnd("ListedComplete") }
	cancelled := func(q *amitest.Request, w *amitest.ResponseWriter) {
		w.Raw("Event: ListedComplete\r\nActionID: " + q.ActionID() + "\r\nEventList: Cancelled\r\n\r\n")
	}
	cutOff := func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Flush(); w.Close() }
	for name, test := range map[string]struct {
		end   func(q *amitest.Request, w *amitest.ResponseWriter)
		flags run.Globals
		words []string
		lines int
		code  fail.Code
		said  string
	}{
		"JSON lines":    {end: whole, flags: run.Globals{Output: "jsonl"}, lines: 2},
		"a table":       {end: whole, flags: run.Globals{Output: "table"}, lines: 2},
		"the wire":      {end: whole, flags: run.Globals{Output: "raw"}, lines: 8},
		"columns":       {end: whole, flags: run.Globals{Output: "csv", Fields: "event,Name"}, lines: 3},
		"a query":       {end: whole, flags: run.Globals{Query: "fields.Name"}, lines: 2},
		"cut off":       {end: cutOff, lines: 2, code: fail.CodeLost, said: "after 2 items of the list"},
		"cancelled":     {end: cancelled, lines: 2, code: fail.CodeRefused, said: "cancelled the list after 2 items"},
		"and a query":   {end: cancelled, flags: run.Globals{Query: "fields.Name"}, lines: 2, code: fail.CodeRefused, said: "cancelled the list after 2 items"},
		"no list":       {end: whole, words: []string{"Ping"}, said: "Ping: the answer is no list"},
		"nameless":      {end: whole, words: []string{"IAXnetstats"}, said: "IAXnetstats: the answer is no list"},
		"a refusal":     {end: whole, words: []string{"Nosuch"}, code: fail.CodeRefused, said: "Nosuch"},
		"an empty list": {end: whole, words: []string{"CoreShowChannels"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{listing(t, test.end)}, Flags: test.flags})
			o := &options{args: []string{"Listed"}, items: true}
			if test.words != nil {
				o.args = test.words
			}
			err := send(t.Context(), r.Run, o)
			f := fail.Classify(err)
			if f.Code != test.code {
				t.Errorf("code %q, want %q: %v", f.Code, test.code, err)
			}
			if got := strings.Count(r.Out.String(), "\n"); got != test.lines || strings.Contains(r.Out.String(), "Success") {
				t.Errorf("%d lines, want %d: %s", got, test.lines, r.Out)
			}
			if said := r.Err.String() + f.Message; !strings.Contains(said, test.said) || test.said == "" && said != "" {
				t.Errorf("it said %q, want %q", said, test.said)
			}
		})
	}
}

// Where the output has no place for failures each is told on standard error, by the number of its line.
func TestSendLinesNumbersFailures(t *testing.T) {
	const lines = `{"action":"Ping"}` + "\n" + `{"action":"Nosuch"}` + "\nnonsense\n" + `{"action":"DBGet","fields":{"Family":"a","Key":"b"}}` + "\n"
	for name, test := range map[string]struct {
		flags run.Globals
		want  []string
	}{
		"nowhere": {run.Globals{Output: "none"}, []string{"amictl: line 2: a: Nosuch: ", "amictl: line 3: ", "amictl: line 4: a: DBGet: "}},
		"a table": {run.Globals{Output: "table"}, []string{"amictl: line 2: ", "amictl: line 3: ", "amictl: line 4: "}},
		"a query": {run.Globals{Query: "fields.Ping"}, []string{"amictl: line 2: ", "amictl: line 3: ", "amictl: line 4: "}},
		"objects": {run.Globals{Output: "jsonl"}, []string{"amictl: line "}},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{pbx(t, "a")}, Stdin: lines, Flags: test.flags})
			if got := fail.Classify(send(t.Context(), r.Run, &options{args: []string{"-"}, keepGoing: true})).Exit; got != fail.ExitMixed {
				t.Errorf("status %d", got)
			}
			for _, want := range test.want {
				if strings.Count(r.Err.String(), want) != 1 {
					t.Errorf("%q is not there once: %s", want, r.Err)
				}
			}
			if got := strings.Count(r.Err.String(), "amictl: "); got != len(test.want) || strings.Contains(r.Err.String(), "line 3: line 3") {
				t.Errorf("%d failures, want %d: %s", got, len(test.want), r.Err)
			}
		})
	}
}

// Who feeds lines to a server that dies is told so at once, and what becomes of them.
func TestSendLinesTellsOfAnAbsence(t *testing.T) {
	srv := pbx(t, "a")
	in, feed := io.Pipe()
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	r.Stdin = in
	end := make(chan error, 1)
	go func() { end <- send(t.Context(), r.Run, &options{args: []string{"-"}, keepGoing: true}) }()
	put := func() { _, _ = io.WriteString(feed, `{"action":"Ping"}`+"\n") }
	put()
	runtest.Eventually(t, r.Out, `"line":1`)
	srv.SetDown(true)
	runtest.Eventually(t, r.Err, "amictl: a: the connection was lost; trying to get it back\n")
	put()
	put()
	runtest.Eventually(t, r.Err, "amictl: a has no session: lines wait until it has one, each for its timeout\n")
	srv.SetDown(false)
	runtest.Eventually(t, r.Err, "amictl: a is back after ")
	runtest.Eventually(t, r.Out, `"line":3`)
	_ = feed.Close()
	if err := <-end; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if n := strings.Count(r.Err.String(), "\n"); n != 3 {
		t.Errorf("%d lines instead of one of each: %s", n, r.Err)
	}
}
