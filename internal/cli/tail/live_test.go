package tail

import (
	"fmt"
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
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func given(n int) flags.Count { return flags.Count{Value: n, Given: true} }

// mute is a server that refuses to send events on, and everything else that its user asks.
func mute(t *testing.T, name string) *amitest.Server {
	return runtest.Server(t, name, amitest.WithUsers(amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Read: amitest.ClassAll}))
}

// kinds counts what is printed by node and type, or the code of a failure.
func kinds(out string) map[string]int {
	all := map[string]int{}
	for line := range strings.Lines(out) {
		o := gjson.Parse(line)
		kind := o.Get("type").Str
		if kind == "error" {
			kind = o.Get("code").Str
		}
		all[o.Get("node").Str+" "+kind]++
	}
	return all
}

// The answers to the action of a tail: data where it prints objects, and a failure, which ends it with one node only.
func TestTailAnswers(t *testing.T) {
	a, b, no := runtest.Server(t, "a"), runtest.Server(t, "b"), mute(t, "0")
	user := []string{"UserEvent", "UserEvent=x"}
	for name, test := range map[string]struct {
		servers []*amitest.Server
		options options
		flags   run.Globals
		want    map[string]int
		code    fail.Code
		exit    int
	}{
		"one":                {[]*amitest.Server{a}, options{count: given(1)}, run.Globals{}, map[string]int{"a event": 1, "a reply": 1}, "", 0},
		"all":                {[]*amitest.Server{a, b}, options{count: given(2), Fanout: target.Fanout{All: true}}, run.Globals{}, map[string]int{"a event": 1, "a reply": 1, "b event": 1, "b reply": 1}, "", 0},
		"one of them":        {[]*amitest.Server{a, b}, options{count: given(1), Fanout: target.Fanout{Route: "failover"}, require: "all"}, run.Globals{}, map[string]int{"a event": 1, "a reply": 1}, "", 0},
		"a refusal":          {[]*amitest.Server{no}, options{}, run.Globals{}, map[string]int{}, fail.CodePermission, fail.ExitLogin},
		"a refused route":    {[]*amitest.Server{no, a}, options{Fanout: target.Fanout{Route: "failover"}, require: "all"}, run.Globals{}, map[string]int{}, fail.CodePermission, fail.ExitLogin},
		"some refuse":        {[]*amitest.Server{a, no}, options{count: given(1), Fanout: target.Fanout{All: true}, require: "all"}, run.Globals{}, map[string]int{"a event": 1, "a reply": 1, "0 permission": 1}, "mixed", fail.ExitMixed},
		"columns of events":  {[]*amitest.Server{a}, options{count: given(1)}, run.Globals{Output: "csv", Fields: "event"}, nil, "", 0},
		"counts have none":   {[]*amitest.Server{a}, options{count: given(1), stats: true}, run.Globals{}, map[string]int{"a stats": 1}, "", 0},
		"counts fail":        {[]*amitest.Server{no}, options{stats: true}, run.Globals{}, map[string]int{}, fail.CodePermission, fail.ExitLogin},
		"none that is asked": {[]*amitest.Server{a}, options{names: []string{"Hangup"}, length: flags.Duration{Value: 700 * time.Millisecond, Given: true}}, run.Globals{}, map[string]int{"a reply": 1}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers, Rest: user, Flags: test.flags})
			if test.options.names == nil {
				test.options.names = []string{"UserEvent"}
			}
			f := fail.Classify(tail(t.Context(), r.Run, &test.options))
			if f.Code != test.code || f.Exit != test.exit {
				t.Errorf("%q with status %d, want %q with %d: %s", f.Code, f.Exit, test.code, test.exit, f.Message)
			}
			if test.want == nil {
				if got := r.Out.String(); got != "event\nUserEvent\n" {
					t.Errorf("printed %q", got)
				}
			} else if diff := cmp.Diff(test.want, kinds(r.Out.String())); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if said := strings.Contains(r.Err.String(), "amictl: 0: "); said != (test.exit == fail.ExitMixed) {
				t.Errorf("it said %q", r.Err)
			}
		})
	}
}

// Before its action is agreed to, a tail in a protected context connects to nothing.
func TestTailAsks(t *testing.T) {
	srv := runtest.Server(t, "a")
	setup := runtest.Setup{Servers: []*amitest.Server{srv}, Config: "protect = true", Rest: []string{"QueueReload"}}
	runtest.Refused(t, tail(t.Context(), runtest.New(t, setup).Run, &options{}), fail.CodeUsage, "is protected")
	r := runtest.New(t, setup)
	if err := tail(t.Context(), r.Run, &options{Fanout: target.Fanout{DryRun: true}}); err != nil || !strings.Contains(r.Out.String(), "QueueReload") {
		t.Errorf("a dry run: %v, printed %s", err, r.Out)
	}
	if n := srv.Ledger().Accepted; n != 0 {
		t.Errorf("the server was dialled %d times", n)
	}
	two := runtest.Setup{Servers: []*amitest.Server{srv, runtest.Server(t, "b")}, Rest: []string{"Ping"}}
	runtest.Refused(t, tail(t.Context(), runtest.New(t, two).Run, &options{}), fail.CodeUsage, "2 nodes are selected")
}

