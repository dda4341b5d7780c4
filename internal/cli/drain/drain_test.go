package drain

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/output"
)

// pbx is a server with an extension that answers.
func pbx(t *testing.T, name string, options ...amitest.Option) *amitest.Server {
	return runtest.Server(t, name, append(options, amitest.WithSetup(func(s *amitest.Server) {
		s.State().AddExtension(amitest.Extension{Context: "default", Exten: "100", Outcome: "answer"})
	}))...)
}

// talk makes a call that lasts so long.
func talk(t *testing.T, srv *amitest.Server, seconds string) {
	t.Helper()
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	c, err := ami.Dial(t.Context(), ami.Config{Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, err = c.Do(t.Context(), ami.NewAction("Originate", "Channel", "Local/100@default", "Application", "Wait", "Data", seconds, "Async", "true"))
	if err != nil || len(srv.State().Channels()) != 2 {
		t.Fatalf("%v, %d channels: %s", err, len(srv.State().Channels()), r.Err)
	}
}

func minute() flags.Duration { return flags.Duration{Value: time.Minute, Given: true} }

// What a run of a server with a call comes to: what is printed, and whether the server is a new one then.
func TestDrain(t *testing.T) {
	for name, test := range map[string]struct {
		seconds   string // of the call
		change    func(o *options, r *run.Run)
		exit      int
		keys      string // of the object
		hungUp    int64
		message   string
		restarted bool
	}{
		"until it is empty":     {"0.3", func(*options, *run.Run) {}, fail.ExitOK, "type node time calls hung_up drain_us", 0, "", false},
		"a command with text":   {"0.3", func(o *options, _ *run.Run) { o.command = "core show uptime" }, fail.ExitOK, "type node time calls hung_up drain_us run run_us output", 0, "", false},
		"a restart":             {"0.3", func(o *options, _ *run.Run) { o.command = "core restart now" }, fail.ExitOK, "type node time calls hung_up drain_us run run_us back_us", 0, "", true},
		"a graceful restart":    {"0.3", func(o *options, _ *run.Run) { o.command = "Core  Restart gracefully" }, fail.ExitOK, "type node time calls hung_up drain_us run run_us back_us", 0, "", true},
		"a stop":                {"0.3", func(o *options, _ *run.Run) { o.command = "core stop now" }, fail.ExitOK, "type node time calls hung_up drain_us run run_us", 0, "", false},
		"what is left hangs up": {"600", func(o *options, _ *run.Run) { o.hangupAfter.Value, o.hangupAfter.Given = 100*time.Millisecond, true }, fail.ExitOK, "type node time calls hung_up drain_us", 1, "", false},
		"not in time": {"600", func(o *options, r *run.Run) {
			r.Flags.Timeout = flags.Duration{Value: 200 * time.Millisecond, Given: true}
			o.command = "core restart now"
		}, fail.ExitFailed, "", 0, "1 call left, the longest for", false},
		"a command that is none": {"0.1", func(o *options, _ *run.Run) { o.command = "core restrat now" }, fail.ExitFailed, "", 0, "pbx1: No such command 'core restrat now'", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := pbx(t, "pbx1")
			born := bornAtText(t, srv)
			talk(t, srv, test.seconds)
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
			o := newOptions()
			test.change(o, r.Run)
			err := drain(t.Context(), r.Run, o)
			f := fail.Classify(err)
			if f.Exit != test.exit || !strings.Contains(f.Message, test.message) {
				t.Errorf("status %d, want %d: %v", f.Exit, test.exit, err)
			}
			var keys []string
			gjson.Parse(r.Out.String()).ForEach(func(key, _ gjson.Result) bool { keys = append(keys, key.Str); return true })
			if diff := cmp.Diff(strings.Fields(test.keys), keys); diff != "" && test.exit == fail.ExitOK {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			if test.exit == fail.ExitOK && (gjson.Get(r.Out.String(), "calls").Int() != 1 || gjson.Get(r.Out.String(), "hung_up").Int() != test.hungUp) {
				t.Errorf("printed %s", r.Out)
			}
			if (test.exit != fail.ExitOK) != (r.Out.String() == "") {
				t.Errorf("printed %q", r.Out)
			}
			if got := !strings.Contains(name, "stop") && bornAtText(t, srv) != born; got != test.restarted {
				t.Errorf("restarted: %v, want %v", got, test.restarted)
			}
		})
	}
}

// bornAtText is when the server says that it started.
func bornAtText(t *testing.T, srv *amitest.Server) string {
	t.Helper()
	c, err := ami.Dial(t.Context(), ami.Config{Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	reply, err := c.Do(t.Context(), ami.NewAction("CoreStatus"))
	if err != nil {
		t.Fatal(err)
	}
	return reply.Get("CoreStartupDate") + " " + reply.Get("CoreStartupTime")
}

// A draining is a drain of one server that runs, and knows of a call.
type draining struct {
	*runtest.Run
	done   chan error    // has the error of its end
	record output.Record // valid after its end
}

// drainOf begins one, and waits until it knows of the call.
func drainOf(t *testing.T, srv *amitest.Server, o *options) *draining {
	t.Helper()
	r := &draining{Run: runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}}), done: make(chan error, 1)}
	d, cfg := drainerOf(t, r.Run, o)
	go func() {
		var err error
		r.record, err = d.node(t.Context(), cfg)
		r.done <- err
	}()
	r.until(t, func() bool { return strings.Contains(d.progress(), "1 call left") })
	return r
}

// drainerOf is a drainer, and the node that it is for.
func drainerOf(t *testing.T, r *runtest.Run, o *options) (*drainer, ami.Config) {
	t.Helper()
	command, err := o.action()
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := target.Nodes(r.Run)
	if err != nil {
		t.Fatal(err)
	}
	return &drainer{run: r.Run, options: o, command: command, left: make(map[string]string)}, nodes[0]
}

// until waits for something that comes before the end.
func (r *draining) until(t *testing.T, holds func() bool) {
	t.Helper()
	for !holds() {
		select {
		case err := <-r.done:
			t.Fatalf("it ended with %v", err)
		case <-time.After(time.Millisecond):
		}
	}
}

// has reports whether the object has a key.
func (r *draining) has(key string) bool {
	return slices.ContainsFunc(r.record, func(p output.Pair) bool { return p.Key == key })
}

// A server that somebody else stops gracefully refuses logins and actions alike. The session that stands has its events, and
// what was to be done is done when it is back.
func TestDrainWhileItStops(t *testing.T) {
	for name, command := range map[string]string{"nothing to run": "", "a restart that happens anyway": "core restart now"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := pbx(t, "pbx1")
			talk(t, srv, "1.5")
			o := newOptions()
			o.command, o.backWithin = command, minute()
			r := drainOf(t, srv, o)
			c, err := ami.Dial(t.Context(), ami.Config{Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			go func() { _, _ = c.Do(t.Context(), ami.NewAction("Command", "Command", "core restart gracefully")) }()
			if err := <-r.done; err != nil || r.has("back_us") != (command != "") {
				t.Errorf("%v: %v", err, r.record)
			}
		})
	}
}

// A server that somebody else stops keeps its sessions until its end. Nothing has to come back then.
func TestDrainStopsWhatIsStopping(t *testing.T) {
	for name, ends := range map[string]bool{"until it is gone": true, "which does not end": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := pbx(t, "pbx1")
			talk(t, srv, "600")
			o := newOptions()
			o.command, o.backWithin.Value = "core stop now", time.Second
			if ends {
				o.backWithin = minute()
			}
			r := drainOf(t, srv, o)
			srv.Shutdown(false)
			hangUpAll(srv)
			r.until(t, func() bool { return strings.Contains(r.Err.String(), "somebody else is stopping it") })
			if !ends {
				runtest.Refused(t, <-r.done, fail.CodeTimeout, "it had not stopped within 1s")
				return
			}
			select {
			case err := <-r.done:
				t.Fatalf("it ended with %v", err)
			case <-time.After(3 * look):
			}
			srv.SetDown(true)
			if err := <-r.done; err != nil || r.has("back_us") {
				t.Errorf("%v: %v", err, r.record)
			}
		})
	}
}

