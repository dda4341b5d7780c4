package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// odd is a server whose commands fail, or answer in ways of their own; on an Asterisk of any age.
func odd(t *testing.T, name string, version amitest.Version) *amitest.Server {
	return runtest.Server(t, name, amitest.WithVersion(version), amitest.WithSetup(func(s *amitest.Server) {
		s.State().SetCommand("say", func(string) (string, bool) { return "hello\nworld\n", true })
		s.State().SetCommand("silent", func(string) (string, bool) { return "", true })
		s.State().SetCommand("gap", func(string) (string, bool) { return "\na\n\n", true })
		s.State().SetCommand("blank", func(string) (string, bool) { return "\n\n", true })
		s.State().SetCommand("fails", func(string) (string, bool) { return "No such command\n", false })
	}))
}

// refusing is a server that answers no command: its user may not.
func refusing(t *testing.T, name string) *amitest.Server {
	return runtest.Server(t, name, amitest.WithUsers(amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Read: amitest.ClassAll}))
}

// What a command prints is printed as it is, an Error's text too, and the exit status says the rest.
func TestCommandEnds(t *testing.T) {
	a, b, no := odd(t, "a", amitest.Version22), odd(t, "b", amitest.Version22), refusing(t, "no")
	all := target.Fanout{All: true}
	for name, test := range map[string]struct {
		servers []*amitest.Server
		options options
		words   string
		want    []string // lines, sorted where several nodes print
		exit    int
		said    string // on standard error, or by the error that is returned
	}{
		"nothing":             {[]*amitest.Server{a}, options{}, "silent", nil, fail.ExitOK, ""},
		"blank lines":         {[]*amitest.Server{a}, options{}, "blank", []string{"", ""}, fail.ExitOK, ""},
		"lines and blanks":    {[]*amitest.Server{a}, options{}, "gap", []string{"", "a", ""}, fail.ExitOK, ""},
		"an error with text":  {[]*amitest.Server{a}, options{}, "fails", []string{"No such command"}, fail.ExitFailed, ""},
		"an error, named":     {[]*amitest.Server{a}, options{prefix: "always"}, "fails", []string{"a| No such command"}, fail.ExitFailed, ""},
		"a refusal":           {[]*amitest.Server{no}, options{}, "say", nil, fail.ExitLogin, "no: Command: Permission denied"},
		"of two":              {[]*amitest.Server{a, b}, options{Fanout: all}, "say", []string{"a| hello", "a| world", "b| hello", "b| world"}, fail.ExitOK, ""},
		"two errors":          {[]*amitest.Server{a, b}, options{Fanout: all}, "fails", []string{"a| No such command", "b| No such command"}, fail.ExitFailed, ""},
		"one refuses":         {[]*amitest.Server{a, no}, options{Fanout: all}, "say", []string{"a| hello", "a| world"}, fail.ExitMixed, "amictl: no: Command: Permission denied"},
		"all refuse":          {[]*amitest.Server{no, refusing(t, "nono")}, options{Fanout: all}, "say", nil, fail.ExitLogin, "amictl: nono: Command: Permission denied"},
		"of a route":          {[]*amitest.Server{a, b}, options{Fanout: target.Fanout{Route: "failover"}}, "say", []string{"hello", "world"}, fail.ExitOK, ""},
		"of a route, named":   {[]*amitest.Server{a, b}, options{prefix: "always", Fanout: target.Fanout{Route: "failover"}}, "say", []string{"a| hello", "a| world"}, fail.ExitOK, ""},
		"not as expected":     {[]*amitest.Server{a}, options{expect: flags.List{"bye"}}, "say", []string{"hello", "world"}, fail.ExitFailed, "a: the output does not match --expect 'bye'"},
		"nowhere as expected": {[]*amitest.Server{a, b}, options{Fanout: all, reject: flags.List{"^w"}}, "say", []string{"a| hello", "a| world", "b| hello", "b| world"}, fail.ExitFailed, "b: the output matches --reject '^w': w"},
		"an error, expected":  {[]*amitest.Server{a}, options{expect: flags.List{"No"}}, "fails", []string{"No such command"}, fail.ExitFailed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers})
			test.options.words = []string{test.words}
			if test.options.prefix == "" {
				test.options.prefix = "auto"
			}
			f := fail.Classify(command(t.Context(), r.Run, &test.options))
			var got []string
			for line := range strings.Lines(r.Out.String()) {
				got = append(got, strings.TrimSuffix(line, "\n"))
			}
			if test.options.All {
				slices.Sort(got)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			said := r.Err.String()
			if !f.Silent {
				said += f.Message
			}
			if f.Exit != test.exit || !strings.Contains(said, test.said) || test.said == "" && said != "" {
				t.Errorf("status %d, want %d; said %q, want %q", f.Exit, test.exit, said, test.said)
			}
		})
	}
}

