package health

import (
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// Only a watch whose table goes to a terminal that can show one has a screen.
func TestWhoHasAScreen(t *testing.T) {
	watch := options{rounds: run.Rounds{Watch: true}}
	file := watch
	file.out = "file"
	for name, test := range map[string]struct {
		terminal bool
		flags    run.Globals
		term     string
		options  options
		want     bool
	}{
		"a watch on a terminal": {true, run.Globals{}, "xterm", watch, true},
		"one look":              {true, run.Globals{}, "xterm", options{}, false},
		"a file":                {true, run.Globals{}, "xterm", file, false},
		"objects":               {true, run.Globals{Output: "jsonl"}, "xterm", watch, false},
		"Prometheus":            {true, run.Globals{Output: "prometheus"}, "xterm", watch, false},
		"a dumb terminal":       {true, run.Globals{}, "dumb", watch, false},
		"no terminal":           {false, run.Globals{}, "xterm", watch, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Flags: test.flags, Env: map[string]string{"TERM": test.term}})
			if test.terminal {
				r.OnTerminal(t, 70)
			}
			s := newScreen(r.Run, &test.options)
			if (s != nil) != test.want {
				t.Fatalf("it has a screen: %t", s != nil)
			}
			if s == nil {
				return
			}
			if columns, rows := s.size(); columns != 70 || rows != 24 {
				t.Errorf("its screen is of %d columns and %d rows", columns, rows)
			}
		})
	}
}

// A watch leaves the terminal as it was, with the last look on it and what is to be said behind that.
func TestWatchOnATerminal(t *testing.T) {
	up, down := runtest.Server(t, "up"), away(t, "down")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{up, down}, Env: map[string]string{"TERM": "xterm"}})
	r.OnTerminal(t, 120)
	o := &options{rounds: run.Rounds{Watch: true, Every: flags.Duration{Value: time.Millisecond, Given: true}, Most: flags.Count{Value: 2, Given: true}}}
	if err := health(t.Context(), r.Run, o); err == nil {
		t.Error("a node is down, and all is well")
	}
	runtest.Eventually(t, r.Out, closeScreen)
	screens, _, _ := strings.Cut(r.Out.String(), closeScreen)
	if strings.Count(screens, openScreen) != 1 || strings.Count(screens, fromTop) != 2 || strings.Count(screens, "1 of 2 nodes ready, 1 down") != 2 {
		t.Errorf("it shows %q", screens)
	}
	if said := r.Err.String(); strings.Count(said, "amictl: down: ") != 1 {
		t.Errorf("it says %q", said)
	}
}