func hangUpAll(srv *amitest.Server) {
	for _, c := range srv.State().Channels() {
		srv.Hangup(c.Name, 16)
	}
}

// A server that is restarted while it is emptied is another one when the command is run: the loss of a session is no restart.
func TestDrainIsRestartedBefore(t *testing.T) {
	t.Parallel()
	srv := pbx(t, "pbx1")
	srv.Handle("Command", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Close() })
	talk(t, srv, "600")
	o := newOptions()
	o.command = "core restart now"
	r := drainOf(t, srv, o)
	if err := srv.InjectText("restart for=1100ms"); err != nil { // the simulator keeps its calls
		t.Fatal(err)
	}
	r.until(t, func() bool { return strings.Contains(r.Err.String(), "is back after") })
	hangUpAll(srv)
	runtest.Refused(t, <-r.done, fail.CodeLost, "the server was not restarted")
}

// A session that ends just before the command, by somebody else's restart at the end of the calls, is as good as their restart;
// one that is lost otherwise leaves the command to be run again.
func TestDrainIsLostBeforeTheCommand(t *testing.T) {
	for name, test := range map[string]struct {
		command, fault, message string
		code                    fail.Code
	}{
		"a restart":                   {"core restart now", "restart for=1100ms", "", ""},
		"a lost connection":           {"core restart now", "flap for=200ms period=1ms times=1", "the server was not restarted", fail.CodeUnsent},
		"a stop":                      {"core stop now", "restart for=1h", "", ""},
		"a command that ends nothing": {"core show uptime", "restart for=1100ms", "the node is not ready", fail.CodeConnect},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := pbx(t, "pbx1")
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
			o := newOptions()
			o.command, o.backWithin = test.command, minute()
			d, cfg := drainerOf(t, r, o)
			cfg.Events = eventMask
			c, err := target.Cluster(r.Run, []ami.Config{cfg})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			if err := target.Await(t.Context(), r.Run, c, 1); err != nil {
				t.Fatal(err)
			}
			n := c.Nodes()[0]
			born, err := bornAt(t.Context(), n, true)
			if err != nil {
				t.Fatal(err)
			}
			if err := srv.InjectText(test.fault); err != nil {
				t.Fatal(err)
			}
			for n.Ready() {
				time.Sleep(time.Millisecond)
			}
			_, err = d.runCommand(t.Context(), n, born)
			runtest.Refused(t, err, test.code, test.message)
			if sent := fail.Classify(err).Sent; err != nil && sent != "no" {
				t.Errorf("sent: %s", sent)
			}
			if said := strings.Contains(r.Err.String(), "before the command was sent") || strings.Contains(r.Err.String(), "somebody else"); said != (test.code != fail.CodeConnect) {
				t.Errorf("it said %q", r.Err)
			}
		})
	}
}

