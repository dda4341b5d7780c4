package sim

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

// It says where its servers are, does what the control lines say, and leaves nothing behind.
func TestSim(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Stdin: "on pbx1 ledger\nfly\nstop\n"})
	o := newOptions()
	o.nodes = flags.Count{Value: 3, Given: true}
	if err := sim(t.Context(), r.Run, o); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"..0.nodes.#.name":                   `["pbx1","pbx2","pbx3"]`,
		`..#(line="on pbx1 ledger").servers`: "1",
		`..#(line="fly").code`:               `"input"`,
		`..#(line="stop").type`:              `"control"`,
	} {
		if got := gjson.Get(r.Out.String(), path).Raw; got != want {
			t.Errorf("%s is %s, want %s, of %s", path, got, want, r.Out)
		}
	}
	if _, err := os.Stat(gjson.Get(r.Out.String(), "..0.config").Str); !os.IsNotExist(err) {
		t.Errorf("the configuration is still there: %v", err)
	}
}

// written is a file with a text.
func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "s.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The end of its input ends it if that was asked for, and else only its own end does.
func TestSimUntilEOF(t *testing.T) {
	for name, test := range map[string]struct {
		untilEOF bool
		within   time.Duration
		want     error
	}{"asked for": {true, time.Minute, nil}, "not asked for": {false, 300 * time.Millisecond, context.DeadlineExceeded}} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), test.within)
			defer cancel()
			r := runtest.New(t, runtest.Setup{Stdin: "kick\n"})
			o := newOptions()
			o.untilEOF = test.untilEOF
			if err := sim(ctx, r.Run, o); !errors.Is(err, test.want) {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}

// The servers of a scenario are those of its file, and its faults begin when somebody logs in.
func TestSimScenario(t *testing.T) {
	o := newOptions()
	o.scenario = written(t, "about = \"Some events.\"\n[[server]]\nname = \"berlin\"\n[[fault]]\ndo = \"flood event=Mine count=2000 rate=200\"\n")
	r := runtest.New(t, runtest.Setup{})
	s, err := start(t.Context(), r.Run, o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	defer s.end()
	if len(s.servers) != 1 || s.servers[0].Name() != "berlin" {
		t.Errorf("the servers are %v", s.servers)
	}
	s.traffic(ctx, o, r.Note)
	comes(t, s, "Mine")
}

func TestSimRefuses(t *testing.T) {
	idle := written(t, "about = \"Nothing.\"\n[[server]]\nname = \"pbx1\"\n")
	for name, test := range map[string]struct {
		change func(o *options)
		rest   []string
		code   fail.Code
		want   string
	}{
		"another word":          {func(o *options) { o.args = []string{"health"} }, nil, fail.CodeUsage, `sim has no argument "health"`},
		"another Asterisk":      {func(o *options) { o.version = "2" }, nil, fail.CodeUsage, "--version 2"},
		"a secret itself":       {func(o *options) { o.secret = "hunter2" }, nil, fail.CodeUsage, "--secret-from is not a reference"},
		"servers twice":         {func(o *options) { o.scenario, o.user = "x.toml", "me" }, nil, fail.CodeUsage, "--scenario does not go with"},
		"a scenario that isn't": {func(o *options) { o.scenario = "nosuch.toml" }, nil, fail.CodeInput, "nosuch.toml"},
		"no command":            {func(*options) {}, []string{}, fail.CodeUsage, "there is no command after"},
		"a command to check":    {func(o *options) { o.args = []string{"check", "x.toml"} }, []string{"true"}, fail.CodeUsage, "sim check runs no command"},
		"a check of no file":    {func(o *options) { o.args = []string{"check", "nosuch.toml"} }, nil, fail.CodeInput, "nosuch.toml"},
		"a check of nothing":    {func(o *options) { o.args = []string{"check", idle} }, nil, fail.CodeInput, "nothing is expected"},
		"nothing to check":      {func(o *options) { o.args = []string{"check"} }, nil, fail.CodeUsage, "needs scenario files"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Rest: test.rest})
			o := newOptions()
			test.change(o)
			err := sim(t.Context(), r.Run, o)
			runtest.Refused(t, err, test.code, test.want)
			if r.Out.String() != "" {
				t.Errorf("printed %s", r.Out)
			}
			if strings.Contains(fail.Classify(err).Message, "hunter2") {
				t.Error("the secret is in the message")
			}
		})
	}
}

// A scenario that is not as it says is a failure of the run, and its report says what is not.
func TestSimChecks(t *testing.T) {
	for result, test := range map[string]struct {
		outcomes string
		exit     int
	}{
		"pass": {`replied = 5`, fail.ExitOK},
		"fail": {`replied = 4, refused = 1`, fail.ExitFailed},
	} {
		t.Run(result, func(t *testing.T) {
			file := written(t, "about = \"Five Pings.\"\n[[server]]\nname = \"pbx1\"\n[[action]]\nname = \"pings\"\naction = \"Ping\"\ncount = 5\nexpect = { "+test.outcomes+" }\n")
			r := runtest.New(t, runtest.Setup{})
			o := newOptions()
			o.args = []string{"check", file}
			err := sim(t.Context(), r.Run, o)
			if got := fail.Classify(err).Exit; got != test.exit || gjson.Get(r.Out.String(), "result").Str != result {
				t.Errorf("status %d, want %d: %v, %s", got, test.exit, err, r.Out)
			}
		})
	}
}
