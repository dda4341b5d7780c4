package tail

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// What the kinds of wait do not have in common is refused by each, and nothing is connected to.
func TestWaitsThatDoNotGoTogether(t *testing.T) {
	srv := runtest.Server(t, "a")
	ready := func(change func(o *waitOptions)) func(o *waitOptions) {
		return func(o *waitOptions) { o.ready = true; change(o) }
	}
	none := func(*waitOptions) {}
	for name, test := range map[string]struct {
		change func(o *waitOptions)
		rest   []string
		want   string
	}{
		"a boot and an action":     {ready(none), []string{"Ping"}, "--ready cannot be combined"},
		"a boot and a field":       {ready(func(o *waitOptions) { o.where = flags.List{"A=1"} }), nil, "--ready cannot be combined"},
		"a boot and an answer":     {ready(func(o *waitOptions) { o.until.conditions = flags.List{"A=1"} }), nil, "--ready cannot be combined"},
		"a boot and a pace":        {ready(func(o *waitOptions) { o.until.every.Given = true }), nil, "--ready cannot be combined"},
		"a boot and a count":       {ready(func(o *waitOptions) { o.until.found = cond.Any }), nil, "--ready cannot be combined"},
		"a boot, dry":              {ready(func(o *waitOptions) { o.DryRun = true }), nil, "--ready cannot be combined"},
		"a boot of any":            {ready(func(o *waitOptions) { o.Route = "failover" }), nil, "--ready cannot be combined"},
		"an answer and a field":    {func(o *waitOptions) { o.until.conditions, o.where = flags.List{"A=1"}, flags.List{"B=1"} }, nil, "neither events nor --where"},
		"a count of no answer":     {func(o *waitOptions) { o.until.found = cond.Any }, nil, "--every and --found go with --until"},
		"an event, no condition":   {func(o *waitOptions) { o.where = flags.List{"A"} }, nil, "A"},
		"a dry run of no action":   {func(o *waitOptions) { o.DryRun = true }, nil, "--dry-run shows the action after"},
		"an action without header": {none, []string{"Ping", "x"}, "x"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Rest: test.rest})
			o := newWaitOptions()
			test.change(o)
			runtest.Refused(t, wait(t.Context(), r.Run, o), fail.CodeUsage, test.want)
		})
	}
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	err := WaitCommand(r.Run).Run(t.Context(), []string{"wait", "--ready", "--nats", "nats://127.0.0.1:1"})
	runtest.Refused(t, err, fail.CodeUsage, "--ready asks the servers themselves")
	if n := srv.Ledger().Accepted; n != 0 {
		t.Errorf("the server was dialled %d times", n)
	}
}

// A server is ready when it has booted. Before that a wait says why it is not, as far as it is known.
func TestWaitReady(t *testing.T) {
	booting, down, up := runtest.Server(t, "a", amitest.WithoutBoot()), runtest.Server(t, "a"), runtest.Server(t, "b")
	wrong := runtest.Server(t, "a", amitest.WithFailDelay(time.Millisecond))
	booting.Handle("CoreStatus", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("Permission denied yet") })
	down.SetDown(true)
	wrong.Deny(true)
	for name, test := range map[string]struct {
		server *amitest.Server
		code   fail.Code
		want   string
	}{
		"it is":      {up, "", ""},
		"it boots":   {booting, fail.CodeTimeout, "a was not ready within 2s: it has not finished booting"},
		"it is down": {down, fail.CodeTimeout, "a was not ready within 2s: "},
		"no login":   {wrong, fail.CodeLogin, "a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they only wait
			setup := runtest.Setup{Servers: []*amitest.Server{test.server, up}, Flags: within(2 * time.Second)}
			if test.code != fail.CodeTimeout { // it ends by itself
				setup = runtest.Setup{Servers: []*amitest.Server{test.server}}
			}
			r := runtest.New(t, setup)
			o := newWaitOptions()
			o.ready = true
			runtest.Refused(t, wait(t.Context(), r.Run, o), test.code, test.want)
		})
	}
}

