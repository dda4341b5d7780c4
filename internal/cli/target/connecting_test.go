package target

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// noGreeting is the code of a server that accepts no session.
const noGreeting fail.Code = "banner"

// --connect-timeout bounds the way to a session; without it the engine's own bounds hold.
func TestConnecting(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	for _, d := range []time.Duration{0, time.Minute} {
		r.Settings.ConnectTimeout = d
		ctx, cancel := Connecting(t.Context(), r.Run)
		if _, limited := ctx.Deadline(); limited != (d > 0) || ctx.Err() != nil {
			t.Errorf("%v: limited is %t, %v", d, limited, ctx.Err())
		}
		if cancel(); ctx.Err() == nil {
			t.Errorf("%v: it goes on", d)
		}
	}
}

// --verbose tells how a session came about, or why not; else there is nothing to tell.
func TestDial(t *testing.T) {
	srv, away := runtest.Server(t, "pbx1"), runtest.Server(t, "away")
	away.SetDown(true)
	for name, tt := range map[string]struct {
		server  *amitest.Server
		verbose bool
		code    fail.Code
		says    []string
	}{
		"there":            {srv, false, "", nil},
		"away":             {away, false, noGreeting, nil},
		"there, verbosely": {srv, true, "", []string{"dialling", "node=pbx1", "tls=false", "connected", "msg=ready", "Asterisk Call Manager", "connection closed"}},
		"away, verbosely":  {away, true, noGreeting, []string{"dialling", "node=away", "no session", "the server closed it"}},
	} {
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{tt.server}, Flags: run.Globals{Verbose: tt.verbose}})
		nodes, err := Nodes(r.Run)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Dial(t.Context(), r.Run, nodes[0])
		if fail.Classify(err).Code != tt.code || (err == nil) != (c != nil) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			Leave(t.Context(), c)
		}
		for _, text := range tt.says {
			if tt.code == "" {
				runtest.Eventually(t, r.Err, text)
			} else if !strings.Contains(r.Err.String(), text) {
				t.Errorf("%s: it says %q, without %q", name, r.Err, text)
			}
		}
		if tt.says == nil && r.Err.String() != "" {
			t.Errorf("%s: it says %q", name, r.Err)
		}
		if tt.code == "" && strings.Contains(r.Err.String(), "no session") || tt.code != "" && strings.Contains(r.Err.String(), "msg=ready") {
			t.Errorf("%s: it says %q", name, r.Err)
		}
	}
}

// A session logs off, unless the run was cut short.
func TestLeave(t *testing.T) {
	for _, cut := range []bool{false, true} {
		srv := runtest.Server(t, "pbx1")
		left := make(chan struct{}, 1)
		srv.Handle("Logoff", func(_ *amitest.Request, w *amitest.ResponseWriter) {
			left <- struct{}{}
			w.Reply("Goodbye")
			w.Close()
		})
		r, nodes := of(t, srv)
		c, err := Dial(t.Context(), r.Run, nodes[0])
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if cut {
			cancel()
		}
		Leave(ctx, c)
		cancel()
		if _, err := c.Do(t.Context(), ami.NewAction("Ping")); err == nil {
			t.Errorf("cut short %t: the session is there", cut)
		}
		if !cut {
			<-left
		} else if srv.Close(); len(left) > 0 {
			t.Error("cut short, and it logged off")
		}
	}
}

// cluster is the cluster of a run.
func cluster(t *testing.T, r *runtest.Run, nodes []ami.Config) *ami.Cluster {
	t.Helper()
	c, err := Cluster(r.Run, nodes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// The loss of a connection is told, and its return; that the run ends is not.
func TestClusterTellsOfLosses(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	r, nodes := of(t, srv)
	c := cluster(t, r, nodes)
	if err := Await(t.Context(), r.Run, c, 1); err != nil {
		t.Fatal(err)
	}
	if r.Sent() {
		t.Error("nothing was sent yet")
	}
	n, _ := c.Node("pbx1")
	if _, err := n.Do(t.Context(), ami.NewAction("Ping")); err != nil || !r.Sent() {
		t.Errorf("an action was sent: %v, %t", err, r.Sent())
	}
	srv.SetDown(true)
	runtest.Eventually(t, r.Err, "amictl: pbx1: the connection was lost; trying to get it back\n")
	srv.SetDown(false)
	runtest.Eventually(t, r.Err, "amictl: pbx1 is back after ")
	told := r.Err.String()
	if Finish(t.Context(), c); r.Err.String() != told || strings.Count(told, "\n") != 2 {
		t.Errorf("it says %q", r.Err)
	}
	_, err := Cluster(r.Run, append(nodes, nodes[0]))
	runtest.Refused(t, err, fail.CodeUsage, "pbx1")
}

// A cluster's log is for --verbose.
func TestClusterVerbosely(t *testing.T) {
	for _, verbose := range []bool{false, true} {
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{runtest.Server(t, "pbx1")}, Flags: run.Globals{Verbose: verbose}})
		nodes, err := Nodes(r.Run)
		if err != nil {
			t.Fatal(err)
		}
		c := cluster(t, r, nodes)
		if err := Await(t.Context(), r.Run, c, 1); err != nil {
			t.Fatal(err)
		}
		Finish(t.Context(), c)
		if verbose == (r.Err.String() == "") {
			t.Errorf("verbose %t: it says %q", verbose, r.Err)
		}
	}
}

