package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/run"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"amictl": func() { cli.Main(cli.StandIns()...) }, "amictld": main})
}

// Both programs list the same subcommands, and say the same of each.
func TestStandIns(t *testing.T) {
	list := func(more ...cli.Subcommand) (lines []string) {
		r := run.New(nil, strings.NewReader(""), nil, nil, func(string) (string, bool) { return "", false })
		for _, c := range cli.Commands(r, more...).Commands {
			lines = append(lines, c.Name+": "+c.Usage)
		}
		return lines
	}
	if diff := cmp.Diff(list(cli.StandIns()...), list(subcommands...)); diff != "" {
		t.Errorf("-amictl +amictld:\n%s", diff)
	}
}

// Each script is a session of an admin's with both programs.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			examples, err := filepath.Abs("../../examples")
			env.Setenv("EXAMPLES", examples)
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"chmod600": chmod600},
	})
}

// chmod600 FILE... makes files private, as those with secrets have to be.
func chmod600(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		ts.Check(os.Chmod(ts.MkAbs(name), 0o600))
	}
}
