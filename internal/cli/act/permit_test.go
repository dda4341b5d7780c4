package act

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func TestOnlyReads(t *testing.T) {
	command := func(text string) ami.Action { return ami.NewAction("command", "Command", text) }
	for name, test := range map[string]struct {
		action ami.Action
		want   bool
	}{
		"a list":        {ami.NewAction("QueueStatus"), true},
		"a change":      {ami.NewAction("QueuePause"), false},
		"unknown":       {ami.NewAction("Nosuch"), false},
		"show":          {command("core show channels"), true},
		"SHOW":          {command(" Core  SHOW channels"), true},
		"list":          {command("module list"), true},
		"help":          {command("help"), true},
		"help on":       {command("help core stop"), true},
		"no show":       {command("core stop now show"), false},
		"show alone":    {command("show"), false},
		"stop":          {command("core stop"), false},
		"nothing":       {command(""), false},
		"helpful":       {command("helpful core"), false},
		"show at first": {command("show core"), false},
	} {
		if got := OnlyReads(&test.action); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// What may change a protected server is refused where nobody can be asked, unless --yes says so; what only reads is not.
func TestAim(t *testing.T) {
	servers := []*amitest.Server{runtest.Server(t, "a"), runtest.Server(t, "b")}
	pause, read := ami.NewAction("QueuePause", "Interface", "x", "Xyz", "y"), ami.NewAction("QueueStatus")
	for name, test := range map[string]struct {
		fan    target.Fanout
		action ami.Action
		free   bool
		done   bool
		want   string // of the refusal
		warns  bool
	}{
		"a change":           {target.Fanout{All: true}, pause, false, false, "context test is protected and QueuePause may change something", false},
		"a change, agreed":   {target.Fanout{All: true, Yes: true}, pause, false, false, "", true},
		"a change elsewhere": {target.Fanout{All: true}, pause, true, false, "", true},
		"only reads":         {target.Fanout{All: true}, read, false, false, "", false},
		"shown":              {target.Fanout{All: true, DryRun: true}, pause, false, true, "", true},
		"nobody said which":  {target.Fanout{Yes: true}, pause, false, false, "2 nodes are selected", false},
		"shown to nobody":    {target.Fanout{DryRun: true}, pause, false, false, "2 nodes are selected", false},
	} {
		t.Run(name, func(t *testing.T) {
			setup := runtest.Setup{Servers: servers, Config: "protect = true"}
			if test.free {
				setup.Config = ""
			}
			r := runtest.New(t, setup)
			nodes, done, err := Aim(t.Context(), r.Run, &test.fan, new(target.Bus), &test.action)
			if test.want != "" {
				runtest.Refused(t, err, fail.CodeUsage, test.want)
			} else if err != nil || len(nodes) != 2 || done != test.done {
				t.Errorf("%d nodes, done %v, %v", len(nodes), done, err)
			}
			if said := strings.Contains(r.Err.String(), "QueuePause has no parameter Xyz"); said != test.warns {
				t.Errorf("it said %q", r.Err)
			}
			if printed := r.Out.String() != ""; printed != test.done {
				t.Errorf("printed %s", r.Out)
			}
		})
	}
}

// A dry run prints each action for each node that it would go to, or for one of those that it might.
func TestDryRun(t *testing.T) {
	nodes := []ami.Config{{Name: "a", Addr: "192.0.2.1:5038"}, {Name: "b", Addr: "192.0.2.2:5038"}}
	one, two := ami.NewAction("Ping"), ami.NewAction("CoreStatus")
	for name, test := range map[string]struct {
		fan     target.Fanout
		nodes   []ami.Config
		actions []ami.Action
		want    []string
		said    string
	}{
		"one":         {target.Fanout{}, nodes[:1], []ami.Action{one}, []string{"a Ping"}, ""},
		"two nodes":   {target.Fanout{All: true}, nodes, []ami.Action{one}, []string{"a Ping", "b Ping"}, ""},
		"two actions": {target.Fanout{}, nodes[:1], []ami.Action{one, two}, []string{"a Ping", "a CoreStatus"}, ""},
		"a route":     {target.Fanout{Route: "failover"}, nodes, []ami.Action{one}, []string{"a Ping"}, "amictl: dry run: or to another of 2 nodes; --route failover decides\n"},
		"a route, one node": {
			target.Fanout{Route: "failover"},
			nodes[:1],
			[]ami.Action{one},
			[]string{"a Ping"},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "jsonl"}})
			if err := DryRun(r.Run, &test.fan, test.nodes, test.actions...); err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(r.Out.String()) {
				o := gjson.Parse(line)
				got = append(got, o.Get("node").Str+" "+o.Get("action").Str)
				if !strings.HasPrefix(o.Get("packet").Str, "Action: "+o.Get("action").Str+"\r\n") || o.Get("line").Type != gjson.Null {
					t.Errorf("it would send %s", line)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" || r.Err.String() != test.said {
				t.Errorf("said %q, want %q; -want +got:\n%s", r.Err, test.said, diff)
			}
		})
	}
	for want, actions := range map[string][]ami.Action{"{": {one}, "[": {one, two}} { // a document of one is no list
		r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "json"}})
		if err := DryRun(r.Run, new(target.Fanout), nodes[:1], actions...); err != nil || !strings.HasPrefix(r.Out.String(), want) {
			t.Errorf("%d actions: %v, printed %s", len(actions), err, r.Out)
		}
	}
	r := runtest.New(t, runtest.Setup{})
	broken := ami.NewAction("Ping", "A", "b\r\nc")
	runtest.Refused(t, DryRun(r.Run, new(target.Fanout), nodes[:1], broken), fail.CodeInput, "A")
	if err := DryRunOnly(r.Run, new(target.Fanout), nodes[:1], &broken); NotDry(err) == nil {
		t.Error("a dry run that failed went well")
	}
	if err := DryRunOnly(r.Run, new(target.Fanout), nodes[:1], &one); err == nil || NotDry(err) != nil {
		t.Errorf("a dry run ends with %v", err)
	}
	if other := errors.New("x"); !errors.Is(NotDry(other), other) || NotDry(nil) != nil {
		t.Error("an error of something else is lost, or made up")
	}
}

