package completion

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func TestSplitLine(t *testing.T) {
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"amictl", []string{"amictl", ""}},
		{"amictl ", []string{"amictl", ""}},
		{"amictl se", []string{"amictl", "se"}},
		{"amictl  send  A ", []string{"amictl", "send", "A", ""}},
		{`amictl send "a b" 'c d' e\ f`, []string{"amictl", "send", "a b", "c d", "e f"}},
		{`amictl send "a b`, []string{"amictl", "send", "a b"}},
		{`amictl send "" x`, []string{"amictl", "send", "", "x"}},
		{`amictl 'a\'`, []string{"amictl", `a\`}},
	} {
		if diff := cmp.Diff(tt.want, SplitLine(tt.line)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.line, diff)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range shells {
		r := runtest.New(t, runtest.Setup{})
		if err := completion(r.Run, &options{args: []string{shell}}); err != nil {
			t.Error(err)
		}
		if got := r.Out.String(); !strings.Contains(got, "amictl completion "+shell+" -- ") && !strings.Contains(got, "completion bash -- ") {
			t.Errorf("the script of %s does not ask: %s", shell, got)
		}
	}
}

func TestCompletionRefuses(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	for _, args := range [][]string{nil, {"tcsh"}, {"bash", "zsh"}} {
		runtest.Refused(t, completion(r.Run, &options{args: args}), fail.CodeUsage, "the name of one shell: bash, zsh, fish, pwsh")
	}
}

// What is offered follows from what a subcommand tells of itself, whatever it is called.
func TestCandidates(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	words := func() []string { return []string{"red", "green"} }
	for name, test := range map[string]struct {
		about run.About
		words []string
		want  string
	}{
		"nothing":              {run.About{}, []string{""}, ":done"},
		"whatever":             {run.About{Args: run.Words{Kind: run.AnyWords}}, []string{""}, ":done"},
		"one of a few":         {run.About{Args: run.Words{Kind: run.OneOf, Choices: words}}, []string{"g"}, "green :done"},
		"one of a few, taken":  {run.About{Args: run.Words{Kind: run.OneOf, Choices: words}}, []string{"red", "g"}, ":done"},
		"some of a few":        {run.About{Args: run.Words{Kind: run.SomeOf, Choices: words}}, []string{"red", ""}, "green :done"},
		"a form":               {run.About{Args: run.Words{Kind: run.FormAndFiles, Choices: words}}, []string{"r"}, "red :done"},
		"a form's files":       {run.About{Args: run.Words{Kind: run.FormAndFiles, Choices: words}}, []string{"red", ""}, ":files"},
		"an action":            {run.About{Args: run.Words{Kind: run.ActionName}}, []string{"queuepause"}, "QueuePause :done"},
		"no second action":     {run.About{Args: run.Words{Kind: run.ActionName}}, []string{"Ping", "queuepause"}, ":done"},
		"its parameters":       {run.About{Args: run.Words{Kind: run.ActionWords}}, []string{"QueuePause", "Reas"}, "Reason= :nospace"},
		"one's parameters":     {run.About{Args: run.Words{Kind: run.Parameters, Action: "Originate"}}, []string{"Exten=1", "Ex"}, ":done"},
		"an event":             {run.About{Args: run.Words{Kind: run.EventName}}, []string{"hangu"}, "Hangup HangupHandlerPop HangupHandlerPush HangupHandlerRun HangupRequest :done"},
		"no second event":      {run.About{Args: run.Words{Kind: run.EventName}}, []string{"Hangup", "newst"}, ":done"},
		"events":               {run.About{Args: run.Words{Kind: run.EventNames}}, []string{"Hangup", "newst"}, "Newstate :done"},
		"a context":            {run.About{Args: run.Words{Kind: run.ContextName}}, []string{""}, runtest.Context + " :done"},
		"a node":               {run.About{Args: run.Words{Kind: run.NodeName}}, []string{""}, "pbx1 :done"},
		"what stands behind":   {run.About{Args: run.Words{Kind: run.NodeName}}, []string{"pbx1", ""}, ":done"},
		"files":                {run.About{Args: run.Words{Kind: run.Files}}, []string{""}, ":files"},
		"behind --":            {run.About{Rest: run.Words{Kind: run.ActionWords}}, []string{"--", "queuepause"}, "QueuePause :done"},
		"-- itself":            {run.About{Rest: run.Words{Kind: run.AnyWords}}, []string{"--"}, "--colour --help -- :done"},
		"no --":                {run.About{}, []string{"--"}, "--colour --help :done"},
		"this program":         {run.About{Rest: run.Words{Kind: run.CommandLine}}, []string{"--", "a"}, "amictl :done"},
		"its subcommands":      {run.About{Rest: run.Words{Kind: run.CommandLine}}, []string{"--", "amictl", "pa"}, "paint :done"},
		"another program":      {run.About{Rest: run.Words{Kind: run.CommandLine}}, []string{"--", "./x"}, ":files"},
		"a flag's choices":     {run.About{}, []string{"--colour", "gr"}, "green :done"},
		"joined":               {run.About{}, []string{"--colour=gr"}, "--colour=green :done"},
		"by another name":      {run.About{Aliases: map[string]string{"--color": "--colour"}}, []string{"--color", "gr"}, "green :done"},
		"an argument behind":   {run.About{Args: run.Words{Kind: run.OneOf, Choices: words}}, []string{"--colour", "red", "g"}, "green :done"},
		"what nobody has told": {run.About{}, []string{"--nosuch", ""}, ":done"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
			colour := ""
			paint := r.Tell(&cli.Command{Name: "paint", Flags: []cli.Flag{flags.Choice("colour", "", "paint in `COLOUR`", &colour, words()...)}}, test.about)
			root := &cli.Command{Name: "amictl", Commands: []*cli.Command{paint}}
			var got []string
			for line := range strings.Lines(Candidates(r.Run, root, "fish", append([]string{"paint"}, test.words...))) {
				value, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
				got = append(got, value)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("offered (-want +got):\n%s", diff)
			}
		})
	}
}
