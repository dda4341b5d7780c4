package send

import (
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A dry run shows each line's action for the nodes that it would go to, and refuses what would be refused, without a connection.
func TestSendLinesDry(t *testing.T) {
	const ping = `{"action":"Ping"}` + "\n"
	a, b := pbx(t, "a"), pbx(t, "b")
	one, two := []*amitest.Server{a}, []*amitest.Server{a, b}
	for name, test := range map[string]struct {
		servers []*amitest.Server
		options options
		lines   string
		want    []string // node and line of what is printed
		exit    int
		said    string
	}{
		"one node":            {one, options{}, ping + "\n  \n" + ping, []string{"a 1", "a 4"}, fail.ExitOK, ""},
		"the line's node":     {two, options{}, `{"action":"Ping","node":"b"}` + "\n" + `{"action":"Ping","node":"a"}`, []string{"b 1", "a 2"}, fail.ExitOK, ""},
		"the line's own node": {two, options{Fanout: target.Fanout{All: true}}, `{"action":"Ping","node":"b"}`, []string{"b 1"}, fail.ExitOK, ""},
		"every node":          {two, options{Fanout: target.Fanout{All: true}}, ping, []string{"a 1", "b 1"}, fail.ExitOK, ""},
		"the first of some":   {two, options{Fanout: target.Fanout{Route: "failover"}}, ping, []string{"a 1"}, fail.ExitOK, ""},
		"none of several":     {two, options{}, ping + ping, nil, fail.ExitUsage, "line 1 names no node, and 2 are selected"},
		"no such node":        {two, options{}, `{"action":"Ping","node":"c"}`, nil, fail.ExitUsage, `line 1: there is no node "c"`},
		"no action":           {one, options{}, "{}\n" + ping, nil, fail.ExitUsage, "line 1: no action"},
		"and on":              {one, options{keepGoing: true}, ping + "{}\n" + ping, []string{"a 1", "a 3"}, fail.ExitMixed, "line 2: no action"},
		"a long line":         {one, options{keepGoing: true}, strings.Repeat("x", 2<<20) + "\n" + ping, []string{"a 2"}, fail.ExitMixed, "line 1: it is longer than 1 MiB"},
		"nothing":             {one, options{}, "", nil, fail.ExitOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers, Stdin: test.lines, Flags: run.Globals{Output: "jsonl"}})
			test.options.args, test.options.DryRun = []string{"-"}, true
			err := send(t.Context(), r.Run, &test.options)
			var got []string
			for line := range strings.Lines(r.Out.String()) {
				got = append(got, gjson.Get(line, "node").Str+" "+gjson.Get(line, "line").Raw)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if f := fail.Classify(err); f.Exit != test.exit || !strings.Contains(r.Err.String(), test.said) || test.said == "" && r.Err.String() != "" {
				t.Errorf("status %d, want %d; said %q, want %q", f.Exit, test.exit, r.Err, test.said)
			}
		})
	}
	if n := a.Ledger().Accepted + b.Ledger().Accepted; n != 0 {
		t.Errorf("servers were dialled %d times", n)
	}
}

// What cannot be read ends a run of lines, dry or not, with what is known of it: the lines before that were taken.
func TestSendLinesUnreadable(t *testing.T) {
	a := pbx(t, "a")
	for _, dry := range []bool{false, true} {
		t.Run(fmt.Sprintf("dry %v", dry), func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{a}})
			r.Stdin = &thenFails{text: strings.NewReader(`{"action":"Ping","id":"one"}` + "\n" + `{"action":"Ping"`)}
			err := send(t.Context(), r.Run, &options{args: []string{"-"}, Fanout: target.Fanout{DryRun: dry}})
			if said := fail.Classify(err).Message + r.Err.String() + r.Out.String(); !strings.Contains(said, "standard input cannot be read: timeout") || strings.Contains(said, "line 2: not JSON") {
				t.Errorf("said %s", said)
			}
			if got := strings.Count(r.Out.String(), `Ping`); got == 0 {
				t.Errorf("the first line is not there: %s", r.Out)
			}
		})
	}
}

// thenFails reads a text and then fails.
type thenFails struct{ text *strings.Reader }

func (r *thenFails) Read(p []byte) (int, error) {
	if r.text.Len() > 0 {
		return r.text.Read(p)
	}
	return 0, iotest.ErrTimeout
}