// For the wire's own format the packet stands alone, and where it would go beside it. A line of input is told by its number.
func TestPrintDry(t *testing.T) {
	node, action := &ami.Config{Name: "a", Addr: "192.0.2.1:5038"}, ami.NewAction("Ping")
	for format, want := range map[string]string{"raw": "Action: Ping\r\n", "jsonl": `"line":7`} {
		r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: format}})
		p, err := r.Printer(run.CommandText, false, true)
		if err == nil {
			err = errors.Join(PrintDry(r.Run, p, node, &action, 7), p.Close())
		}
		if said := r.Err.String() == "amictl: dry run: to a (192.0.2.1:5038)\n"; err != nil || !strings.Contains(r.Out.String(), want) || said != (format == "raw") {
			t.Errorf("%s: %v, printed %q, said %q", format, err, r.Out, r.Err)
		}
	}
}

func TestShorten(t *testing.T) {
	for n, want := range []string{"", "a", "a, b", "a, b, c", "a, b, c, d", "a, b, c, d, e", "a, b, c, d, e, …", "a, b, c, d, e, …"} {
		if got := shorten(strings.Split("abcdefg", "")[:n]); got != want {
			t.Errorf("%d names: %q, want %q", n, got, want)
		}
	}
}

// Of many servers that other contexts protect a refusal names the first few.
func TestProtectionNamesAFew(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	var p Protection
	for i, want := range []string{
		"", "n1 is also in the protected context prod", "n1 is also in the protected context prod, n2 is also in the protected context prod, as other",
		"n1 is also in the protected context prod, n2 is also in the protected context prod, as other, n3 is also in the protected context prod",
		"n1 is also in the protected context prod, n2 is also in the protected context prod, as other, n3 is also in the protected context prod, and so are others",
	} {
		if got := p.Why(r.Run, ""); got != want {
			t.Errorf("%d: %q, want %q", i, got, want)
		}
		name := fmt.Sprintf("n%d", i+1)
		as := name
		if i == 1 {
			as = "other"
		}
		p.nodes = append(p.nodes, protected{name, "prod", as})
	}
	if got, want := p.Why(r.Run, "n2"), "n2 is also in the protected context prod, as other"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// What a command printed is judged line by line; the first condition that does not hold is told of.
func TestTextConditions(t *testing.T) {
	for name, test := range map[string]struct {
		expect, reject []string
		output         []string
		want, hint     string
	}{
		"nothing wanted":   {output: []string{"x"}},
		"it matches":       {expect: []string{"^b$"}, output: []string{"a", "b"}},
		"all of them":      {expect: []string{"a", "b"}, reject: []string{"c"}, output: []string{"a", "b"}},
		"one does not":     {expect: []string{"a", "c"}, output: []string{"a", "b"}, want: "pbx: the output does not match --expect 'c'", hint: outputHint},
		"nothing printed":  {expect: []string{"a"}, output: []string{" "}, want: "pbx: the command printed nothing, which does not match --expect 'a'", hint: silentHint},
		"what is rejected": {reject: []string{"x", "b+"}, output: []string{"a", "bbc"}, want: "pbx: the output matches --reject 'b+': bb", hint: outputHint},
		"an empty match":   {reject: []string{"^"}, output: []string{"a"}, want: "pbx: the output matches --reject '^': ", hint: outputHint},
		"expected first":   {expect: []string{"c"}, reject: []string{"a"}, output: []string{"a"}, want: "pbx: the output does not match --expect 'c'", hint: outputHint},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := NewTextConditions(test.expect, test.reject)
			if err != nil {
				t.Fatal(err)
			}
			d := wire.NewDecoder(wire.Limits{})
			d.Feed([]byte("Response: Success\r\nOutput: " + strings.Join(test.output, "\r\nOutput: ") + "\r\n\r\n"))
			m, err := d.Next()
			if err != nil {
				t.Fatal(err)
			}
			f := fail.Classify(c.Check("pbx", &ami.Reply{Message: m}))
			if f.Message != test.want || f.Hint != test.hint || (f.Code == fail.CodeCondition) != (test.want != "") {
				t.Errorf("%s: %q, hint %q; want %q, %q", f.Code, f.Message, f.Hint, test.want, test.hint)
			}
		})
	}
	for flag, texts := range map[string][2][]string{"--expect": {{"a", "("}, nil}, "--reject": {{"a"}, {"("}}} {
		_, err := NewTextConditions(texts[0], texts[1])
		runtest.Refused(t, err, fail.CodeUsage, flag+` "(": missing closing )`)
	}
}
