package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// drafted runs --init, and returns the profile.
func drafted(t *testing.T, srv *amitest.Server) string {
	t.Helper()
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	if err := check(t.Context(), r.Run, &options{init: true}); err != nil {
		t.Fatalf("%v\n%s", err, r.Err)
	}
	return r.Out.String()
}

// What --init writes is a profile whose checks all pass on the server that it was written of, whatever its things are called,
// and that tells of what is not well.
func TestDraft(t *testing.T) {
	srv := busy(t)
	const odd = "a \"b\" * [c] \\ #?ä"
	srv.State().AddQueue(amitest.Queue{Name: odd, Members: []amitest.QueueMember{{Name: "Ann", Interface: "PJSIP/ann", Status: 1}}},
		amitest.Queue{Name: "a xbx  y c z #!ä"})
	text := drafted(t, srv)
	for _, want := range []string{`# Not registered now: "trunk-b"`, `# Without such a contact now: "carol"`, "# crit = \"available=0\"  # met now", "# warn = \"uptime<15m\"  # met now"} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	r, exit := inspect(t, srv, text, run.Globals{}, options{})
	if exit != fail.ExitOK {
		t.Errorf("status %d: %s\n%s", exit, r.Err, text)
	}
	var got []string
	for _, name := range gjson.Get(r.Out.String(), "..#.check").Array()[basics:] {
		got = append(got, name.String())
	}
	want := []string{
		"server", "registration trunk-a", "endpoint alice", "queue " + odd, "queue a xbx  y c z #!ä", "queue sales", "queue support", "stuck channels", "calls",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("its checks (-want +got):\n%s\n%s", diff, text)
	}
}

// Who may ask for little gets little, and is told why.
func TestDraftWithFewRights(t *testing.T) {
	user := amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Write: amitest.ParseClass("agent")}
	srv := busy(t, amitest.WithUsers(user))
	text := drafted(t, srv)
	for _, want := range []string{"# [server]: the user may not ask", "# [[endpoints]]: the user may not list all", "# [[calls]]: the user may not"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	if r, exit := inspect(t, srv, text, run.Globals{}, options{}); exit != fail.ExitOK {
		t.Errorf("status %d: %s", exit, r.Err)
	}
}

func TestDraftRefuses(t *testing.T) {
	srv := busy(t)
	for name, test := range map[string]struct {
		options options
		flags   run.Globals
		servers []*amitest.Server
		want    string
	}{
		"a profile as well": {options{init: true, args: []string{"x"}}, run.Globals{}, []*amitest.Server{srv}, "--init writes a profile"},
		"a format":          {options{init: true}, run.Globals{Output: "jsonl"}, []*amitest.Server{srv}, "--init writes a profile"},
		"again and again":   {options{init: true, rounds: run.Rounds{Watch: true}}, run.Globals{}, []*amitest.Server{srv}, "--init writes a profile"},
		"two servers":       {options{init: true}, run.Globals{}, []*amitest.Server{srv, runtest.Server(t, "pbx2")}, "looks at one server, and 2 nodes are selected"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers, Flags: test.flags})
			runtest.Refused(t, check(t.Context(), r.Run, &test.options), fail.CodeUsage, test.want)
		})
	}
	if n := srv.Ledger().Accepted; n != 0 {
		t.Errorf("the server was dialled %d times", n)
	}
}

// A server that is away leaves no file.
func TestDraftOfNobody(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	srv.SetDown(true)
	out := filepath.Join(t.TempDir(), "pbx1.toml")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	err := check(t.Context(), r.Run, &options{init: true, out: out})
	if got := fail.Classify(err).Exit; got != fail.ExitConnect {
		t.Errorf("status %d: %v", got, err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("there is a file")
	}
}
