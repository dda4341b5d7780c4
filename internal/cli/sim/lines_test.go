package sim

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/scenario"
	"github.com/apntalk/amictl/pkg/output"
)

// controlled is a control of three servers.
func controlled(t *testing.T) *control {
	t.Helper()
	s := &simulation{}
	for _, name := range []string{"pbx1", "pbx2", "fra1"} {
		s.servers = append(s.servers, runtest.Server(t, name))
	}
	return newControl(s)
}

// A line is for the servers that it names, else for all, and is answered with how many those are, or why it was not carried out.
func TestControlLines(t *testing.T) {
	c := controlled(t)
	for line, want := range map[string]answer{
		"stop":                         {Type: "control"},
		"kick":                         {Type: "control", Servers: 3},
		"on pbx* kick":                 {Type: "control", Servers: 2},
		"on   fra1   kick":             {Type: "control", Servers: 1},
		"on nosuch kick":               {Type: "error", Code: fail.CodeInput, Message: "no server is named nosuch"},
		"at 1s kick":                   {Type: "error", Code: fail.CodeInput, Message: "at is for scenario files; a control line is carried out at once"},
		"emit":                         {Type: "error", Code: fail.CodeInput, Message: "emit needs the event's name"},
		"emit Hangup Cause":            {Type: "error", Code: fail.CodeInput, Message: "emit: Cause is not Key=Value"},
		"emit Hangup =16":              {Type: "error", Code: fail.CodeInput, Message: "emit: =16 is not Key=Value"},
		"on pbx1 emit Hangup Cause=16": {Type: "control", Servers: 1},
		"emit Hangup A= B=c=d":         {Type: "control", Servers: 3},
	} {
		want.Line = line
		if diff := cmp.Diff(want, c.execute(line)); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
	if got := c.execute("fly"); got.Type != "error" || got.Code != fail.CodeInput || strings.HasPrefix(got.Message, "amitest: ") || got.Servers != 0 {
		t.Errorf("a fault that is none: %+v", got)
	}
	if got := c.execute("on pbx* ledger"); got.Servers != 2 || got.Ledger == nil || got.Type != "control" {
		t.Errorf("the ledger: %+v", got)
	}
}

func TestEventsOfLines(t *testing.T) {
	for args, want := range map[string][]string{"Hangup": {"Hangup"}, " Hangup  Cause=16 Text=a=b  X=": {"Hangup", "Cause", "16", "Text", "a=b", "X", ""}} {
		got, err := parseEvent(args)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v %s", args, err, diff)
		}
	}
}

// Lines are carried out in turn, but for blank ones and remarks; one that is too long is told of, and the rest goes on.
func TestServeLines(t *testing.T) {
	c := controlled(t)
	var out strings.Builder
	in := "\n  \n# a remark\n  kick  \n" + strings.Repeat("x", 2<<20) + "\non fra1 kick\nstop"
	if err := c.serve(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		got = append(got, a.Type+" "+a.Line)
	}
	if diff := cmp.Diff([]string{"control kick", "error ", "control on fra1 kick", "control stop"}, got); diff != "" {
		t.Error(diff)
	}
	select {
	case <-c.stopped:
	default:
		t.Error("the line stop does not stop it")
	}
	c.stop() // twice is once
}

// The end of input stops it only if that is meant, and a broken input does not.
func TestEndOfInput(t *testing.T) {
	for name, test := range map[string]struct {
		in       io.Reader
		out      io.Writer
		endStops bool
		want     bool
	}{
		"it is meant":      {strings.NewReader("kick\n"), io.Discard, true, true},
		"it is not":        {strings.NewReader("kick\n"), io.Discard, false, false},
		"a broken input":   {broken{}, io.Discard, true, false},
		"a broken output":  {strings.NewReader("kick\n"), broken{}, true, false},
		"an output at end": {strings.NewReader(""), broken{}, true, true},
	} {
		c := controlled(t)
		c.readStdin(test.in, test.out, test.endStops)
		stopped := false
		select {
		case <-c.stopped:
			stopped = true
		default:
		}
		if stopped != test.want {
			t.Errorf("%s: it stops: %t", name, stopped)
		}
	}
}

