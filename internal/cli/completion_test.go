package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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

// Behind --where and --fields stand the headers of the events that were named.
func TestCompletionOfHeaders(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"tail Hangup --where Cau", "Cause=|Cause-txt=|:nospace"},
		{"wait hangup HANGUPREQUEST -w=cause", "-w=Cause=|-w=Cause-txt=|:nospace"},
		{"tail Hangup --fields node,time,cau", "node,time,Cause|node,time,Cause-txt|:done"},
		{"tail DialEnd --fields=DestUni", "--fields=DestUniqueid|:done"},
		{"tail --where Cau", ":done"},
		{"tail Hang* OfAModule --where Cau", ":done"},
		{"send Hangup --where Cau", ":done"},
	} {
		r := run.New(nil, nil, nil, nil, noEnv)
		got := completion.Candidates(r, Commands(r), "fish", strings.Fields(tt.line))
		if diff := cmp.Diff(tt.want, strings.ReplaceAll(strings.TrimSpace(got), "\n", "|")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.line, diff)
		}
	}
}

func noEnv(string) (string, bool) { return "", false }

func longName(f cli.Flag) string {
	return slices.MaxFunc(f.Names(), func(a, b string) int { return len(a) - len(b) })
}
