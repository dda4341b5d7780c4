package tail

import (
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func TestWait(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	for name, test := range map[string]struct {
		change     func(o *waitOptions)
		rest       []string
		path, want string
	}{
		"for an event":  {func(o *waitOptions) { o.names = []string{"UserEvent"} }, []string{"UserEvent", "UserEvent=mine"}, "fields.UserEvent", "mine"},
		"for an answer": {func(o *waitOptions) { o.until.conditions = flags.List{"CoreCurrentCalls=0"} }, []string{"CoreStatus"}, "fields.CoreCurrentCalls", "0"},
		"for a boot":    {func(o *waitOptions) { o.ready = true }, nil, "@this", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Rest: test.rest})
			o := newWaitOptions()
			test.change(o)
			if err := wait(t.Context(), r.Run, o); err != nil {
				t.Fatal(err)
			}
			if got := gjson.Get(r.Out.String(), test.path).String(); got != test.want {
				t.Errorf("%s is %q, want %q, of %s", test.path, got, test.want, r.Out)
			}
		})
	}
}

func TestWaitRefuses(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	for name, test := range map[string]struct {
		change func(o *waitOptions)
		want   string
	}{
		"a boot and an event":    {func(o *waitOptions) { o.ready, o.names = true, []string{"Hangup"} }, "--ready cannot be combined"},
		"an answer and an event": {func(o *waitOptions) { o.until.conditions, o.names = flags.List{"A=1"}, []string{"Hangup"} }, "neither events nor --where"},
		"an answer to nothing":   {func(o *waitOptions) { o.until.conditions = flags.List{"A=1"} }, "--until needs an action"},
		"a pace of nothing":      {func(o *waitOptions) { o.until.every.Given = true }, "--every and --found go with --until"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
			o := newWaitOptions()
			test.change(o)
			runtest.Refused(t, wait(t.Context(), r.Run, o), fail.CodeUsage, test.want)
		})
	}
}

// What does not come in time is a 5: the server was reached, and it may come yet.
func TestWaitTimesOut(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	for name, change := range map[string]func(o *waitOptions){
		"an event":  func(o *waitOptions) { o.names = []string{"UserEvent"} },
		"an answer": func(o *waitOptions) { o.names, o.until.conditions = nil, flags.List{"CoreCurrentCalls=7"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // they only wait
			r := runtest.New(t, runtest.Setup{
				Servers: []*amitest.Server{srv}, Rest: []string{"CoreStatus"},
				Flags: run.Globals{Timeout: flags.Duration{Value: 2 * time.Second, Given: true}},
			})
			o := newWaitOptions()
			o.until.every.Value = 10 * time.Millisecond
			change(o)
			if got := fail.Classify(wait(t.Context(), r.Run, o)).Exit; got != fail.ExitTimeout {
				t.Errorf("status %d", got)
			}
		})
	}
}

// A wait for an answer says that the server is away when that happens, and which one was at its end.
func TestUntilTellsOfALoss(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	r := runtest.New(t, runtest.Setup{
		Servers: []*amitest.Server{srv}, Rest: []string{"CoreStatus"}, Flags: run.Globals{Timeout: flags.Duration{Value: 2 * time.Second, Given: true}},
	})
	o := newWaitOptions()
	o.until.conditions, o.until.every.Value = flags.List{"CoreCurrentCalls=7"}, 10*time.Millisecond
	end := make(chan error, 1)
	go func() { end <- wait(t.Context(), r.Run, o) }()
	for srv.Ledger().RepliesSent < 2 {
		time.Sleep(time.Millisecond)
	}
	srv.SetDown(true)
	runtest.Eventually(t, r.Err, "amictl: pbx1: the connection was lost; trying to get it back\n")
	f := fail.Classify(<-end)
	if f.Exit != fail.ExitTimeout || !strings.HasPrefix(f.Message, "the condition did not hold within 2s; pbx1: ") {
		t.Errorf("status %d: %s", f.Exit, f.Message)
	}
}
