package target

import (
	"context"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// of returns a run whose context has these servers, and what it makes of them.
func of(t *testing.T, servers ...*amitest.Server) (*runtest.Run, []ami.Config) {
	t.Helper()
	r := runtest.New(t, runtest.Setup{Servers: servers})
	nodes, err := Nodes(r.Run)
	if err != nil {
		t.Fatal(err)
	}
	return r, nodes
}

// session is a session with a server.
func session(t *testing.T, srv *amitest.Server) *ami.Conn {
	t.Helper()
	r, nodes := of(t, srv)
	c, err := Dial(t.Context(), r.Run, nodes[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// answers has an action of a server answered with these headers.
func answers(srv *amitest.Server, action string, headers ...amitest.Header) {
	srv.Handle(action, func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Reply("Success", headers...) })
}

// A server's clock is read as it says it: no zone is put on it.
func TestClock(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	c := session(t, srv)
	for value, want := range map[string]time.Time{
		"2026-11-23 12:00:01": time.Date(2026, 11, 23, 12, 0, 1, 0, time.UTC),
		"":                    {},
		"noon":                {},
	} {
		answers(srv, "Getvar", amitest.Header{Name: "Value", Value: value})
		if got, err := Clock(t.Context(), c); err != nil || !got.Equal(want) {
			t.Errorf("%q: %v, %v", value, got, err)
		}
	}
	srv.Handle("Getvar", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("Permission denied") })
	if got, err := Clock(t.Context(), c); err == nil || !got.IsZero() {
		t.Errorf("%v, %v", got, err)
	}
}

// A server whose clock is behind what it tells of was started now, and not in the future.
func TestSince(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	answers(srv, "CoreStatus", amitest.Header{Name: "CoreStartupDate", Value: "2026-11-23"}, amitest.Header{Name: "CoreStartupTime", Value: "12:00:00"},
		amitest.Header{Name: "CoreReloadDate", Value: "2026-11-23"})
	status, err := session(t, srv).Do(t.Context(), ami.NewAction("CoreStatus"))
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		what  string
		clock time.Time
		ago   time.Duration
		known bool
	}{
		{"CoreStartup", noon.Add(90 * time.Second), 90 * time.Second, true},
		{"CoreStartup", noon.Add(-time.Second), 0, true},
		{"CoreStartup", time.Time{}, 0, false},
		{"CoreReload", noon, 0, false},
	} {
		if ago, known := Since(status, tt.what, tt.clock); ago != tt.ago || known != tt.known {
			t.Errorf("%+v: %v, %t", tt, ago, known)
		}
	}
}

// Asterisk is up when it says FullyBooted; to a user that does not see that, when it knows when it was started.
func TestWaitBooted(t *testing.T) {
	for name, tt := range map[string]struct {
		booted, sees bool
		core         amitest.HandlerFunc // nil: the server's own
		waits        bool
	}{
		"booted":            {booted: true, sees: true},
		"booted, unseen":    {booted: true},
		"boots":             {sees: true, waits: true},
		"boots, unseen":     {},
		"too early to tell": {core: func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Reply("Success") }, waits: true},
		"no right to ask":   {core: func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("Permission denied") }},
		"another refusal":   {core: func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("Try again") }, waits: true},
		// What such a user is told is not asked for where FullyBooted is known to come.
		"asks for nothing": {sees: true, core: func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("Permission denied") }, waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var options []amitest.Option
			if !tt.booted {
				options = append(options, amitest.WithoutBoot())
			}
			srv := runtest.Server(t, "pbx1", options...)
			if tt.core != nil {
				srv.Handle("CoreStatus", tt.core)
			}
			r, nodes := of(t, srv)
			nodes[0].Events = "system" // FullyBooted is of that class
			c, err := Cluster(r.Run, nodes)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := c.Nodes()[0].WaitReady(ctx); err != nil {
				t.Fatal(err)
			}
			if tt.waits {
				short, stop := context.WithTimeout(ctx, 300*time.Millisecond) // longer than between two looks
				defer stop()
				if err := WaitBooted(short, c.Nodes()[0], tt.sees); err == nil || short.Err() == nil {
					t.Fatalf("it did not wait: %v", err)
				}
				if !tt.sees {
					return
				}
				srv.SetBooted()
			}
			if err := WaitBooted(ctx, c.Nodes()[0], tt.sees); err != nil {
				t.Error(err)
			}
		})
	}
}

// A server that is away may come; one that refuses the login refuses it as long as somebody waits.
func TestWaitBootedOfWhatIsAway(t *testing.T) {
	away, stern := runtest.Server(t, "away"), runtest.Server(t, "stern", amitest.WithFailDelay(0))
	away.SetDown(true)
	stern.Deny(true)
	r, nodes := of(t, away, stern)
	nodes[0].Events = "system"
	c, err := Cluster(r.Run, nodes)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	refusing, _ := c.Node("stern")
	if err := WaitBooted(ctx, refusing, true); !IsLogin(err) {
		t.Errorf("%v, want the refusal", err)
	}
	absent, _ := c.Node("away")
	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	if err := WaitBooted(short, absent, true); err == nil || IsLogin(err) {
		t.Errorf("%v, want the end of the wait", err)
	}
	away.SetDown(false)
	if err := WaitBooted(ctx, absent, true); err != nil {
		t.Error(err)
	}
}
