package contexts

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// printed is what a subcommand prints, each record as the text of these fields.
func printed(t *testing.T, r *runtest.Run, do func(context.Context, *run.Run, *options) error, args []string, fields ...string) (lines []string) {
	t.Helper()
	if err := do(t.Context(), r.Run, &options{args: args}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(r.Out.String()) {
		var words []string
		for _, f := range gjson.GetMany(line, fields...) {
			words = append(words, f.String())
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

// three is a context with three nodes, and two contexts more.
const three = `protect = true
ca = "ca.pem"
auth = "md5"
[contexts.test.nodes.pbx10]
url = "amis://ops@10.0.0.10"
secret = "env:TEN"
ca = "/etc/ten.pem"
tls_name = "ten"
pin = "abcd"
auth = "plain"
labels = { site = "fra", rack = "2" }
[contexts.test.nodes.pbx2]
url = "ami://10.0.0.2"
user = "two"
labels = { site = "ber" }
[contexts.test.nodes.pbx1]
url = "ami://10.0.0.1"
[contexts.lab.nodes.a]
url = "ami://a"
[contexts.empty]
`

func TestListTellsOfEachContext(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Config: three})
	got := printed(t, r, list, nil, "context", "current", "nodes", "protect")
	want := []string{"empty false 0 false", "lab false 1 false", "test true 3 true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if said := r.Err.String(); said != "" {
		t.Errorf("it says %q", said)
	}
}

// Whoever has no configuration yet learns where it would be.
func TestListOfNothing(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	if got := printed(t, r, list, nil, "context"); len(got) != 0 {
		t.Errorf("it prints %q", got)
	}
	if want := filepath.Join("amictl", "config.toml") + " has no contexts; see `amictl context --help`"; !strings.Contains(r.Err.String(), want) {
		t.Errorf("it says %q", r.Err)
	}
}

func TestShowTellsOfEachNode(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want []string
	}{
		"the current context": {nil, []string{
			`test pbx1 ami://10.0.0.1 admin {}`, `test pbx2 ami://10.0.0.2 two {"site":"ber"}`, `test pbx10 amis://ops@10.0.0.10 ops {"rack":"2","site":"fra"}`,
		}},
		"one by name":    {[]string{"lab"}, []string{`lab a ami://a  {}`}},
		"one of nothing": {[]string{"empty"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: three})
			if diff := cmp.Diff(test.want, printed(t, r, show, test.args, "context", "node", "url", "user", "labels")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A node's own secret is shown before its context's, and labels as they are selected by.
func TestShowInATable(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Config: three, Flags: run.Globals{Output: "table", Fields: "node,secret,labels"}})
	if err := show(t.Context(), r.Run, &options{}); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(r.Out.String()) {
		rows = append(rows, strings.Join(strings.Fields(line), " "))
	}
	if len(rows) != 4 || !strings.Contains(rows[1], "file:") || rows[3] != "pbx10 env:TEN rack=2 site=fra" {
		t.Errorf("the table is %q", rows)
	}
}

func TestWithoutACurrentContext(t *testing.T) {
	for name, do := range map[string]func(context.Context, *run.Run, *options) error{"show": show, "check": check} {
		t.Run(name, func(t *testing.T) {
			runtest.Refused(t, do(t.Context(), runtest.New(t, runtest.Setup{}).Run, &options{}), fail.CodeUsage, "there is no current context")
		})
	}
}

// Nodes that cannot be reached or whose settings are wrong are told of in the nodes' order, each with its reason, and the
// exit status says whether all ended alike.
func TestCheck(t *testing.T) {
	pbx := runtest.Server(t, "pbx1", amitest.WithFailDelay(0))
	const wrong = "[contexts.test.nodes.pbx0]\nurl = \"http://a\"\n"
	const away = "[contexts.test.nodes.pbx0]\nurl = \"ami://127.0.0.1:1\"\n"
	for name, test := range map[string]struct {
		setup runtest.Setup
		want  []string
		exit  int
		said  []string
	}{
		"all are right": {runtest.Setup{Servers: []*amitest.Server{pbx}}, []string{"context-check test pbx1 true "}, fail.ExitOK, nil},
		"one is wrong": {
			runtest.Setup{Servers: []*amitest.Server{pbx}, Config: wrong},
			[]string{"context-check test pbx0 false config", "context-check test pbx1 true "},
			fail.ExitMixed,
			[]string{`"http://a" is neither ami`},
		},
		"all are wrong":  {runtest.Setup{Config: wrong}, []string{"context-check test pbx0 false config"}, fail.ExitUsage, []string{"neither"}},
		"there are none": {runtest.Setup{Config: "protect = true"}, nil, fail.ExitOK, nil},
		"one is away":    {runtest.Setup{Config: away}, []string{"context-check test pbx0 false connect"}, fail.ExitConnect, []string{"pbx0: cannot connect"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, test.setup)
			if got := fail.Classify(check(t.Context(), r.Run, &options{})).Exit; got != test.exit {
				t.Errorf("the exit status is %d, want %d", got, test.exit)
			}
			var got []string
			for line := range strings.Lines(r.Out.String()) {
				f := gjson.GetMany(line, "type", "context", "node", "ok", "code")
				got = append(got, f[0].Str+" "+f[1].Str+" "+f[2].Str+" "+f[3].Raw+" "+f[4].Str)
				if gjson.Get(line, "reason").Exists() == f[3].Bool() {
					t.Errorf("a reason goes with a failure: %s", line)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			for _, text := range test.said {
				if !strings.Contains(r.Err.String(), text) {
					t.Errorf("it says %q, without %q", r.Err, text)
				}
			}
			if len(test.said) == 0 && r.Err.String() != "" {
				t.Errorf("it says %q", r.Err)
			}
		})
	}
}

// --timeout is for actions, and a login is none.
func TestTimeoutIsRefused(t *testing.T) {
	var timeout flags.Duration
	if err := timeout.Set("3s"); err != nil {
		t.Fatal(err)
	}
	setup := runtest.Setup{Config: three, Flags: run.Globals{Timeout: timeout}}
	r := runtest.New(t, setup)
	runtest.Refused(t, check(t.Context(), r.Run, &options{}), fail.CodeUsage, "--timeout is for an action")
	runtest.Refused(t, add(t.Context(), r.Run, &addOptions{context: "lab"}), fail.CodeUsage, "--timeout is for an action")
}
