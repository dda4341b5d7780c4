package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/completion"
	"github.com/apntalk/amictl/internal/cli/run"
)

// What completion knows by name exists: flags with choices, and every flag of every command is offered.
func TestCompletionKnowsTheCommands(t *testing.T) {
	a := run.New(nil, nil, nil, nil, noEnv)
	root := Commands(a)
	names := make(map[string]bool)
	for c := range everyCommand(root) {
		for _, f := range c.Flags {
			for _, n := range f.Names() {
				names[n] = true
			}
		}
		words := strings.Fields(c.UsageText)[1:]
		offered := completion.Candidates(a, root, "fish", append(words, "--"))
		for _, f := range slices.Concat(c.Flags, root.Flags) {
			if n := longName(f); !strings.Contains("\n"+offered, "\n--"+n+"\t") {
				t.Errorf("%s --TAB does not offer --%s", c.UsageText, n)
			}
		}
	}
	for name := range completion.FlagChoices {
		if !names[name] {
			t.Errorf("there is no flag --%s", name)
		}
	}
	for _, name := range completion.FlagFiles {
		if !names[name] {
			t.Errorf("there is no flag --%s", name)
		}
	}
}

func noEnv(string) (string, bool) { return "", false }

func longName(f cli.Flag) string {
	return slices.MaxFunc(f.Names(), func(a, b string) int { return len(a) - len(b) })
}
