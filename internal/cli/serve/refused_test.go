package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/serve/web"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// onBus is a bus that --nats and --cluster name.
func onBus(url, cluster string) (b target.Bus) {
	for i, value := range []string{url, cluster} {
		*b.Flags()[i].(*cli.StringFlag).Destination = value
	}
	return b
}

// count is a number that a flag was given.
func count(n int) flags.Count { return flags.Count{Value: n, Given: true} }

// A stream is made as the flags say, else as one is by default.
func TestStorage(t *testing.T) {
	for name, test := range map[string]struct {
		options bridgeOptions
		want    bus.Storage
		refused string
	}{
		"by default": {bridgeOptions{}, bus.Storage{Retain: bus.DefaultRetain, MaxBytes: bus.DefaultMaxBytes, Replicas: bus.DefaultReplicas}, ""},
		"as is said": {
			bridgeOptions{retain: flags.Duration{Value: time.Hour, Given: true}, maxBytes: flags.Size{Value: 5, Given: true}, replicas: count(5)},
			bus.Storage{Retain: time.Hour, MaxBytes: 5, Replicas: 5},
			"",
		},
		"one":   {bridgeOptions{replicas: count(1)}, bus.Storage{Retain: bus.DefaultRetain, MaxBytes: bus.DefaultMaxBytes, Replicas: 1}, ""},
		"none":  {bridgeOptions{replicas: count(0)}, bus.Storage{}, "--replicas 0 is not"},
		"seven": {bridgeOptions{replicas: count(6)}, bus.Storage{}, "--replicas 6 is not"},
	} {
		got, err := test.options.storage()
		if test.refused != "" {
			runtest.Refused(t, err, fail.CodeUsage, test.refused)
		} else if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

// A bridge is where a bus is named; it has the host's name unless it gets another.
func TestBridge(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		options bridgeOptions
		each    []string
		config  string
		want    string // name, cluster, URL, user, the bytes of its stream, events, hot; "" no bridge
	}{
		"none":                     {bridgeOptions{}, nil, "", ""},
		"none, with names for one": {bridgeOptions{}, []string{"Hangup"}, "", ""},
		"the host's name":          {bridgeOptions{bus: onBus("nats://b", "c")}, nil, "", host + " c nats://b amictl 10240M  false"},
		"as is said": {
			bridgeOptions{bus: onBus("nats://b", "c"), name: "x", hot: true, each: flags.List{"Hangup, Queue*", "New*"}},
			[]string{"Dial*"},
			"",
			"x c nats://b amictl 10240M Hangup,Queue*,New* true",
		},
		"by the context":   {bridgeOptions{name: "x"}, []string{"Hangup"}, "nats = \"nats://k\"\ncluster = \"d\"\nnats_user = \"me\"", "x d nats://k me 10240M Hangup false"},
		"embedded":         {bridgeOptions{bus: onBus("embedded", "c"), name: "x"}, nil, "", "x c embedded amictl 256M  false"},
		"embedded, larger": {bridgeOptions{bus: onBus("embedded", "c"), name: "x", maxBytes: flags.Size{Value: 1 << 30, Given: true}}, nil, "", "x c embedded amictl 1024M  false"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: test.config})
			b, err := newBridge(r.Run, &test.options, test.each)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if b != nil {
				o := b.options
				words := []string{o.Name, o.Cluster, b.access.URL, b.access.User, mib(o.Storage.MaxBytes), strings.Join(o.Each, ","), "false"}
				if o.Hot {
					words[6] = "true"
				}
				got = strings.Join(words, " ")
				if (b.dir != "") != (b.access.URL == embedded) || b.access.Name != "amictl serve "+o.Name {
					t.Errorf("it is kept in %q, and is called %q", b.dir, b.access.Name)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func mib(n int64) string {
	b, _ := json.Marshal(n >> 20)
	return string(b) + "M"
}

// What is for a bus needs one, and names of events have to be some.
func TestBridgeRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		options bridgeOptions
		want    string
	}{
		"hot without a bus":   {bridgeOptions{hot: true}, "--hot is for a bridge to a bus"},
		"each without a bus":  {bridgeOptions{each: flags.List{"Hangup"}}, "--each puts events on a bus"},
		"spool without a bus": {bridgeOptions{spool: flags.Size{Value: 1 << 30, Given: true}}, "--spool keeps events for a bus"},
		"an empty name":       {bridgeOptions{bus: onBus("nats://b", "c"), each: flags.List{"Hangup,,Dial"}}, `--each "Hangup,,Dial" has an empty name`},
		"a condition":         {bridgeOptions{bus: onBus("nats://b", "c"), each: flags.List{"Cause=16"}}, "is no event's name"},
		"no cluster":          {bridgeOptions{bus: onBus("nats://b", "")}, "may have several clusters"},
		"no such replicas":    {bridgeOptions{bus: onBus("nats://b", "c"), replicas: count(9)}, "--replicas 9"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := newBridge(runtest.New(t, runtest.Setup{}).Run, &test.options, nil)
			if b != nil {
				t.Errorf("there is a bridge: %+v", b)
			}
			runtest.Refused(t, err, fail.CodeUsage, test.want)
		})
	}
}

// An embedded server's streams are where systemd says, or in the home folder, and never in the current one.
func TestStateFolder(t *testing.T) {
	for name, test := range map[string]struct {
		env  map[string]string
		want string // ~ is the home folder
	}{
		"at home":      {nil, "~/.local/state/amictl/nats"},
		"of XDG":       {map[string]string{"XDG_STATE_HOME": "/x"}, "/x/amictl/nats"},
		"relative":     {map[string]string{"XDG_STATE_HOME": "x"}, "~/.local/state/amictl/nats"},
		"of a service": {map[string]string{"XDG_STATE_HOME": "/x", "STATE_DIRECTORY": "/var/lib/amictl"}, "/var/lib/amictl/nats"},
	} {
		r := runtest.New(t, runtest.Setup{Env: test.env})
		if got := strings.Replace(stateFolder(r.Run), r.Home(), "~", 1); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// Flags win over the configuration, and what neither says is the default.
func TestPlan(t *testing.T) {
	const config = "protect = true\n[serve]\nhttp = \"127.0.0.1:1\"\nami = [\"127.0.0.1:2\"]\ngrace = \"3s\"\nrequire = \"all\"\nlog = \"json\"\nendpoint_metrics = true\npprof = \"/p\"\n"
	for name, test := range map[string]struct {
		config  string
		options options
		want    string // http, ami, grace, require, log, pprof, metrics of endpoints
	}{
		"by default":    {"", options{http: "a:1"}, "a:1  10s 1 text  false"},
		"as configured": {config, options{}, "127.0.0.1:1 127.0.0.1:2 3s all json /p true"},
		"by flags": {
			config,
			options{http: "b:2", ami: flags.List{"c:3", "d:4"}, grace: flags.Duration{Value: time.Second, Given: true}, require: "2", log: "text", pprof: "/q", endpoints: true},
			"b:2 c:3,d:4 1s 2 text /q true",
		},
		"no grace at all": {config, options{grace: flags.Duration{Given: true}}, "127.0.0.1:1 127.0.0.1:2 0s all json /p true"},
		"an AMI door":     {"", options{ami: flags.List{"c:3"}, endpoints: true}, " c:3 10s 1 text  true"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: test.config})
			p, err := newPlan(r.Run, &test.options)
			if err != nil {
				t.Fatal(err)
			}
			s, metrics := p.said, "false"
			if s.EndpointMetrics {
				metrics = "true"
			}
			got := strings.Join([]string{s.HTTP, strings.Join(s.AMI, ","), p.grace.String(), s.Require, s.Log, s.Pprof, metrics}, " ")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if (p.require == web.RequireAll) != (s.Require == "all") {
				t.Errorf("it requires %d", p.require)
			}
			p.log.Info("hello")
			if begins := strings.HasPrefix(r.Err.String(), "{"); begins != (s.Log == "json") {
				t.Errorf("the log has %q", r.Err)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		config  string
		options options
		want    string
		code    fail.Code
	}{
		"no door":              {"", options{}, "serve needs a door", fail.CodeUsage},
		"no grace":             {"protect = true\n[serve]\ngrace = \"3\"", options{http: "a:1"}, `serve.grace "3"`, fail.CodeConfig},
		"no number":            {"", options{http: "a:1", require: "most"}, `--require "most" is not`, fail.CodeUsage},
		"none of them":         {"", options{http: "a:1", require: "0"}, `--require "0" is not`, fail.CodeUsage},
		"no log":               {"", options{http: "a:1", log: "xml"}, `serve.log "xml"`, fail.CodeConfig},
		"a key alone":          {"", options{http: "a:1", key: "/k"}, "one of --cert and --key is missing", fail.CodeUsage},
		"a certificate alone":  {"", options{http: "a:1", cert: "/c"}, "one of --cert and --key is missing", fail.CodeUsage},
		"no certificate there": {"", options{http: "a:1", cert: "/no/c", key: "/no/k"}, "the certificate: ", fail.CodeConfig},
		"an unknown key":       {"protect = true\n[serve]\nport = 1", options{http: "a:1"}, "unknown key serve.port", fail.CodeConfig},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := newPlan(runtest.New(t, runtest.Setup{Config: test.config}).Run, &test.options)
			if p != nil {
				t.Errorf("the plan is %+v", p)
			}
			runtest.Refused(t, err, test.code, test.want)
		})
	}
	if n, err := parseRequire("1"); n != 1 || err != nil {
		t.Errorf("one is %d, %v", n, err)
	}
}

// An AMI door is for one node, which has to be named where there are several.
func TestAMIAddress(t *testing.T) {
	one, two := []ami.Config{{Name: "pbx1"}}, []ami.Config{{Name: "pbx1"}, {Name: "pbx2"}}
	for at, nodes := range map[string][]ami.Config{"pbx1 h:1": one, "pbx1 pbx1=h:1": one, "pbx2 pbx2=h:1": two} {
		want, text, _ := strings.Cut(at, " ")
		if node, addr, err := amiAddress(text, nodes); node != want || addr != "h:1" || err != nil {
			t.Errorf("%s: %s, %s, %v", text, node, addr, err)
		}
	}
	_, _, err := amiAddress("h:1", two)
	runtest.Refused(t, err, fail.CodeUsage, "there are 2 nodes, and an AMI door is for one")
	_, _, err = amiAddress("pbx3=h:1", two)
	runtest.Refused(t, err, fail.CodeUsage, `there is no node "pbx3"`)
}

// What other hosts may reach needs users and TLS, and an AMI door needs users anywhere. A door that cannot be opened closes those before it.
func TestDoors(t *testing.T) {
	const here = "127.0.0.1:0"
	for name, test := range map[string]struct {
		http  string
		ami   []string
		users bool
		want  string // of the refusal; "": how many doors there are
		doors int
	}{
		"both":                    {here, []string{"pbx1=" + here, "pbx2=" + here}, true, "", 3},
		"HTTP without users":      {here, nil, false, "", 1},
		"no port":                 {"127.0.0.1", nil, true, `--http "127.0.0.1" is not HOST:PORT`, 0},
		"open to all":             {":0", nil, false, "is open to other hosts, which needs users and --cert and --key", 0},
		"open to all, with users": {":0", nil, true, "which needs --cert and --key", 0},
		"AMI without users":       {"", []string{"pbx1=" + here}, false, "an AMI door needs users", 0},
		"one node twice":          {"", []string{"pbx1=" + here, "pbx1=" + here}, true, "pbx1 has an AMI door already", 0},
		"no node":                 {"", []string{"pbx9=" + here}, true, `there is no node "pbx9"`, 0},
		"AMI open to all":         {"", []string{"pbx1=:0"}, true, "--ami :0 is open", 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := &plan{nodes: []ami.Config{{Name: "pbx1"}, {Name: "pbx2"}}}
			p.said.HTTP, p.said.AMI = test.http, test.ami
			all, err := p.listen(test.users)
			if test.want != "" {
				runtest.Refused(t, err, fail.CodeUsage, test.want)
				return
			}
			if len(all) != test.doors || err != nil {
				t.Errorf("%d doors, %v", len(all), err)
			}
			if err := all.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// An address that is taken passes; one that can never be had does not.
func TestCannotListen(t *testing.T) {
	for err, want := range map[error]fail.Code{
		error(&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}):    fail.CodeConnect,
		error(&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)}): fail.CodeConnect,
		error(&net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EACCES)}):        fail.CodeUsage,
		errors.New("x"): fail.CodeUsage,
	} {
		got := cannotListen("http", "a:1", err)
		runtest.Refused(t, got, want, "--http a:1: ")
		if strings.Contains(fail.Classify(got).Message, "listen") {
			t.Errorf("it says %v", got)
		}
	}
}