// A session that is lost without a restart is not taken for one.
func TestDrainLosesItsSession(t *testing.T) {
	srv := pbx(t, "pbx1")
	srv.Handle("Command", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Close() })
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	o := newOptions()
	o.command = "core restart now"
	err := drain(t.Context(), r.Run, o)
	runtest.Refused(t, err, fail.CodeLost, "the server was not restarted")
	if r.Out.String() != "" {
		t.Errorf("printed %s", r.Out)
	}
}

// A server that does not come back is a 5; what it was told may have run.
func TestDrainDoesNotComeBack(t *testing.T) {
	srv := pbx(t, "pbx1")
	srv.Handle("Command", func(_ *amitest.Request, w *amitest.ResponseWriter) { go srv.SetDown(true); w.Close() })
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	o := newOptions()
	o.command, o.backWithin.Value = "core restart now", 500*time.Millisecond
	err := drain(t.Context(), r.Run, o)
	runtest.Refused(t, err, fail.CodeTimeout, "it was not back within 500ms")
	if sent := fail.Classify(err).Sent; sent != "yes" {
		t.Errorf("sent: %s", sent)
	}
}

// Of several nodes none further is begun once one has failed.
func TestDrainInTurns(t *testing.T) {
	servers := []*amitest.Server{pbx(t, "pbx1"), pbx(t, "pbx2"), pbx(t, "pbx3")}
	talk(t, servers[1], "600")
	r := runtest.New(t, runtest.Setup{Servers: servers, Flags: run.Globals{Timeout: flags.Duration{Value: 300 * time.Millisecond, Given: true}}})
	o := newOptions()
	o.command, o.All = "core show uptime", true
	o.Batch.Value, o.Batch.Given, o.MaxFail.Value, o.MaxFail.Given = 1, true, 1, true
	if got := fail.Classify(drain(t.Context(), r.Run, o)).Exit; got != fail.ExitMixed {
		t.Errorf("status %d", got)
	}
	var got []string
	for line := range strings.Lines(r.Out.String()) {
		got = append(got, strings.Join([]string{gjson.Get(line, "type").Str, gjson.Get(line, "node").Str, gjson.Get(line, "code").Str}, " "))
	}
	if diff := cmp.Diff([]string{"drain pbx1 ", "error pbx2 condition", "error pbx3 unsent"}, got); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	if n := servers[2].Ledger().Accepted; n != 0 {
		t.Errorf("the third was dialled %d times", n)
	}
}

