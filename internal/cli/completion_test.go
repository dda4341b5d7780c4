package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/completion"
	"github.com/apntalk/amictl/internal/cli/run"
)

// Every flag of every command is offered.
func TestCompletionKnowsTheCommands(t *testing.T) {
	r := run.New(nil, nil, nil, nil, noEnv)
	root := Commands(r)
	for c := range everyCommand(root) {
		words := strings.Fields(c.UsageText)[1:]
		offered := completion.Candidates(r, root, "fish", append(words, "--"))
		for _, f := range slices.Concat(c.Flags, root.Flags) {
			if n := longName(f); !strings.Contains("\n"+offered, "\n--"+n+"\t") {
				t.Errorf("%s --TAB does not offer --%s", c.UsageText, n)
			}
		}
	}
}

func noEnv(string) (string, bool) { return "", false }

func longName(f cli.Flag) string {
	return slices.MaxFunc(f.Names(), func(a, b string) int { return len(a) - len(b) })
}
