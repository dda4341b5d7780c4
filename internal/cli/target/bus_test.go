package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
)

// busFlags are the flags of a bus as args say.
func busFlags(t *testing.T, args ...string) *Bus {
	t.Helper()
	b := &Bus{}
	c := &cli.Command{Name: "tail", Flags: b.Flags(), Action: func(context.Context, *cli.Command) error { return nil }}
	if err := c.Run(t.Context(), append([]string{"tail"}, args...)); err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	onBus   = "nats = \"nats://bus:4222\"\ncluster = \"prod\"\nnats_creds = \"~/creds\"\nnats_nkey = \"/nkey\"\nnats_ca = \"/ca\"\nnats_user = \"ops\"\n"
	anURL   = "ami://a@h"
	aNode   = "[contexts.test.nodes.pbx1]\nurl = \"ami://192.0.2.1\"\n"
	another = "nats://other:1"
)

// The bus is the one of the flags, else the context's; nothing of the context goes to another bus.
func TestBusAddress(t *testing.T) {
	theirs := run.BusAddress{URL: "nats://bus:4222", Cluster: "prod", Creds: "/h/creds", NKey: "/nkey", CA: "/ca", User: "ops"}
	cluster := func(name string) run.BusAddress {
		a := theirs
		a.Cluster = name
		return a
	}
	for name, tt := range map[string]struct {
		config string
		args   []string
		flags  run.Globals
		env    map[string]string
		want   run.BusAddress
		ok     bool
		wrong  string
	}{
		"the context's":        {onBus, nil, run.Globals{}, nil, theirs, true, ""},
		"named once more":      {onBus, []string{"--nats", "nats://bus:4222"}, run.Globals{}, nil, theirs, true, ""},
		"another cluster":      {onBus, []string{"--cluster", "lab"}, run.Globals{}, nil, cluster("lab"), true, ""},
		"another bus":          {onBus, []string{"--nats", another}, run.Globals{}, nil, run.BusAddress{URL: another, Cluster: "prod", User: "ops"}, true, ""},
		"the flags'":           {"", []string{"--nats", another, "--cluster", "lab"}, run.Globals{}, nil, run.BusAddress{URL: another, Cluster: "lab", User: "amictl"}, true, ""},
		"none":                 {"protect = true\n", nil, run.Globals{}, nil, run.BusAddress{}, false, ""},
		"no context":           {"", nil, run.Globals{}, nil, run.BusAddress{}, false, ""},
		"a URL is meant":       {onBus, nil, run.Globals{Nodes: flags.List{anURL}}, nil, run.BusAddress{}, false, ""},
		"one of several":       {onBus, nil, run.Globals{Nodes: flags.List{"pbx1", anURL}}, nil, run.BusAddress{}, false, ""},
		"in the environment":   {onBus, nil, run.Globals{}, map[string]string{"AMICTL_NODE": anURL}, run.BusAddress{}, false, ""},
		"a name is meant":      {onBus, nil, run.Globals{Nodes: flags.List{"pbx1"}}, nil, theirs, true, ""},
		"this host":            {onBus, nil, run.Globals{Local: true}, nil, run.BusAddress{}, false, ""},
		"a manager.conf":       {onBus, nil, run.Globals{ManagerConf: "/x"}, nil, run.BusAddress{}, false, ""},
		"this host, and flags": {onBus, []string{"--nats", another, "--cluster", "lab"}, run.Globals{Local: true}, nil, run.BusAddress{URL: another, Cluster: "lab", User: "amictl"}, true, ""},
		"a cluster of no bus":  {"", []string{"--cluster", "lab"}, run.Globals{}, nil, run.BusAddress{}, false, "--cluster is a name on a bus, and none is given"},
		"a bus of no cluster":  {"", []string{"--nats", another}, run.Globals{}, nil, run.BusAddress{}, false, "the bus nats://other:1 may have several clusters"},
		"no URL":               {"", []string{"--nats", "bus", "--cluster", "lab"}, run.Globals{}, nil, run.BusAddress{}, false, `--nats "bus" is not the URL of a NATS server`},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"HOME": "/h"}
			if tt.config != "" { // the home folder is where the configuration is written
				env = map[string]string{"HOME": t.TempDir()}
				if tt.want.Creds != "" {
					tt.want.Creds = env["HOME"] + "/creds"
				}
			}
			for k, v := range tt.env {
				env[k] = v
			}
			r := runtest.New(t, runtest.Setup{Config: tt.config, Env: env, Flags: tt.flags})
			a, ok, err := busFlags(t, tt.args...).Address(r.Run)
			if tt.wrong != "" {
				runtest.Refused(t, err, fail.CodeUsage, tt.wrong)
				return
			}
			if !tt.ok {
				a = run.BusAddress{}
			}
			if diff := cmp.Diff(tt.want, a); diff != "" || ok != tt.ok || err != nil {
				t.Errorf("%t, %v: %s", ok, err, diff)
			}
		})
	}
}

