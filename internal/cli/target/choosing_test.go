package target

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
)

// three are nodes of a context, with labels.
const three = `
[contexts.test.nodes.fra1]
url = "ami://192.0.2.1"
labels = { site = "fra", tier = "1" }
[contexts.test.nodes.fra2]
url = "ami://192.0.2.2"
user = "second"
labels = { site = "fra", tier = "2" }
[contexts.test.nodes.lon1]
url = "amis://third@192.0.2.3:5040"
labels = { site = "lon" }
`

// words are nodes as NAME USER ADDRESS, with TLS behind that.
func words(nodes []ami.Config) (all []string) {
	for _, n := range nodes {
		word := n.Name + " " + n.Username + " " + n.Addr
		if n.TLS != nil {
			word += " TLS"
		}
		all = append(all, word)
	}
	return all
}

// file writes a file of the test's own, which nobody else may read.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNodesThatAreMeant(t *testing.T) {
	fra1, fra2, lon1 := "fra1 admin 192.0.2.1:5038", "fra2 second 192.0.2.2:5038", "lon1 third 192.0.2.3:5040 TLS"
	list := file(t, "list", "# those of the night\nfra2   # the second\n\n  lon* \nfra2\n")
	secret := "AMICTL_SECRET_FILE"
	for name, tt := range map[string]struct {
		nodes, labels []string
		env           map[string]string
		stdin         string
		want          []string
	}{
		"all":                    {want: []string{fra1, fra2, lon1}},
		"a name":                 {nodes: []string{"fra2"}, want: []string{fra2}},
		"a glob":                 {nodes: []string{"*1"}, want: []string{fra1, lon1}},
		"each once, as given":    {nodes: []string{"lon1", "fra*", "*"}, want: []string{lon1, fra1, fra2}},
		"a file":                 {nodes: []string{"@" + list}, want: []string{fra2, lon1}},
		"standard input":         {nodes: []string{"@-"}, stdin: "fra1\n", want: []string{fra1}},
		"the environment":        {env: map[string]string{"AMICTL_NODE": "lon1"}, want: []string{lon1}},
		"flag over environment":  {env: map[string]string{"AMICTL_NODE": "lon1"}, nodes: []string{"fra1"}, want: []string{fra1}},
		"a URL":                  {nodes: []string{"ami://me@host:1"}, env: map[string]string{secret: "/s"}, want: []string{"host:1 me host:1"}},
		"a label":                {labels: []string{"site=fra"}, want: []string{fra1, fra2}},
		"labels":                 {labels: []string{"site=fra", "tier=2"}, want: []string{fra2}},
		"a label of those":       {nodes: []string{"*1"}, labels: []string{"site=lon"}, want: []string{lon1}},
		"a URL with TLS":         {nodes: []string{"amis://me@host:1"}, env: map[string]string{secret: "/s"}, want: []string{"host:1 me host:1 TLS"}},
		"two users of one place": {nodes: []string{"ami://me@host:1", "fra1", "ami://me@host:1"}, env: map[string]string{secret: "/s"}, want: []string{"host:1 me host:1", fra1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: three, Env: tt.env, Stdin: tt.stdin, Flags: run.Globals{Nodes: tt.nodes, Labels: tt.labels}})
			nodes, err := Nodes(r.Run)
			if diff := cmp.Diff(tt.want, words(nodes)); diff != "" || err != nil {
				t.Errorf("%v: %s", err, diff)
			}
		})
	}
}