// A run begins as soon as enough nodes are there. The others are told of; where too few can come, it ends with why.
func TestAwait(t *testing.T) {
	one, two := runtest.Server(t, "one"), runtest.Server(t, "two")
	away, stern := runtest.Server(t, "away"), runtest.Server(t, "stern", amitest.WithFailDelay(0))
	away.SetDown(true)
	stern.Deny(true)
	for name, tt := range map[string]struct {
		servers []*amitest.Server
		need    int
		code    fail.Code
		says    []string
	}{
		"all":              {[]*amitest.Server{one, two}, 2, "", nil},
		"one of two":       {[]*amitest.Server{one, away}, 1, "", []string{"away: it sent no greeting"}},
		"none is needed":   {[]*amitest.Server{away}, 0, "", []string{"away: it sent no greeting"}},
		"both of two":      {[]*amitest.Server{one, away}, 2, noGreeting, nil},
		"all are away":     {[]*amitest.Server{away}, 1, noGreeting, nil},
		"a login":          {[]*amitest.Server{stern}, 1, fail.CodeLogin, nil},
		"one of three":     {[]*amitest.Server{one, away, stern}, 1, "", []string{"away: it sent no greeting", "stern: "}},
		"what says more":   {[]*amitest.Server{stern, away}, 1, noGreeting, nil},
		"no more can come": {[]*amitest.Server{one, two, away, stern}, 3, "*", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r, nodes := of(t, tt.servers...)
			c := cluster(t, r, nodes)
			err := Await(t.Context(), r.Run, c, tt.need)
			if f := fail.Classify(err); f.Code != tt.code && (tt.code != "*" || err == nil) || f.Sent != "" {
				t.Errorf("%v, want %q", err, tt.code)
			}
			for _, text := range tt.says {
				runtest.Eventually(t, r.Err, text)
			}
			if tt.says == nil && r.Err.String() != "" {
				t.Errorf("it says %q", r.Err)
			}
		})
	}
}

// A run that is over has nothing to say of nodes that it no longer waits for.
func TestAwaitIsSilentOnceTheRunIsOver(t *testing.T) {
	one, slow := runtest.Server(t, "one"), runtest.Server(t, "slow")
	if err := slow.InjectText("banner for=1m"); err != nil {
		t.Fatal(err)
	}
	r, nodes := of(t, one, slow)
	c := cluster(t, r, nodes)
	ctx, cancel := context.WithCancel(t.Context())
	if err := Await(ctx, r.Run, c, 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	Finish(ctx, c)
	if r.Err.String() != "" {
		t.Errorf("it says %q", r.Err)
	}
}

// Of what went wrong with several nodes a refused login says least.
func TestForemost(t *testing.T) {
	login := &ami.OpError{Op: ami.OpLogin, Err: ami.ErrUnauthorized}
	dial, later := errors.New("dial"), errors.New("later")
	for _, tt := range []struct {
		failed []error
		want   error
	}{
		{[]error{login}, login},
		{[]error{dial, login}, dial},
		{[]error{login, dial, later}, dial},
		{[]error{later, dial}, later},
	} {
		if got := foremost(tt.failed); got != tt.want {
			t.Errorf("of %v: %v", tt.failed, got)
		}
	}
}

// Why a node is away is what its last attempt came to; of one that was never tried, that it is not ready.
func TestAbsent(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	srv.SetDown(true)
	r, nodes := of(t, srv)
	c := cluster(t, r, nodes)
	n, _ := c.Node("pbx1")
	if err := n.Connect(t.Context()); err == nil {
		t.Fatal("it is there")
	}
	var op *ami.OpError
	if err := Absent(n); !errors.As(err, &op) || op.Op != ami.OpBanner || fail.Classify(err).Code != noGreeting {
		t.Errorf("%v", err)
	}
	idle := runtest.Server(t, "pbx2")
	r, nodes = of(t, idle)
	c = cluster(t, r, nodes)
	if err := Await(t.Context(), r.Run, c, 1); err != nil {
		t.Fatal(err)
	}
	n, _ = c.Node("pbx2")
	if err := Absent(n); !errors.Is(err, ami.ErrNotReady) || !errors.As(err, &op) || op.Node != "pbx2" || op.Op != ami.OpConnect {
		t.Errorf("%v", err)
	}
}

// The end of a cluster is polite where there is time for that, and short in any case.
func TestFinish(t *testing.T) {
	for _, cut := range []bool{false, true} {
		srv := runtest.Server(t, "pbx1")
		left := make(chan struct{}, 1)
		srv.Handle("Logoff", func(_ *amitest.Request, w *amitest.ResponseWriter) {
			left <- struct{}{}
			w.Reply("Goodbye")
			w.Close()
		})
		r, nodes := of(t, srv)
		c := cluster(t, r, nodes)
		if err := Await(t.Context(), r.Run, c, 1); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if cut {
			cancel()
		}
		Finish(ctx, c)
		cancel()
		if n, _ := c.Node("pbx1"); n != nil && n.Ready() {
			t.Errorf("cut short %t: the session is there", cut)
		}
		if !cut {
			<-left
		} else if srv.Close(); len(left) > 0 {
			t.Error("cut short, and it logged off")
		}
	}
}