// A subcommand may have a word in the place of the URL, and only that one.
func TestBusAddressThatIsAWord(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	if a, ok, err := busFlags(t, "--nats", "embedded", "--cluster", "x").AddressOr(r.Run, "embedded"); err != nil || !ok || a.URL != "embedded" {
		t.Errorf("%+v, %t, %v", a, ok, err)
	}
	_, _, err := busFlags(t, "--nats", "another", "--cluster", "x").AddressOr(r.Run, "embedded")
	runtest.Refused(t, err, fail.CodeUsage, "is not the URL of a NATS server")
}

// For what servers do as well, a context's nodes come before its bus.
func TestBusThatIsChosen(t *testing.T) {
	for name, tt := range map[string]struct {
		config string
		args   []string
		ok     bool
	}{
		"a bus":                   {onBus, nil, true},
		"a bus, and nodes":        {onBus + aNode, nil, false},
		"a cluster is named":      {onBus + aNode, []string{"--cluster", "x"}, true},
		"a bus is named":          {onBus + aNode, []string{"--nats", another}, true},
		"nodes":                   {aNode, nil, false},
		"neither":                 {"", nil, false},
		"neither, a bus is named": {"", []string{"--nats", another, "--cluster", "x"}, true},
	} {
		b := busFlags(t, tt.args...)
		if _, ok, err := b.Chosen(runtest.New(t, runtest.Setup{Config: tt.config}).Run); ok != tt.ok || err != nil {
			t.Errorf("%s: %t, %v", name, ok, err)
		}
		if b.Given() != (tt.args != nil) {
			t.Errorf("%s: given is %t", name, b.Given())
		}
	}
}

// Who acts over a bus is told which nodes are meant, by name; the nodes that are found are the run's.
func TestServersOfABus(t *testing.T) {
	var asked []run.BusQuery
	found := []ami.Config{{Name: "pbx1"}}
	var wrong error
	actor := func(_ context.Context, q run.BusQuery, timeout time.Duration) ([]ami.Config, error) {
		if timeout != 5*time.Second || q.Log == nil {
			t.Errorf("an action has %v, and the log is %v", timeout, q.Log)
		}
		q.Log = nil
		asked = append(asked, q)
		return found, wrong
	}
	b := busFlags(t)
	r := runtest.New(t, runtest.Setup{Config: onBus, Flags: run.Globals{Nodes: flags.List{"pbx*", "lon1"}}})
	r.BusActor, r.Settings.Timeout = actor, 5*time.Second
	if b.Used() || b.NeedsServers("x") != nil {
		t.Error("the bus is used before it is")
	}
	for _, get := range []func(context.Context, *run.Run) ([]ami.Config, error){b.Servers, b.Followed} {
		if nodes, err := get(t.Context(), r.Run); err != nil || len(nodes) != 1 || nodes[0].Name != "pbx1" {
			t.Errorf("%v, %v", nodes, err)
		}
	}
	address, _, _ := b.Address(r.Run)
	want := []run.BusQuery{{BusAddress: address, Nodes: []string{"pbx*", "lon1"}}, {BusAddress: address, Nodes: []string{"pbx*", "lon1"}, Events: true}}
	if diff := cmp.Diff(want, asked); diff != "" || !b.Used() {
		t.Errorf("used %t: %s", b.Used(), diff)
	}
	runtest.Refused(t, b.NeedsServers("--follow"), fail.CodeUsage, "--follow needs a session with events")
	found = nil
	_, err := b.Servers(t.Context(), r.Run)
	runtest.Refused(t, err, fail.CodeUsage, "no node of the bus matches")
	wrong = errors.New("bus: nobody answers")
	_, err = b.Servers(t.Context(), r.Run)
	runtest.Refused(t, err, fail.CodeConnect, "nats://bus:4222: nobody answers")
	r.Flags.Labels = flags.List{"site=fra"}
	_, err = b.Servers(t.Context(), r.Run)
	runtest.Refused(t, err, fail.CodeUsage, "a bus knows no labels")
}

// Where the nodes are servers the bus has no part in it, and an address that is wrong is one in any case.
func TestServersThatAreNotOnABus(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Config: aNode})
	b := busFlags(t)
	nodes, err := b.Servers(t.Context(), r.Run)
	if diff := cmp.Diff([]string{"pbx1 admin 192.0.2.1:5038"}, words(nodes)); diff != "" || err != nil || b.Used() {
		t.Errorf("%v, used %t: %s", err, b.Used(), diff)
	}
	_, err = busFlags(t, "--cluster", "x").Servers(t.Context(), r.Run)
	runtest.Refused(t, err, fail.CodeUsage, "--cluster is a name on a bus")
}

