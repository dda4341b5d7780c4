package command

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// pbx is a server with the command `say`.
func pbx(t *testing.T, name string) *amitest.Server {
	return runtest.Server(t, name, amitest.WithSetup(func(s *amitest.Server) {
		s.State().SetCommand("silent", func(string) (string, bool) { return "", true })
		s.State().SetCommand("say", func(string) (string, bool) { return "hello\nworld\n", true })
	}))
}

func TestCommand(t *testing.T) {
	a, b := pbx(t, "a"), pbx(t, "b")
	for name, test := range map[string]struct {
		servers []*amitest.Server
		options options
		want    string
	}{
		"as it is":       {[]*amitest.Server{a}, options{prefix: "auto"}, "hello\nworld\n"},
		"with its node":  {[]*amitest.Server{a}, options{prefix: "always"}, "a| hello\na| world\n"},
		"of two, bare":   {[]*amitest.Server{a, b}, options{prefix: "never", Fanout: target.Fanout{All: true}}, "hello\nworld\nhello\nworld\n"},
		"as it should":   {[]*amitest.Server{a}, options{prefix: "auto", expect: flags.List{"^world$"}}, "hello\nworld\n"},
		"on one of them": {[]*amitest.Server{a, b}, options{prefix: "auto", Fanout: target.Fanout{Route: "failover"}}, "hello\nworld\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers})
			test.options.words = []string{"say", "it"}
			if err := command(t.Context(), r.Run, &test.options); err != nil {
				t.Fatal(err)
			}
			if got := r.Out.String(); got != test.want {
				t.Errorf("printed %q, want %q", got, test.want)
			}
		})
	}
}

func TestCommandRefuses(t *testing.T) {
	srv := pbx(t, "a")
	for name, test := range map[string]struct {
		options options
		code    fail.Code
		want    string
	}{
		"nothing":            {options{prefix: "auto"}, fail.CodeUsage, "the command is missing"},
		"a prefix":           {options{prefix: "often", words: []string{"say"}}, fail.CodeUsage, `--prefix "often"`},
		"an expression":      {options{prefix: "auto", words: []string{"say"}, expect: flags.List{"("}}, fail.CodeUsage, "--expect"},
		"several, and alone": {options{prefix: "auto", words: []string{"say"}, Fanout: target.Fanout{All: true, Route: "failover"}}, fail.CodeUsage, "do not go together"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
			runtest.Refused(t, command(t.Context(), r.Run, &test.options), test.code, test.want)
			if n := srv.Ledger().Accepted; n != 0 {
				t.Errorf("the server was dialled %d times", n)
			}
		})
	}
}

// What --reject finds is a failure although the server said Success, and the text is printed all the same.
func TestCommandRejects(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{pbx(t, "a")}})
	err := command(t.Context(), r.Run, &options{prefix: "auto", words: []string{"say"}, reject: flags.List{"wor.d"}})
	if f := fail.Classify(err); f.Exit != fail.ExitFailed || r.Out.String() != "hello\nworld\n" {
		t.Errorf("status %d, printed %q", f.Exit, r.Out)
	}
}

// Where a command printed nothing there is nothing to look at, and the error says so.
func TestCommandThatPrintsNothing(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{pbx(t, "a")}})
	err := command(t.Context(), r.Run, &options{prefix: "auto", words: []string{"silent"}, expect: flags.List{"reloaded"}})
	want := "a: the command printed nothing, which does not match --expect 'reloaded'\nhint: some commands tell what they did to Asterisk's log alone"
	if got := r.Err.String(); fail.Classify(err).Exit != fail.ExitFailed || !strings.Contains(got, want) {
		t.Errorf("%v: %s", err, got)
	}
}