func TestNodesThatCannotBe(t *testing.T) {
	given := map[string]string{"AMICTL_SECRET_FILE": "/s"}
	for name, tt := range map[string]struct {
		flags  run.Globals
		env    map[string]string
		config string
		code   fail.Code
		text   string
	}{
		"no such name":          {run.Globals{Nodes: flags.List{"fra3"}}, nil, three, fail.CodeUsage, `context test has no node "fra3"`},
		"a label of none":       {run.Globals{Labels: flags.List{"site=par"}}, nil, three, fail.CodeUsage, "no node matches"},
		"no label":              {run.Globals{Labels: flags.List{"site"}}, nil, three, fail.CodeUsage, `--label "site" is not KEY=VALUE`},
		"local and a node":      {run.Globals{Local: true, Nodes: flags.List{"fra1"}}, nil, three, fail.CodeUsage, "--local and --node cannot be combined"},
		"manager.conf, a node":  {run.Globals{ManagerConf: "/x", Nodes: flags.List{"fra1"}}, nil, three, fail.CodeUsage, "--local and --node cannot be combined"},
		"no such file":          {run.Globals{Nodes: flags.List{"@/none"}}, nil, three, fail.CodeUsage, "--node @/none: no such file"},
		"one place, two users":  {run.Globals{Nodes: flags.List{"ami://a@h:1", "ami://b@h:1"}}, given, three, fail.CodeUsage, "two different nodes are called h:1: one of user a, one of user b"},
		"with and without TLS":  {run.Globals{Nodes: flags.List{"ami://a@h:1", "amis://a@h:1"}}, given, three, fail.CodeUsage, "two different nodes are called h:1"},
		"no context, no node":   {run.Globals{}, nil, "", fail.CodeUsage, "no node is given"},
		"no context, a name":    {run.Globals{Nodes: flags.List{"fra1"}}, nil, "", fail.CodeUsage, `there is no current context, so "fra1" names no node`},
		"a context of none":     {run.Globals{}, nil, "protect = true", fail.CodeConfig, "context test has no nodes"},
		"a URL that is none":    {run.Globals{Nodes: flags.List{"http://a@h"}}, given, three, fail.CodeUsage, "http://a@h"},
		"a URL without a user":  {run.Globals{Nodes: flags.List{"ami://h"}}, given, three, fail.CodeConfig, "h:5038: no user is given"},
		"a URL, and no secret":  {run.Globals{Nodes: flags.List{"ami://a@h"}}, nil, three, fail.CodeUsage, "h:5038: no secret is given"},
		"TLS of what has none":  {run.Globals{Nodes: flags.List{"fra1"}, TLSName: "x"}, nil, three, fail.CodeUsage, "--ca and --tls-name are for TLS, and ami://192.0.2.1 is not TLS"},
		"a CA of what has none": {run.Globals{Nodes: flags.List{"fra1"}, CA: "x"}, nil, three, fail.CodeUsage, "--ca and --tls-name are for TLS"},
		"an unknown method":     {run.Globals{}, nil, "auth = \"ntlm\"" + three, fail.CodeConfig, `fra1: auth "ntlm" is not one of the methods`},
		"a node that is broken": {run.Globals{Nodes: flags.List{"x"}}, nil, "[contexts.test.nodes.x]\nurl = \"amis://a@h\"\npin = \"ab\"", fail.CodeConfig, "the pin is not a SHA-256 in hex"},
		"one of all is broken":  {run.Globals{}, nil, "[contexts.test.nodes.x]\nurl = \"amis://a@h\"\npin = \"ab\"", fail.CodeConfig, "the pin is not a SHA-256 in hex"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: tt.config, Env: tt.env, Flags: tt.flags})
			_, err := Nodes(r.Run)
			if f := fail.Classify(err); (f.Code != tt.code && f.Code != fail.CodeConfig) || f.Exit != fail.ExitUsage || !strings.Contains(f.Message, tt.text) || f.Hint == "" {
				t.Errorf("the error is %+v; want %q with %q", f, tt.code, tt.text)
			}
		})
	}
}

// AMICTL_NODE says nothing of a run that is for this host's own Asterisk.
func TestLocalLeavesTheEnvironmentAlone(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Env: map[string]string{"AMICTL_NODE": "ami://a@h"}, Flags: run.Globals{Local: true, ManagerConf: "/none"}})
	_, err := Nodes(r.Run)
	runtest.Refused(t, err, fail.CodeConfig, "manager.conf cannot be read")
}

// Where there are other contexts the hint names them.
func TestHintsForNoNode(t *testing.T) {
	path := file(t, "c.toml", "[contexts.lab]\n[contexts.prod]\n")
	r := runtest.New(t, runtest.Setup{Flags: run.Globals{Config: path}})
	_, err := Nodes(r.Run)
	if f := fail.Classify(err); !strings.HasSuffix(f.Hint, "there is lab, prod") {
		t.Errorf("the hint is %q", f.Hint)
	}
	_, err = Nodes(runtest.New(t, runtest.Setup{}).Run)
	if f := fail.Classify(err); !strings.Contains(f.Hint, "amictl context add NAME") {
		t.Errorf("the hint is %q", f.Hint)
	}
}

