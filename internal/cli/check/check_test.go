package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// profileFile writes a profile.
func profileFile(t *testing.T, text string) string {
	file := filepath.Join(t.TempDir(), "profile.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func pbx(t *testing.T) *amitest.Server {
	return runtest.Server(t, "pbx1", amitest.WithSetup(func(s *amitest.Server) {
		s.State().AddQueue(amitest.Queue{Name: "support", Strategy: "ringall", Members: []amitest.QueueMember{{Name: "Ann", Interface: "Local/100@default"}}})
	}))
}

func TestCheck(t *testing.T) {
	srv := pbx(t)
	for name, test := range map[string]struct {
		profile string
		status  string // of all checks, in their order
		exit    int
	}{
		"of any server":     {"", `["pass","pass","pass","pass","pass"]`, fail.ExitOK},
		"of a queue":        {`queues = ["support"]`, `["pass","pass","pass","pass","pass","pass"]`, fail.ExitOK},
		"of a missing one":  {`queues = ["sales"]`, `["pass","pass","pass","pass","pass","fail"]`, fail.ExitFailed},
		"of another banner": {`banner = "^Asterisk Manager"`, `["pass","fail","pass","pass","pass"]`, fail.ExitFailed},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
			o := &options{junit: filepath.Join(t.TempDir(), "report.xml")}
			if test.profile != "" {
				o.args = []string{profileFile(t, test.profile)}
			}
			err := check(t.Context(), r.Run, o)
			if got := fail.Classify(err).Exit; got != test.exit {
				t.Errorf("status %d, want %d: %v", got, test.exit, err)
			}
			if got := gjson.Get(r.Out.String(), "..#.status").Raw; got != test.status {
				t.Errorf("the checks are %s, want %s", got, test.status)
			}
			report, _ := os.ReadFile(o.junit)
			if got, want := strings.Count(string(report), "<failure "), strings.Count(test.status, "fail"); got != want {
				t.Errorf("%d failures are in the report, want %d:\n%s", got, want, report)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	srv := pbx(t)
	for name, test := range map[string]struct {
		options options
		code    fail.Code
		want    string
	}{
		"two files":         {options{args: []string{"a", "b"}}, fail.CodeUsage, "check takes one file"},
		"no such file":      {options{args: []string{"nosuch.toml"}}, fail.CodeUsage, "nosuch.toml"},
		"an unknown key":    {options{args: []string{profileFile(t, `queue = ["x"]`)}}, fail.CodeConfig, "unknown key queue"},
		"a call to nowhere": {options{args: []string{profileFile(t, "[call]\nchannel = \"Local/1@x\"")}}, fail.CodeConfig, "needs either exten or application"},
		"what may change":   {options{args: []string{profileFile(t, "[[command]]\nrun = \"core reload\"")}}, fail.CodeUsage, "is protected"},
		"a report in air":   {options{junit: filepath.Join(t.TempDir(), "no", "r.xml")}, fail.CodeUsage, "--junit"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Config: "protect = true"})
			runtest.Refused(t, check(t.Context(), r.Run, &test.options), test.code, test.want)
			if n := srv.Ledger().Accepted; n != 0 {
				t.Errorf("the server was dialled %d times", n)
			}
		})
	}
}

// A node that is away fails its first check, and the others are skipped, each with its place in the report.
func TestCheckOfNodeAway(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	srv.SetDown(true)
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: "junit"}})
	err := check(t.Context(), r.Run, &options{})
	if got := fail.Classify(err).Exit; got != fail.ExitConnect {
		t.Errorf("status %d: %v", got, err)
	}
	if got := r.Out.String(); !strings.Contains(got, `failures="1" errors="0" skipped="2"`) {
		t.Errorf("printed %s", got)
	}
}

// A server that is away in a later round was called in the first: its status must not say that nothing was.
func TestCheckAfterACall(t *testing.T) {
	for profile, exit := range map[string]int{"ping = {}": fail.ExitConnect, "[[command]]\nrun = \"core show uptime\"": fail.ExitLost} {
		srv := pbx(t)
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
		o := &options{args: []string{profileFile(t, profile)}}
		o.rounds.Watch, o.rounds.Most.Value, o.rounds.Every.Value = true, 2, time.Millisecond
		n := &inspection{run: r.Run, options: o, sheet: run.Report{Run: r.Run, Again: true}, said: make(map[string]string)}
		if err := n.prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		first := n.examineAll(t.Context())
		srv.SetDown(true)
		second := n.examineAll(t.Context())
		if got := []int{fail.Classify(n.status(first)).Exit, fail.Classify(n.status(second)).Exit}; got[0] != fail.ExitOK || got[1] != exit {
			t.Errorf("%q: the statuses are %v, want 0 and %d", profile, got, exit)
		}
	}
}