// Users come from the file that is named, else from the configuration, and their secrets with them.
func TestUsers(t *testing.T) {
	const config = "protect = true\n[[users]]\nname = \"ops\"\nsecret = \"env:OPS\"\nactions = [\"Ping\"]\n"
	file := filepath.Join(t.TempDir(), "users.toml")
	if err := os.WriteFile(file, []byte("[[users]]\nname = \"crm\"\nsecret = \"env:OPS\"\nactions = [\"Ping\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		file, want string
		env        map[string]string
	}{
		"of the configuration": {"", "ops", map[string]string{"OPS": "s3cret"}},
		"of a file":            {file, "crm", map[string]string{"OPS": "s3cret"}},
		"without a secret":     {"", "", nil},
		"of no file":           {file + "x", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: config, Env: test.env})
			p, err := newPlan(r.Run, &options{http: "127.0.0.1:0", users: test.file})
			if err != nil {
				t.Fatal(err)
			}
			list, err := p.loadUsers(t.Context())
			if test.want == "" {
				if fail.Classify(err).Code != fail.CodeConfig {
					t.Errorf("it is no mistake of the configuration: %v", err)
				}
				return
			}
			if err != nil || len(list) != 1 || list[0].Name() != test.want {
				t.Errorf("%v, %v", list, err)
			}
		})
	}
}

