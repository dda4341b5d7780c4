package sim

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// The end of a command is the simulation's, and it sees the simulated cluster.
func TestCommand(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // which has no sh
	}
	for name, test := range map[string]struct {
		rest []string
		exit int
		out  string
	}{
		"it is well":        {[]string{"sh", "-c", `test -s "$AMICTL_CONFIG" && test -s "$AMICTL_SIM" && cat && echo done`}, fail.ExitOK, "input\ndone\n"},
		"it is not":         {[]string{"sh", "-c", "echo no; exit 3"}, 3, "no\n"},
		"one that is not":   {[]string{"/nosuch/program"}, fail.ExitUsage, ""},
		"one not in a path": {[]string{"nosuch-program"}, fail.ExitUsage, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Rest: test.rest, Stdin: "input\n"})
			err := sim(t.Context(), r.Run, newOptions())
			if got := fail.Classify(err).Exit; got != test.exit || r.Out.String() != test.out {
				t.Errorf("status %d, want %d: %v; it prints %q", got, test.exit, err, r.Out)
			}
		})
	}
}

// comes waits for an event of a simulation's first server, at which it logs in.
func comes(t *testing.T, s *simulation, event string) {
	t.Helper()
	c := ami.NewCluster(ami.ClusterConfig{})
	defer func() { _ = c.Close() }()
	events, err := c.Subscribe(ami.SubscribeOptions{Events: []string{event}})
	if err == nil {
		_, err = c.Add(ami.Config{Name: "pbx1", Addr: s.servers[0].Addr(), Username: s.user, Secret: ami.StaticSecret(s.secret), Events: "on"})
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		ev, err := events.NextBorrowed(ctx)
		if err != nil {
			t.Fatalf("%s never came: %v", event, err)
		}
		if ev.Gap == nil {
			return
		}
	}
}

// Calls, events and a recording are sent by themselves, each if it is asked for.
func TestTraffic(t *testing.T) {
	for name, test := range map[string]struct {
		change    func(o *options)
		recording string
		event     string
	}{
		"calls":       {func(o *options) { o.calls = rate{200} }, "", "Newchannel"},
		"events":      {func(o *options) { o.events = rate{200} }, "", "*"},
		"a recording": {func(o *options) { o.speed = rate{0} }, "Event: Mine\r\nA: 1\r\n\r\n", "Mine"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{})
			o := newOptions()
			test.change(o)
			s, err := start(t.Context(), r.Run, o)
			if err != nil {
				t.Fatal(err)
			}
			if test.recording != "" {
				s.recording = []byte(test.recording)
			}
			ctx, cancel := context.WithCancel(context.Background())
			s.stop = cancel
			defer s.end()
			s.traffic(ctx, o, r.Note)
			comes(t, s, test.event)
		})
	}
}

// A recording that breaks off is told of, once somebody gets it.
func TestTrafficTells(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	s, err := start(t.Context(), r.Run, newOptions())
	if err != nil {
		t.Fatal(err)
	}
	s.recording = []byte(`{"type":"event","event":"Mine","fields":{"A":"1"}}` + "\n" + `{"type":`)
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	defer s.end()
	s.traffic(ctx, &options{}, r.Note)
	comes(t, s, "Mine")
	for deadline := time.Now().Add(time.Minute); !strings.Contains(r.Err.String(), "pbx1: --replay: after event 1"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it says %q", r.Err)
		}
	}
}

// A command that ends by itself at --deadline is given the time to.
func TestCommandTidiesUp(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // which has no sh
	}
	r := runtest.New(t, runtest.Setup{Rest: []string{"sh", "-c", "trap 'sleep 0.2; echo tidy; exit 0' TERM; echo ready; while :; do sleep 0.01; done"}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := sim(ctx, r.Run, newOptions()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ends with %v", err)
	}
	if out := r.Out.String(); out != "ready\ntidy\n" {
		t.Errorf("the command printed %q", out)
	}
}

// A replay waits for a client, and for none any more once the simulation ends.
func TestUntilLogin(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	srv := runtest.Server(t, "pbx1")
	if untilLogin(ctx, srv) {
		t.Error("somebody has logged in at a server that nobody knows")
	}
	c, err := ami.Dial(t.Context(), ami.Config{Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if !untilLogin(t.Context(), runtest.Server(t, "pbx2"), srv) {
		t.Error("nobody has logged in")
	}
}

// A certificate holds from an hour ago, for clocks that differ, for a day, and for this host alone.
func TestCertificate(t *testing.T) {
	c, err := newCertificate()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(c.config.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if valid := cert.NotAfter.Sub(cert.NotBefore).Round(time.Minute); valid != 25*time.Hour || !cert.NotBefore.Before(time.Now()) || !cert.IsCA {
		t.Errorf("it holds for %v from %v on", valid, cert.NotBefore)
	}
	if err := cert.VerifyHostname("127.0.0.1"); err != nil || !strings.Contains(string(c.pem), "BEGIN CERTIFICATE") {
		t.Errorf("%v: %s", err, c.pem)
	}
}

// Only the end of a deadline makes a command's end its own.
func TestOverDeadline(t *testing.T) {
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if !overDeadline(late) || overDeadline(stopped) || overDeadline(t.Context()) {
		t.Error("a deadline is taken for something else")
	}
}

// A run that is stopped reports no scenario as failed that it did not finish.
func TestChecksAreStopped(t *testing.T) {
	file := filepath.Join(t.TempDir(), "s.toml")
	if err := os.WriteFile(file, []byte("about = \"A Ping.\"\n[[server]]\nname = \"pbx1\"\n[[action]]\nname = \"pings\"\naction = \"Ping\"\nexpect = { replied = 1 }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := runtest.New(t, runtest.Setup{})
	o := newOptions()
	o.args = []string{"check", file}
	if err := sim(ctx, r.Run, o); !errors.Is(err, context.Canceled) || r.Out.String() != "" {
		t.Errorf("%v, and it printed %s", err, r.Out)
	}
}