// What was probably meant by a word that names no node.
func TestHintsForAWordThatNamesNoNode(t *testing.T) {
	names := []string{"fra1", "fra2", "lon1"}
	for word, want := range map[string]string{
		"192.0.2.1":           "an address is written as a URL, ami://USER@192.0.2.1",
		"2001:db8::1":         "an address is written as a URL, ami://USER@[2001:db8::1]",
		"host:5038":           "an address is written as a URL, ami://USER@host:5038",
		"me@host":             "an address is written as a URL, ami://me@host",
		"me:canary@host:5038": "an address is written as a URL, ami://me@host:5038",
		"@host":               "an address is written as a URL, ami://USER@@host",
		"fra1,fra2":           "--node may repeat: --node fra1 --node fra2",
		"ALL":                 "without --node it is all of them, and so is --node '*'",
		"10":                  "-n is --node; `amictl context show` lists the nodes, and a number of things is --count 10 where there is one",
		"fra3":                "fra1",
		"f10":                 "`amictl context show` lists the nodes",
	} {
		if got := strayHint(word, names); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}

// What a node has of its own comes before what its context has.
func TestNodeBeforeItsContext(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Flags: run.Globals{}})
	c := &config.Context{User: "theirs", Secret: "env:THEIRS", Auth: "plain"}
	for _, tt := range []struct {
		node config.Node
		user string
		auth ami.AuthMethod
	}{
		{config.Node{URL: "ami://h"}, "theirs", ami.AuthPlain},
		{config.Node{URL: "ami://h", User: "own", Auth: "md5"}, "own", ami.AuthMD5},
		{config.Node{URL: "ami://url@h", User: "own", Auth: "auto"}, "url", 0},
	} {
		n, err := Node(r.Run, "pbx1", &tt.node, c)
		if err != nil || n.Name != "pbx1" || n.Username != tt.user || n.Auth != tt.auth {
			t.Errorf("%+v: %s, %v, %v", tt, n.Username, n.Auth, err)
		}
	}
	n, err := Node(r.Run, "", &config.Node{URL: "ami://h", Labels: map[string]string{"a": "b"}, Filters: []string{"Event: Hangup", "!Event: VarSet"}}, c)
	filters := [][]ami.Field{{{Name: "Filter", Value: "Event: Hangup"}}, {{Name: "Filter", Value: "!Event: VarSet"}}}
	if diff := cmp.Diff(filters, n.Filters); diff != "" || err != nil || n.Name != "h:5038" || n.Labels["a"] != "b" {
		t.Errorf("%v, %+v: %s", err, n, diff)
	}
	_, err = Node(r.Run, "pbx1", &config.Node{URL: "ami://h", User: "two\nlines"}, c)
	runtest.Refused(t, err, fail.CodeConfig, "pbx1: the user ")
}

// --timeout bounds each action. --connect-timeout bounds the dial and the login; without it they have the engine's own bounds.
func TestTimesOfANode(t *testing.T) {
	for _, connect := range []time.Duration{0, 7 * time.Second} {
		r := runtest.New(t, runtest.Setup{})
		r.Settings.Timeout, r.Settings.ConnectTimeout = 3*time.Second, connect
		n, err := Node(r.Run, "", &config.Node{URL: "ami://a@h", Secret: "env:X"}, &config.Context{})
		if err != nil || n.Timeouts.Action != 3*time.Second || n.Timeouts.Dial != connect || n.Timeouts.Login != connect {
			t.Errorf("%v: %+v, %v", connect, n.Timeouts, err)
		}
	}
}

func TestHasLabels(t *testing.T) {
	has := map[string]string{"site": "fra", "empty": ""}
	for want, all := range map[bool][][]string{
		true:  {nil, {"site=fra"}, {"empty="}, {"site=fra", "empty="}},
		false: {{"site=lon"}, {"tier="}, {"site=fra", "tier=1"}, {"site=fra", "empty=x"}, {"site=fr"}},
	} {
		for _, labels := range all {
			if HasLabels(has, labels) != want {
				t.Errorf("%q: %t", labels, !want)
			}
		}
	}
}

// A line of a list that is too long is an error, and no shorter list.
func TestListOfNodesThatIsTooLong(t *testing.T) {
	path := file(t, "list", "fra1\n"+strings.Repeat("x", 100<<10))
	r := runtest.New(t, runtest.Setup{Config: three, Flags: run.Globals{Nodes: flags.List{"@" + path}}})
	_, err := Nodes(r.Run)
	runtest.Refused(t, err, fail.CodeUsage, "@"+path+": ")
}