// Simulated servers are instead of real ones.
func TestSimulatedServers(t *testing.T) {
	for _, globals := range []run.Globals{{Nodes: flags.List{"pbx1"}}, {Local: true}} {
		p := &plan{run: runtest.New(t, runtest.Setup{Flags: globals}).Run, simulated: 2}
		_, err := p.servers(t.Context())
		runtest.Refused(t, err, fail.CodeUsage, "--sim and --node cannot be combined")
	}
	p := &plan{run: runtest.New(t, runtest.Setup{}).Run, simulated: 2}
	end, err := p.servers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if len(p.nodes) != 2 || p.nodes[0].Name != "pbx1" || p.nodes[1].Username != amitest.DefaultUser {
		t.Errorf("the nodes are %+v", p.nodes)
	}
	loaded, err := p.reload(t.Context())
	if err != nil || len(loaded.Nodes) != 2 {
		t.Errorf("behind a reload there are %d, %v", len(loaded.Nodes), err)
	}
}

// Profiles are at a socket of ours alone, which takes the place of one that was left behind, and of nothing else.
func TestProfiles(t *testing.T) {
	dir := t.TempDir()
	p := &plan{}
	if err := p.profiles(t.Context()); err != nil {
		t.Errorf("without a socket: %v", err)
	}
	for name, make := range map[string]func(path string) error{
		"new": func(string) error { return nil },
		"left": func(path string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
			if err == nil {
				l.SetUnlinkOnClose(false)
				err = l.Close()
			}
			return err
		},
	} {
		p.said.Pprof = filepath.Join(dir, name)
		if err := make(p.said.Pprof); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if err := p.profiles(ctx); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if info, err := os.Stat(p.said.Pprof); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: it is %v, %v", name, info, err)
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", p.said.Pprof)
		}}}
		answer, err := client.Get("http://pprof/debug/pprof/")
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("%s: %v", name, err)
		} else {
			_ = answer.Body.Close()
		}
		cancel()
	}
	p.said.Pprof = filepath.Join(dir, "file")
	if err := os.WriteFile(p.said.Pprof, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	runtest.Refused(t, p.profiles(t.Context()), fail.CodeConnect, "--pprof ")
	if text, err := os.ReadFile(p.said.Pprof); string(text) != "mine" {
		t.Errorf("the file has %q, %v", text, err)
	}
}