// follow begins a tail and returns once it is connected; end returns its error.
func follow(t *testing.T, r *runtest.Run, o *options, srv *amitest.Server) (end func() error) {
	t.Helper()
	ended := make(chan error, 1)
	before := srv.Ledger().Logins
	go func() { ended <- tail(t.Context(), r.Run, o) }()
	await(t, func() bool { return srv.Ledger().Logins > before })
	return func() error { return <-ended }
}

// emitUntil sends an event again and again until something is so: a session takes events from some moment after its login on.
func emitUntil(t *testing.T, srv *amitest.Server, name string, so func() bool) {
	t.Helper()
	await(t, func() bool { srv.EmitEvent(name, "N", "1"); return so() })
}

// Events that are missing end a tail only where that is wanted; they are shown, or counted, in any case.
func TestTailOverAGap(t *testing.T) {
	for name, test := range map[string]struct {
		options options
		code    fail.Code
		want    string // of standard output
	}{
		"it goes on":  {options{}, "", `"reason":"disconnect"`},
		"it ends":     {options{failOnGap: true}, fail.CodeGap, `"reason":"disconnect"`},
		"it is noted": {options{stats: true, failOnGap: true}, fail.CodeGap, `"type":"stats"`},
	} {
		t.Run(name, func(t *testing.T) {
			srv := runtest.Server(t, "a")
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
			test.options.names = []string{"Hangup", "Hold"}
			test.options.record = t.TempDir() + "/record"
			end := follow(t, r, &test.options, srv)
			emitUntil(t, srv, "Hold", func() bool { return test.options.stats || strings.Contains(r.Out.String(), `"Hold"`) })
			if test.options.stats { // nothing is printed yet: the record tells that the tail is there
				emitUntil(t, srv, "Hold", func() bool { return slices.Contains(recorded(t, test.options.record), "Hold") })
			}
			srv.Kick()
			if test.code == "" {
				emitUntil(t, srv, "Hangup", func() bool { return strings.Contains(r.Out.String(), `"Hangup"`) })
			} else {
				runtest.Refused(t, end(), test.code, "a: events are missing (disconnect)")
			}
			if !strings.Contains(r.Out.String(), test.want) {
				t.Errorf("printed %s", r.Out)
			}
			await(t, func() bool {
				return slices.ContainsFunc(recorded(t, test.options.record), func(line string) bool { return strings.Contains(line, "gap") })
			})
		})
	}
}

// What is neither an event nor an answer is shown if that is wanted; if not, a tail says at its end how much there was.
func TestTailPackets(t *testing.T) {
	for _, packets := range []bool{false, true} {
		t.Run(fmt.Sprintf("packets %v", packets), func(t *testing.T) {
			srv := runtest.Server(t, "a")
			srv.Handle("Odd", func(_ *amitest.Request, w *amitest.ResponseWriter) {
				w.Raw("Strange: 1\r\n\r\nStrange: 2\r\n\r\nResponse: Success\r\nActionID: somebody's\r\nMessage: Strange\r\n\r\n")
				w.Ack("done")
				w.Raw("Event: Hold\r\n\r\n")
			})
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Rest: []string{"Odd"}})
			o := &options{packets: packets, names: []string{"Hold"}, count: given(1)}
			if packets {
				o.count = given(4)
			}
			if err := tail(t.Context(), r.Run, o); err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(r.Out.String(), "Strange"); got != map[bool]int{true: 3}[packets] {
				t.Errorf("%d packets are shown: %s", got, r.Out)
			}
			if want := "amictl: 3 packets were neither event nor answer; --packets shows such packets\n"; strings.Contains(r.Err.String(), want) == packets {
				t.Errorf("it said %q", r.Err)
			}
		})
	}
}

// The nodes that answer are enough, unless more are required.
func TestTailRequires(t *testing.T) {
	a, b := runtest.Server(t, "a"), runtest.Server(t, "b")
	b.SetDown(true)
	for require, fails := range map[string]bool{"": false, "1": false, "2": true, "all": true} {
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{a, b}})
		err := tail(t.Context(), r.Run, &options{require: require, length: flags.Duration{Value: time.Millisecond, Given: true}})
		if (err != nil) != fails || fails && fail.Classify(err).Exit != fail.ExitConnect {
			t.Errorf("--require %q: %v", require, err)
		}
	}
}

// Where a mark of --until is passed while a tail follows, it ends as if by --for.
func TestTailUntil(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{runtest.Server(t, "a")}})
	until := time.Now().Add(200 * time.Millisecond)
	if err := tail(t.Context(), r.Run, &options{until: until.Format(time.RFC3339Nano)}); err != nil || time.Now().Before(until) {
		t.Errorf("it ended %v before its time: %v", time.Until(until), err)
	}
}