// broken can neither be read nor written.
type broken struct{}

func (broken) Read([]byte) (int, error)  { return 0, errors.New("broken") }
func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

// A socket for control lines is its owner's alone, and gone afterwards.
func TestControlSocket(t *testing.T) {
	c := controlled(t)
	c.closeSocket() // there is none
	path := filepath.Join(t.TempDir(), "sim.sock")
	if err := c.listen(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("it is %v, %v", info, err)
	}
	runtest.Refused(t, controlled(t).listen(path), fail.CodeUsage, "--control "+path)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "on fra1 kick\n"); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.UnixConn).CloseWrite()
	if answer, err := io.ReadAll(conn); err != nil || gjson.GetBytes(answer, "servers").Int() != 1 {
		t.Errorf("it answers %s, %v", answer, err)
	}
	_ = conn.Close()
	c.closeSocket()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// A rate is a number of at least 0.
func TestRates(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "2.5": 2.5, "1e3": 1000} {
		r := rate{7}
		if err := r.Set(text); err != nil || r.r != want || r.Get() != want {
			t.Errorf("%s is %v, %v", text, r.r, err)
		}
	}
	for _, text := range []string{"-1", "x", "", "NaN", "Inf", "-Inf", "1e999"} {
		r := rate{7}
		if err := r.Set(text); err == nil || r.r != 7 {
			t.Errorf("%s is %v", text, r.r)
		}
	}
	if text := (&rate{0.5}).String(); text != "0.5" {
		t.Errorf("it is written %s", text)
	}
}

// A report says what failed first, and how much more did.
func TestVerdict(t *testing.T) {
	bad := scenario.Failure{Where: "pings", What: "replied", Want: "5", Got: "4"}
	for n, want := range map[int]string{0: "none", 1: bad.String(), 3: bad.String() + " (and 2 more)"} {
		r := &scenario.Report{Name: "s", Checks: 4, Actions: 5, Events: 6}
		for range n {
			r.Failures = append(r.Failures, bad)
		}
		result, tone := "pass", output.Good
		if n > 0 {
			result, tone = "fail", output.Bad
		}
		for _, f := range verdict(r) {
			switch f.Key {
			case "result":
				if f.Value != result || f.Tone != tone {
					t.Errorf("%d failures: %v", n, f)
				}
			case "failures":
				if f.Text != want || len(f.Value.([]string)) != n {
					t.Errorf("%d failures: %v", n, f)
				}
			}
		}
	}
}