func TestDrainRefuses(t *testing.T) {
	srv := pbx(t, "pbx1")
	for name, test := range map[string]struct {
		config string
		change func(o *options)
		code   fail.Code
		want   string
	}{
		"a route":         {"", func(o *options) { o.Route = "failover" }, fail.CodeUsage, "--route"},
		"a line break":    {"", func(o *options) { o.command = "core show uptime\r\nAction: Logoff" }, fail.CodeInput, "Command"},
		"protected":       {"protect = true", func(o *options) { o.command = "core restart now" }, fail.CodeUsage, "is protected"},
		"protected calls": {"protect = true", func(o *options) { o.hangupAfter = minute() }, fail.CodeUsage, "Hangup may change something"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Config: test.config})
			o := newOptions()
			test.change(o)
			runtest.Refused(t, drain(t.Context(), r.Run, o), test.code, test.want)
		})
	}
	if n := srv.Ledger().Accepted; n != 0 {
		t.Errorf("the server was dialled %d times", n)
	}
}

// A user who may not ask is told so, and nothing is run.
func TestDrainMayNotAsk(t *testing.T) {
	srv := pbx(t, "pbx1", amitest.WithUsers(amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Write: amitest.ParseClass("command")}))
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	o := newOptions()
	o.command = "core restart now"
	runtest.Refused(t, drain(t.Context(), r.Run, o), fail.CodePermission, "CoreStatus")
}

// Whoever sees no events of the class call knows of the end of one by the next list.
func TestDrainWithoutEvents(t *testing.T) {
	srv := pbx(t, "pbx1", amitest.WithUsers(amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Write: amitest.ParseClass("reporting,originate")}))
	talk(t, srv, "0.5")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	if err := drain(t.Context(), r.Run, newOptions()); err != nil || gjson.Get(r.Out.String(), "calls").Int() != 1 {
		t.Errorf("%v: %s", err, r.Out)
	}
}

// What was hung up stays so: a failure behind that says neither that nothing was sent nor that nothing was executed.
func TestDrainFailsAfterHangups(t *testing.T) {
	srv := pbx(t, "pbx1", amitest.WithUsers(amitest.User{
		Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Read: amitest.ParseClass("call,system"), Write: amitest.ParseClass("call,originate,reporting"),
	}))
	for _, hungUp := range []bool{false, true} {
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
		o := newOptions()
		o.command = "core restart now"
		if hungUp {
			talk(t, srv, "600")
			o.hangupAfter = flags.Duration{Value: time.Millisecond, Given: true}
		}
		code := map[bool]fail.Code{false: fail.CodePermission, true: fail.CodeLost}[hungUp]
		runtest.Refused(t, drain(t.Context(), r.Run, o), code, "Permission denied")
	}
}

// A server that died before anything was run, and is not back when --timeout is over, is another thing than one with calls.
func TestDrainIsAwayInTheEnd(t *testing.T) {
	t.Parallel()
	srv := pbx(t, "pbx1")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Timeout: minute()}})
	d, cfg := drainerOf(t, r, newOptions())
	c, err := target.Cluster(r.Run, []ami.Config{cfg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := target.Await(t.Context(), r.Run, c, 1); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	e := emptying{d: d, node: c.Nodes()[0], start: start}
	srv.SetDown(true)
	runtest.Eventually(t, r.Err, "amictl: pbx1: the connection was lost; trying to get it back\n")
	if err := e.present(start.Add(20 * time.Second)); err != nil {
		t.Errorf("it is away for no time: %v", err)
	}
	d.options.hangupAfter = flags.Duration{Value: time.Second, Given: true}
	if err := e.late(start.Add(50*time.Second), "its channels are not known"); err != nil {
		t.Errorf("nothing can be hung up on it: %v", err)
	}
	err = e.late(start.Add(time.Minute), "its channels are not known")
	runtest.Refused(t, err, fail.CodeTimeout, "pbx1: it was not back within 40s: ")
	if f := fail.Classify(err); f.Sent != "no" || f.Hint != "nothing was run; --timeout allows more time" {
		t.Errorf("sent: %s, %s", f.Sent, f.Hint)
	}
}
