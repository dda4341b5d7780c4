package health

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// What --watch says of a node whose session has just ended, or whose server is about to end: that it is away, not that the
// command line is wrong.
func TestRevisitOfANodeThatGoesAway(t *testing.T) {
	r := &run.Run{Settings: new(run.Settings)}
	for name, test := range map[string]struct {
		leave  func(*amitest.Server)
		state  string
		reason string // a part
	}{
		"the session was cut":                  {(*amitest.Server).Kick, "down", "the connection was lost"},
		"it stops, and takes no actions":       {func(s *amitest.Server) { s.Shutdown(false) }, "stopping", "Asterisk is shutting down"},
		"it restarts, and has cut the session": {func(s *amitest.Server) { s.Shutdown(true); s.SetDown(true) }, "stopping", "the connection was lost"},
	} {
		t.Run(name, func(t *testing.T) {
			srv := amitest.NewServer()
			t.Cleanup(srv.Close)
			c := ami.NewCluster(ami.ClusterConfig{})
			t.Cleanup(func() { _ = c.Close() })
			n, err := c.Add(ami.Config{
				Name: "pbx", Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Events: "system",
				Redial: ami.Redial{BackoffMin: time.Hour, BackoffMax: time.Hour}, // no further attempt within the test
			})
			if err != nil {
				t.Fatal(err)
			}
			if h := revisit(t.Context(), r, n, true); h.state() != "ready" {
				t.Fatalf("before: %s, %s", h.state(), h.reason())
			}
			test.leave(srv)
			h := revisit(t.Context(), r, n, false)
			for end := time.Now().Add(10 * time.Second); h.err == nil && time.Now().Before(end); { // the end is on its way
				time.Sleep(time.Millisecond)
				h = revisit(t.Context(), r, n, false)
			}
			var op *ami.OpError
			f := fail.Classify(h.err)
			if h.state() != test.state || f.Code != fail.CodeConnect || f.Exit != fail.ExitConnect || !strings.HasPrefix(f.Message, "pbx: ") ||
				!strings.Contains(f.Message, test.reason) || strings.Contains(f.Hint, "--help") || !errors.As(h.err, &op) || up([]checkup{h}) != 0 {
				t.Errorf("%s: %+v", h.state(), f)
			}
		})
	}
}

// A relay that has a session, and whose server has none, says so; over a bus that is how a node is away.
func TestRevisitBehindARelay(t *testing.T) {
	srv := amitest.NewServer()
	t.Cleanup(srv.Close)
	for message, want := range map[string]string{"The server pbx is away": "down connect", "Permission denied": "degraded "} {
		srv.Handle("Ping", func(_ *amitest.Request, w *amitest.ResponseWriter) {
			w.Reply("Error", amitest.Header{Name: "Message", Value: message}, amitest.Header{Name: ami.RelaySent, Value: "no"})
		})
		h := examine(t.Context(), &run.Run{Settings: new(run.Settings)}, ami.Config{Name: "pbx", Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
		if got := h.state() + " " + string(fail.Classify(h.err).Code); got != want || !strings.Contains(h.reason(), message) {
			t.Errorf("%s: %s, %s", message, got, h.reason())
		}
	}
}

// The uptime is by the server's own clock, wherever that is; where it does not tell it, the uptime is unknown.
func TestUptime(t *testing.T) {
	for name, test := range map[string]struct {
		getvar amitest.HandlerFunc
		want   time.Duration
	}{
		"its own clock": {func(_ *amitest.Request, w *amitest.ResponseWriter) {
			w.Reply("Success", amitest.Header{Name: "Value", Value: "2026-01-02 03:14:05"})
		}, 10 * time.Minute},
		"another answer": {func(_ *amitest.Request, w *amitest.ResponseWriter) {
			w.Reply("Success", amitest.Header{Name: "Value", Value: ""})
		}, -1},
		"a refusal": {func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("Permission denied") }, -1},
	} {
		srv := amitest.NewServer()
		srv.Handle("CoreStatus", func(_ *amitest.Request, w *amitest.ResponseWriter) {
			w.Reply("Success", amitest.Header{Name: "CoreStartupDate", Value: "2026-01-02"}, amitest.Header{Name: "CoreStartupTime", Value: "03:04:05"})
		})
		srv.Handle("Getvar", test.getvar)
		cfg := ami.Config{Name: "pbx", Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)}
		h := examine(t.Context(), &run.Run{Settings: new(run.Settings)}, cfg)
		if h.uptime != test.want || h.refused != (name == "a refusal") || h.state() != "ready" {
			t.Errorf("%s: up for %v, want %v: %s", name, h.uptime, test.want, h.reason())
		}
		srv.Close()
	}
}
