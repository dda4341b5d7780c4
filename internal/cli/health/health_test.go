package health

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/nagios"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// away is a server that nobody can reach.
func away(t *testing.T, name string) *amitest.Server {
	s := runtest.Server(t, name)
	s.SetDown(true)
	return s
}

func TestHealth(t *testing.T) {
	up, down := runtest.Server(t, "up"), away(t, "down")
	for name, test := range map[string]struct {
		servers []*amitest.Server
		options options
		states  string
		exit    int
	}{
		"ready":            {[]*amitest.Server{up}, options{}, `["ready"]`, fail.ExitOK},
		"down":             {[]*amitest.Server{down}, options{}, `["down"]`, fail.ExitConnect},
		"one of two":       {[]*amitest.Server{up, down}, options{}, `["down","ready"]`, fail.ExitMixed}, // by name
		"enough of them":   {[]*amitest.Server{up, down}, options{minReady: "50%"}, `["down","ready"]`, fail.ExitOK},
		"a warning":        {[]*amitest.Server{up}, options{warn: flags.List{"ping>1ns"}}, `["degraded"]`, fail.ExitFailed},
		"a critical value": {[]*amitest.Server{up}, options{crit: flags.List{"calls<1"}}, `["critical"]`, fail.ExitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers, Flags: run.Globals{Output: "jsonl"}})
			err := health(t.Context(), r.Run, &test.options)
			if got := fail.Classify(err).Exit; got != test.exit {
				t.Errorf("status %d, want %d: %v", got, test.exit, err)
			}
			if got := gjson.Get(r.Out.String(), "..#.state").Raw; got != test.states {
				t.Errorf("the states are %s, want %s", got, test.states)
			}
		})
	}
}

func TestHealthRefuses(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	for name, test := range map[string]struct {
		options options
		output  string
		want    string
	}{
		"rounds of one look":    {options{rounds: run.Rounds{Most: flags.Count{Value: 2, Given: true}}}, "", "go with --watch"},
		"no condition":          {options{warn: flags.List{"ping"}}, "", `"ping" is not METRIC`},
		"what is not measured":  {options{crit: flags.List{"load>1"}}, "", "is not a metric"},
		"more than there are":   {options{minReady: "2"}, "", "more than the 1 node selected"},
		"a document for ever":   {options{rounds: run.Rounds{Watch: true}}, "json", "--watch has no end"},
		"a file that is folder": {options{out: t.TempDir()}, "", "is a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: test.output}})
			runtest.Refused(t, health(t.Context(), r.Run, &test.options), fail.CodeUsage, test.want)
			if n := srv.Ledger().Accepted; n != 0 {
				t.Errorf("the server was dialled %d times", n)
			}
		})
	}
}

// A plugin of Nagios says what is wrong on standard output or in its file, with a status of its own, also when it cannot look.
func TestHealthForNagios(t *testing.T) {
	up, down := runtest.Server(t, "up"), away(t, "down")
	for name, test := range map[string]struct {
		servers []*amitest.Server
		options options
		want    string
		exit    int
	}{
		"ok":       {[]*amitest.Server{up}, options{}, "AMI OK - 1 of 1 node ready |", nagios.OK},
		"critical": {[]*amitest.Server{up, down}, options{}, "AMI CRITICAL - 1 of 2 nodes ready; down: ", nagios.Critical},
		"unknown":  {[]*amitest.Server{up}, options{warn: flags.List{"ping"}}, "AMI UNKNOWN - ", nagios.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers, Flags: run.Globals{Output: "nagios"}})
			test.options.out = filepath.Join(t.TempDir(), "status")
			err := health(t.Context(), r.Run, &test.options)
			text, _ := os.ReadFile(test.options.out)
			if got := fail.Classify(err).Exit; got != test.exit || !strings.HasPrefix(string(text), test.want) {
				t.Errorf("status %d and %q, want %d and %q", got, text, test.exit, test.want)
			}
		})
	}
}

// A watch keeps its session, and has a breaker to tell of.
func TestHealthWatches(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: "jsonl"}})
	o := &options{rounds: run.Rounds{Watch: true, Every: flags.Duration{Value: time.Millisecond, Given: true}, Most: flags.Count{Value: 3, Given: true}}}
	if err := health(t.Context(), r.Run, o); err != nil {
		t.Fatal(err)
	}
	if got := gjson.Get(r.Out.String(), "..#.breaker").Raw; got != `["closed","closed","closed"]` || srv.Ledger().Logins != 1 {
		t.Errorf("breakers are %s, after %d logins", got, srv.Ledger().Logins)
	}
}