// Why a server is not ready: its last attempt's cause comes first, then how far it is.
func TestNotReady(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	up := runtest.Server(t, "up")
	refused := "127.0.0.1:1"
	for name, test := range map[string]struct{ addr, want string }{
		"it refuses":       {refused, "cannot connect: connection refused"},
		"it says nothing":  {silent.Addr().String(), "it accepts the connection and does not answer"},
		"it has a session": {up.Addr(), "it has not finished booting"},
	} {
		t.Run(name, func(t *testing.T) {
			c := ami.NewCluster(ami.ClusterConfig{})
			defer c.Close()
			n, err := c.Add(ami.Config{Name: "a", Addr: test.addr, Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
			if err != nil {
				t.Fatal(err)
			}
			limit := 20 * time.Second
			if name == "it says nothing" {
				limit = 20 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_ = n.Connect(ctx)
			r := runtest.New(t, runtest.Setup{Flags: within(time.Second)})
			runtest.Refused(t, notReady(r.Run, n), fail.CodeTimeout, "a was not ready within 1s: ")
			if got := notReady(r.Run, n).Error(); !strings.Contains(got, test.want) {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// A wait prints what it waited for alone; what its action was answered is only of interest where it failed.
func TestWaitForEvents(t *testing.T) {
	a, b := runtest.Server(t, "a"), runtest.Server(t, "b")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{a, b}, Rest: []string{"UserEvent", "UserEvent=x"}})
	o := newWaitOptions()
	o.names, o.count.Value, o.Fanout = []string{"UserEvent"}, 2, target.Fanout{All: true}
	o.require = "all"
	if err := wait(t.Context(), r.Run, o); err != nil {
		t.Fatal(err)
	}
	if got := kinds(r.Out.String()); got["a event"] != 1 || got["b event"] != 1 || len(got) != 2 || r.Err.String() != "" {
		t.Errorf("printed %s, said %q", r.Out, r.Err)
	}
	r = runtest.New(t, runtest.Setup{Servers: []*amitest.Server{a}, Rest: []string{"Nosuch"}})
	o = newWaitOptions()
	o.names = []string{"UserEvent"}
	runtest.Refused(t, wait(t.Context(), r.Run, o), fail.CodeRefused, "Nosuch")
}

// Where events are missing when a wait's time is over, what it waited for may be among them.
func TestWaitOverAGap(t *testing.T) {
	t.Parallel() // it only waits
	srv := runtest.Server(t, "a")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: within(4 * time.Second)})
	o := newWaitOptions()
	o.names, o.count.Value = []string{"Hangup"}, 1e6
	end := make(chan error, 1)
	go func() { end <- wait(t.Context(), r.Run, o) }()
	// A session that is not ready yet has nothing to lose.
	emitUntil(t, srv, "Hangup", func() bool { return strings.Contains(r.Out.String(), `"Hangup"`) })
	srv.Kick()
	runtest.Eventually(t, r.Err, "the connection was lost")
	runtest.Refused(t, <-end, fail.CodeGap, "it was not seen within 4s, but events are missing")
}

// Events of before an action are none of its doing, so a wait with one passes them over; without one, and in a tail, they count.
func TestEventsOfBeforeTheAction(t *testing.T) {
	srv := runtest.Server(t, "a") // FullyBooted comes with the login
	for name, rest := range map[string][]string{"no action": nil, "an action": {"Ping"}} {
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Rest: rest})
		if err := tail(t.Context(), r.Run, &options{names: []string{"FullyBooted"}, count: given(1)}); err != nil {
			t.Errorf("a tail with %s: %v", name, err)
		}
	}
	o := newWaitOptions()
	o.names = []string{"FullyBooted"}
	if err := wait(t.Context(), runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}}).Run, o); err != nil {
		t.Errorf("a wait without an action: %v", err)
	}
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Rest: []string{"Ping"}, Flags: within(500 * time.Millisecond)})
	if f := fail.Classify(wait(t.Context(), r.Run, o)); f.Code == "" {
		t.Error("a wait with an action takes what was before it")
	}
}

// Whoever waits for events is woken for an answer, or by hand, and waits again once the answers are taken.
func TestSenderWakes(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s := newSender(ctx, nil, nil, nil, nil)
	first := s.wait
	if ends := s.take(); len(ends) != 0 || s.wait != first || first.Err() != nil {
		t.Errorf("before anything: %d answers, woken: %v", len(ends), first.Err())
	}
	s.put(target.Ending{Node: "a"})
	s.put(target.Ending{Node: "b"})
	if first.Err() == nil {
		t.Error("nobody is woken for an answer")
	}
	if ends := s.take(); len(ends) != 2 || ends[0].Node != "a" || s.wait.Err() != nil {
		t.Errorf("%v is taken, and who waits is woken at once: %v", ends, s.wait.Err())
	}
	if s.nudge(); s.wait.Err() == nil || len(s.take()) != 0 || s.wait.Err() != nil {
		t.Error("by hand nobody is woken, or for ever")
	}
	stop()
	if last := s.wait; len(s.take()) != 0 || s.wait != last || s.wait.Err() == nil {
		t.Error("at the end there is another wait")
	}
}