// A command sees the simulated cluster, and none of the settings that name another one.
func TestEnvironment(t *testing.T) {
	s := &simulation{dir: "/d"}
	before := []string{"HOME=/h", "AMICTL_CONFIG=x", "AMICTL_CONTEXT=x", "AMICTL_NODE=x", "AMICTL_SECRET_FILE=x", "AMICTL_SIM=x", "AMICTL_SIM_CONTROL=x", "AMICTL_OUTPUT=json", "ODD"}
	want := []string{"HOME=/h", "AMICTL_OUTPUT=json", "ODD", "AMICTL_CONFIG=/d/config.toml", "AMICTL_SIM=/d/sim.json"}
	if diff := cmp.Diff(want, environment(before, s, "")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(append(want, "AMICTL_SIM_CONTROL=/s"), environment(before, s, "/s")); diff != "" {
		t.Error(diff)
	}
}

// What it tells of itself has all that a client needs, and every file is its owner's alone.
func TestDescription(t *testing.T) {
	for name, tls := range map[string]bool{"in the clear": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Env: map[string]string{"S": "hush"}})
			o := newOptions()
			o.tls, o.user, o.secret, o.control, o.nodes, o.version, o.seed = tls, "me", "env:S", "/c.sock", flags.Count{Value: 2, Given: true}, "16", 3
			s, err := start(t.Context(), r.Run, o)
			if err != nil {
				t.Fatal(err)
			}
			defer s.end()
			doc, err := s.describe(o)
			if err != nil {
				t.Fatal(err)
			}
			scheme, ca := "ami://", ""
			if tls {
				scheme, ca = "amis://", s.path("ca.pem")
			}
			got := gjson.GetManyBytes(doc, "type", "version", "user", "config", "secret_file", "ca", "control", "nodes.#", "nodes.1.url")
			want := []string{"sim", "16", "me", s.path("config.toml"), s.path("secret"), ca, "/c.sock", "2", scheme + s.servers[1].Addr()}
			for i := range want {
				if got[i].String() != want[i] {
					t.Errorf("it says %s, want %s: %s", got[i], want[i], doc)
				}
			}
			if gjson.GetBytes(doc, "ca").Exists() != tls {
				t.Errorf("a CA without TLS: %s", doc)
			}
			files := map[string]string{"secret": "hush\n", "sim.json": string(doc) + "\n", "config.toml": s.config([]node{{"pbx1", s.servers[0].Addr(), scheme + s.servers[0].Addr()}, {"pbx2", s.servers[1].Addr(), scheme + s.servers[1].Addr()}})}
			for name, want := range files {
				text, err := os.ReadFile(s.path(name))
				if info, _ := os.Stat(s.path(name)); err != nil || string(text) != want || info.Mode().Perm() != 0o600 {
					t.Errorf("%s has %q, %v", name, text, err)
				}
			}
			if _, err := os.Stat(s.path("ca.pem")); (err == nil) != tls {
				t.Errorf("the certificate: %v", err)
			}
			if text := files["config.toml"]; strings.Contains(text, "ca = ") != tls || !strings.Contains(text, "user = \"me\"\nsecret = \"file:"+s.path("secret")+"\"\n") {
				t.Errorf("the configuration is %s", text)
			}
		})
	}
}

// A recording that cannot be read is a mistake of the command line, and nothing is left of the run.
func TestRecordingsThatCannotBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "r")
	if text, err := readRecording(file); err == nil || text != nil {
		t.Errorf("no file: %q, %v", text, err)
	} else {
		runtest.Refused(t, err, fail.CodeUsage, "--replay: ")
	}
	if err := os.WriteFile(file, []byte("Event: X\r\n\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := readRecording(file); err != nil || string(text) != "Event: X\r\n\r\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := os.WriteFile(file, []byte("\xfd7zXZ\x00rest"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := readRecording(file)
	runtest.Refused(t, err, fail.CodeInput, "cannot be read")
}

// What a scenario says of servers goes before nothing that a flag says.
func TestScenarioGoesAlone(t *testing.T) {
	for name, change := range map[string]func(o *options){
		"nodes":  func(o *options) { o.nodes = flags.Count{Value: 2, Given: true} },
		"user":   func(o *options) { o.user = "me" },
		"secret": func(o *options) { o.secret = "env:S" },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOptions()
			o.scenario = "nosuch.toml"
			change(o)
			r := runtest.New(t, runtest.Setup{Env: map[string]string{"S": "x"}})
			runtest.Refused(t, sim(t.Context(), r.Run, o), fail.CodeUsage, "--scenario does not go with")
		})
	}
	var timeout flags.Duration
	if err := timeout.Set("1s"); err != nil {
		t.Fatal(err)
	}
	for want, given := range map[string]run.Globals{"--timeout is for an action": {Timeout: timeout}, "--output is for records": {Output: "table"}} {
		r := runtest.New(t, runtest.Setup{Flags: given})
		runtest.Refused(t, sim(t.Context(), r.Run, newOptions()), fail.CodeUsage, want)
	}
}