// As objects an answer is one like any other: with its text if there is any, of an Error too.
func TestCommandAsObjects(t *testing.T) {
	a, no := odd(t, "a", amitest.Version22), refusing(t, "no")
	for name, test := range map[string]struct {
		servers []*amitest.Server
		options options
		words   string
		want    map[string]string // node → response and output, or the code of a failure
		exit    int
		said    string
	}{
		"text":            {[]*amitest.Server{a}, options{}, "say", map[string]string{"a": `Success ["hello","world"]`}, fail.ExitOK, ""},
		"an error":        {[]*amitest.Server{a}, options{}, "fails", map[string]string{"a": `Error ["No such command"]`}, fail.ExitFailed, ""},
		"a refusal":       {[]*amitest.Server{no}, options{}, "say", map[string]string{}, fail.ExitLogin, "Permission denied"},
		"not as expected": {[]*amitest.Server{a}, options{expect: flags.List{"bye"}}, "say", map[string]string{"a": `Success ["hello","world"]`}, fail.ExitFailed, "does not match --expect 'bye'"},
		"one refuses":     {[]*amitest.Server{a, no}, options{Fanout: target.Fanout{All: true}}, "say", map[string]string{"a": `Success ["hello","world"]`, "no": "permission"}, fail.ExitMixed, "amictl: no: "},
		"an error of two": {[]*amitest.Server{a, no}, options{Fanout: target.Fanout{All: true}}, "fails", map[string]string{"a": "refused", "no": "permission"}, fail.ExitMixed, "amictl: a: "},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers, Flags: run.Globals{Output: "jsonl"}})
			test.options.words, test.options.prefix = []string{test.words}, "auto"
			f := fail.Classify(command(t.Context(), r.Run, &test.options))
			got := map[string]string{}
			for line := range strings.Lines(r.Out.String()) {
				o := gjson.Parse(line)
				if text := o.Get("response").Str + " " + o.Get("output").Raw; o.Get("type").Str == "reply" {
					got[o.Get("node").Str] = text
				} else {
					got[o.Get("node").Str] = o.Get("code").Str
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			said := r.Err.String()
			if !f.Silent {
				said += f.Message
			}
			if f.Exit != test.exit || !strings.Contains(said, test.said) || test.said == "" && said != "" {
				t.Errorf("status %d, want %d; said %q, want %q", f.Exit, test.exit, said, test.said)
			}
		})
	}
}

// Asterisk 13 and older send text behind the response instead of headers: it is the same to who reads it.
func TestCommandOfOlderServers(t *testing.T) {
	for words, want := range map[string]string{"say it": "hello\nworld\n", "gap": "\na\n\n"} {
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{odd(t, "a", amitest.Version13)}})
		if err := command(t.Context(), r.Run, &options{prefix: "auto", words: strings.Fields(words)}); err != nil || r.Out.String() != want {
			t.Errorf("%s: %v, printed %q, want %q", words, err, r.Out, want)
		}
	}
}

// A command that changes something is asked for in a protected context, or shown.
func TestCommandAsks(t *testing.T) {
	srv := odd(t, "a", amitest.Version22)
	setup := runtest.Setup{Servers: []*amitest.Server{srv}, Config: "protect = true"}
	runtest.Refused(t, command(t.Context(), runtest.New(t, setup).Run, &options{prefix: "auto", words: []string{"say", "it"}}), fail.CodeUsage, "is protected")
	r := runtest.New(t, setup)
	if err := command(t.Context(), r.Run, &options{prefix: "auto", words: []string{"say", "it"}, Fanout: target.Fanout{DryRun: true}}); err != nil || !strings.Contains(r.Out.String(), "Command: say it\r\n") {
		t.Errorf("%v, printed %q", err, r.Out)
	}
	if n := srv.Ledger().Accepted; n != 0 {
		t.Errorf("the server was dialled %d times", n)
	}
	r = runtest.New(t, setup)
	if err := command(t.Context(), r.Run, &options{prefix: "auto", words: []string{"say", "it"}, Fanout: target.Fanout{Yes: true}}); err != nil || r.Out.String() != "hello\nworld\n" {
		t.Errorf("%v, printed %q", err, r.Out)
	}
	runtest.Refused(t, command(t.Context(), runtest.New(t, setup).Run, &options{prefix: "auto", words: []string{" ", ""}}), fail.CodeUsage, "the command is missing")
	runtest.Refused(t, command(t.Context(), runtest.New(t, setup).Run, &options{prefix: "auto", words: []string{"a\r\nb"}}), fail.CodeInput, "Command")
}

// One empty line is how a server since 14 says nothing; older ones say an empty line as they say any other.
func TestSoleEmptyLine(t *testing.T) {
	for packet, want := range map[string]bool{
		"Response: Success\r\nOutput: \r\n\r\n":                                       true,
		"Response: Success\r\nOutput: x\r\n\r\n":                                      false,
		"Response: Success\r\nOutput: \r\nOutput: \r\n\r\n":                           false,
		"Response: Success\r\nOutput: \r\nOutput: x\r\n\r\n":                          false,
		"Response: Success\r\nMessage: x\r\n\r\n":                                     false,
		"Response: Follows\r\nPrivilege: Command\r\n\n--END COMMAND--\r\n\r\n":        false,
		"Response: Follows\r\nPrivilege: Command\r\nhello\n\n--END COMMAND--\r\n\r\n": false,
	} {
		d := wire.NewDecoder(wire.Limits{})
		d.Feed([]byte(packet))
		m, err := d.Next()
		if err != nil {
			t.Errorf("%q: %v", packet, err)
			continue
		}
		r := &ami.Reply{Message: m}
		if got := soleEmptyLine(r); got != want {
			t.Errorf("%q: %v", packet, got)
		}
		if has := strings.Contains(packet, "Output: ") || strings.Contains(packet, "Follows"); hasOutput(r) != has {
			t.Errorf("%q has output: %v", packet, !has)
		}
	}
}
