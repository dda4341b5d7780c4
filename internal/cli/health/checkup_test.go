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