// amictl, which has no bus, needs amictld for one, and says for what.
func TestServersOfABusNeedTheDaemon(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	r := runtest.New(t, runtest.Setup{Config: onBus})
	_, err := busFlags(t).Servers(t.Context(), r.Run)
	runtest.Refused(t, err, fail.CodeUsage, "an action over a bus needs amictld")
	_, err = busFlags(t).Followed(t.Context(), r.Run)
	runtest.Refused(t, err, fail.CodeUsage, "to follow servers over a bus needs amictld")
}

func TestNodesOfABus(t *testing.T) {
	b := &Bus{}
	for _, tt := range []struct {
		flags run.Globals
		want  []string
		wrong string
	}{
		{run.Globals{}, nil, ""},
		{run.Globals{Nodes: flags.List{"a", "b*"}}, []string{"a", "b*"}, ""},
		{run.Globals{Nodes: flags.List{"@" + file(t, "list", "a\nb\n")}}, []string{"a", "b"}, ""},
		{run.Globals{Nodes: flags.List{"a", anURL}}, nil, "a URL names a server, and the nodes of a bus have names"},
		{run.Globals{Nodes: flags.List{"@/none"}}, nil, "--node @/none: "},
		{run.Globals{Labels: flags.List{"a=b"}}, nil, "a bus knows no labels"},
	} {
		got, err := b.Nodes(runtest.New(t, runtest.Setup{Flags: tt.flags}).Run)
		if tt.wrong != "" {
			runtest.Refused(t, err, fail.CodeUsage, tt.wrong)
		} else if diff := cmp.Diff(tt.want, got); diff != "" || err != nil {
			t.Errorf("%v: %s", err, diff)
		}
	}
	for _, tt := range []struct {
		globs []string
		want  bool
	}{{nil, true}, {[]string{"pbx1"}, true}, {[]string{"x", "pbx*"}, true}, {[]string{"pbx"}, false}, {[]string{"x"}, false}} {
		if OfNodes(tt.globs, "pbx1") != tt.want {
			t.Errorf("%q: %t", tt.globs, !tt.want)
		}
	}
}

func TestBusURLs(t *testing.T) {
	for _, text := range []string{"nats://h", "tls://h:1", "ws://h", "wss://h", "nats://a, tls://b:2"} {
		if err := CheckBusURL(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"":                   "is not the URL of a NATS server",
		"h:4222":             "is not the URL of a NATS server",
		"http://h":           "is not the URL of a NATS server",
		"nats://":            "is not the URL of a NATS server",
		"nats://h,x":         `--nats "x" is not the URL`,
		"nats://h\n":         "",
		"nats://a:canary@h":  "a secret in a URL is refused",
		"nats://token@h":     "a secret in a URL is refused",
		"nats://h,tls://t@h": "a secret in a URL is refused",
		"nats://h:port":      "is not the URL",
		"http://a:canary@h":  "is not the URL",
	} {
		err := CheckBusURL(text)
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", text, err)
			}
			continue
		}
		runtest.Refused(t, err, fail.CodeUsage, want)
		if f := fail.Classify(err); strings.Contains(f.Message+f.Hint, "canary") || f.Hint == "" {
			t.Errorf("%q: %+v", text, f)
		}
	}
}

func TestBusErrors(t *testing.T) {
	const url = "nats://a:canary@h"
	own := fail.Usage("hint", "own")
	if got := BusError(url, fmt.Errorf("x: %w", own)); fail.Classify(got).Message != "own" {
		t.Errorf("%v", got)
	}
	for _, tt := range []struct {
		err  error
		code fail.Code
		hint string
	}{
		{errors.New("bus: nobody answers"), fail.CodeConnect, "does a bridge"},
		{fmt.Errorf("bus: nobody answers: %w", ami.ErrUnauthorized), fail.CodePermission, "docs/bus.md has the permissions"},
	} {
		f := fail.Classify(BusError(url, tt.err))
		if f.Code != tt.code || !strings.HasPrefix(f.Message, "nats://a:[secret]@h: nobody answers") || !strings.Contains(f.Hint, tt.hint) {
			t.Errorf("%+v", f)
		}
	}
}

// stream is a stream of no events.
type stream struct{ run.EventStream }

func TestOpenBus(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	q := run.BusQuery{BusAddress: run.BusAddress{URL: "nats://h"}, Nodes: []string{"a"}}
	r.Bus = func(_ context.Context, got run.BusQuery) (run.EventStream, error) {
		if diff := cmp.Diff(q, got); diff != "" {
			t.Error(diff)
		}
		return stream{}, nil
	}
	if s, err := OpenBus(t.Context(), r.Run, q); err != nil || s != (stream{}) {
		t.Errorf("%v, %v", s, err)
	}
	r.Bus = func(context.Context, run.BusQuery) (run.EventStream, error) { return nil, os.ErrDeadlineExceeded }
	s, err := OpenBus(t.Context(), r.Run, q)
	if runtest.Refused(t, err, fail.CodeConnect, "nats://h: "); s != nil {
		t.Errorf("%v", s)
	}
}
