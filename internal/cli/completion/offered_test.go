package completion

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

// program is a command line with a subcommand for each kind of words, and flags of each kind.
func program(r *run.Run) *cli.Command {
	var text string
	command := func(name string, about run.About, own ...cli.Flag) *cli.Command {
		return r.Tell(&cli.Command{Name: name, Usage: "do " + name, Flags: own}, about)
	}
	events := command("tail", run.About{Args: run.Words{Kind: run.EventNames}},
		flags.Text("where", "", "only events with `CONDITION`", &text), flags.Text("script", "", "run `FILE`", &text),
		flags.Text("socket", "", "listen on `SOCKET`", &text), flags.Text("name", "x", "call it `NAME`", &text), &cli.BoolFlag{Name: "loud", Usage: "say more"})
	send := command("send", run.About{Args: run.Words{Kind: run.ActionWords}}, flags.Text("where", "", "only packets with `CONDITION`", &text))
	rows := command("rows", run.About{
		Args: run.Words{Kind: run.NodeName}, Outputs: []run.Output{run.OutputNagios}, Rest: run.Words{Kind: run.CommandLine},
		Figures: map[string]func() []string{"warn": func() []string { return []string{"calls>", "channels>"} }},
		Fields:  func(words []string) []string { return append([]string{"node", "name"}, words...) },
	}, flags.Text("where", "", "only rows with `CONDITION`", &text), flags.Text("warn", "", "warn at `CONDITION`", &text))
	secret := command("secret", run.About{})
	secret.Hidden = true
	group := command("context", run.About{})
	group.Commands = []*cli.Command{command("use", run.About{Args: run.Words{Kind: run.ContextName}}), command("list", run.About{})}
	return &cli.Command{Name: "amictl", Flags: r.GlobalFlagList(), Commands: []*cli.Command{events, send, rows, secret, group}}
}

// offered is what a shell is told for these words: the candidates, without what is about them, and what may follow.
func offered(r *run.Run, shell string, words ...string) string {
	var all []string
	for line := range strings.Lines(Candidates(r, program(r), shell, words)) {
		value, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		all = append(all, value)
	}
	return strings.Join(all, " ")
}

// nodes is a configuration with two contexts.
const nodes = `[contexts.test.nodes.pbx1]
url = "ami://pbx1"
labels = { site = "fra", rack = "1" }
[contexts.test.nodes.pbx2]
url = "ami://pbx2"
labels = { site = "fra", rack = "2" }
[contexts.lab.nodes.a1]
url = "ami://a1"
`

func TestOffered(t *testing.T) {
	for name, test := range map[string]struct {
		words []string
		want  string
	}{
		"subcommands, but hidden ones":         {[]string{""}, "tail send rows context :done"},
		"subcommands, whatever the case":       {[]string{"S"}, "send :done"},
		"a subcommand's own":                   {[]string{"context", ""}, "use list :done"},
		"no such subcommand":                   {[]string{"nosuch", ""}, ":done"},
		"contexts":                             {[]string{"context", "use", ""}, "lab test :done"},
		"a flag behind a subcommand's words":   {[]string{"tail", "Hangup", "--lo"}, "--loud --local :done"},
		"a flag before any subcommand":         {[]string{"--man"}, "--manager-conf :done"},
		"one letter":                           {[]string{"-x"}, ":done"},
		"a subcommand's letter":                {[]string{"tail", "-x"}, "-x :done"},
		"a flag behind one that takes nothing": {[]string{"tail", "--loud", "Hangu"}, "Hangup HangupHandlerPop HangupHandlerPush HangupHandlerRun HangupRequest :done"},
		"a value behind its flag":              {[]string{"tail", "--context", ""}, "lab test :done"},
		"a value joined to its flag":           {[]string{"tail", "--context=l"}, "--context=lab :done"},
		"a value joined to a flag that is not": {[]string{"tail", "--nosuch=l"}, ":done"},
		"nodes":                                {[]string{"tail", "--node", ""}, "pbx1 pbx2 :done"},
		"nodes of a context":                   {[]string{"--context", "lab", "tail", "--node", ""}, "a1 :done"},
		"nodes of a context that is joined":    {[]string{"--context=lab", "tail", "--node", ""}, "a1 :done"},
		"nodes of a context that is not":       {[]string{"--context=nosuch", "tail", "--node", ""}, ":done"},
		"nodes by a letter":                    {[]string{"-C", "lab", "tail", "-n", ""}, "a1 :done"},
		"the beginnings of a URL":              {[]string{"--node", "am"}, "ami:// amis:// :done"},
		"a file of nodes":                      {[]string{"--node", "@n"}, ":files"},
		"labels, each once":                    {[]string{"--label", ""}, "rack=1 rack=2 site=fra :done"},
		"labels by their beginning":            {[]string{"--label", "S"}, "site=fra :done"},
		"output formats":                       {[]string{"tail", "--output", "j"}, "jsonl json :done"},
		"a subcommand's own output format":     {[]string{"rows", "--output", "n"}, "nagios none :done"},
		"a file":                               {[]string{"tail", "--script", ""}, ":files"},
		"a socket":                             {[]string{"tail", "--socket", ""}, ":files"},
		"what only the user knows":             {[]string{"tail", "--name", ""}, ":done"},
		"figures, which are a beginning":       {[]string{"rows", "--warn", "c"}, "calls> channels> :nospace"},
		"no such figure":                       {[]string{"rows", "--warn", "x"}, ":done"},
		"another program's words":              {[]string{"rows", "--", "ssh", "h"}, ":files"},
		"this program's words behind --":       {[]string{"rows", "--", "amictl", "tail", "Newst"}, "Newstate :done"},
		"a long way behind --":                 {[]string{"rows", "--", "amictl", "--context", "lab", "rows", ""}, "a1 :done"},
		"a dash is a word":                     {[]string{"rows", "-", ""}, ":done"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: nodes})
			if diff := cmp.Diff(test.want, offered(r.Run, "fish", test.words...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Behind --fields and --where stand names: a subcommand's own, or headers of the events that it is about; a header whose
// values are coded has those offered behind it.
func TestFieldsAreOffered(t *testing.T) {
	for name, test := range map[string]struct {
		words []string
		want  string
	}{
		"a subcommand's own":            {[]string{"rows", "--fields", ""}, "node name :done"},
		"by its words":                  {[]string{"rows", "pbx1", "--fields", "p"}, "pbx1 :done"},
		"behind another":                {[]string{"rows", "--fields", "node,na"}, "node,name :done"},
		"in a condition":                {[]string{"rows", "--where", "na"}, "name= :nospace"},
		"of an event":                   {[]string{"tail", "Hangup", "--where", "cause"}, "Cause= Cause-txt= :nospace"},
		"of two events, each once":      {[]string{"tail", "Hangup", "HangupRequest", "--fields", "cause"}, "Cause Cause-txt :done"},
		"of what answers an action":     {[]string{"send", "queuestatus", "--fields", "wrap"}, "Wrapuptime :done"},
		"never amictl's own":            {[]string{"send", "QueueStatus", "--fields", "actionid"}, ":done"},
		"of no event":                   {[]string{"tail", "--fields", "cause"}, ":done"},
		"of no action":                  {[]string{"send", "--fields", "c"}, ":done"},
		"of a subcommand without words": {[]string{"context", "list", "--fields", "c"}, ":done"},
		"values":                        {[]string{"tail", "Hangup", "--where", "Cause=10"}, "Cause=100 Cause=101 Cause=102 Cause=103 :done"},
		"values behind !=":              {[]string{"tail", "Hangup", "--where", "Cause!=127"}, "Cause!=127 :done"},
		"values of a named event first": {[]string{"tail", "PeerStatus", "--where", "PeerStatus=Unr"}, "PeerStatus=Unreachable PeerStatus=Unregistered :done"},
		"values that are not coded":     {[]string{"tail", "Hangup", "--where", "Uniqueid=1"}, ":done"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: nodes})
			if diff := cmp.Diff(test.want, offered(r.Run, "fish", test.words...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// An action's parameters are offered but for those that are there already; one of them may repeat, and one is amictl's own.
func TestParametersAreOffered(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	for name, test := range map[string]struct {
		words []string
		want  string
	}{
		"one that is there":           {[]string{"send", "QueuePause", "Reason=x", "rea"}, ":done"},
		"one that is there as a file": {[]string{"send", "QueuePause", "reason@=x", "rea"}, ":done"},
		"one that may repeat":         {[]string{"send", "Originate", "Variable=a=1", "Var"}, "Variable= :nospace"},
		"amictl's own":                {[]string{"send", "Ping", "A"}, ":done"},
		"a value":                     {[]string{"send", "QueuePause", "Reason=x"}, ":done"},
		"a value that is in a file":   {[]string{"send", "QueuePause", "Reason@=x"}, ":files"},
		"of an action that is not":    {[]string{"send", "Nosuch", ""}, ":done"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, offered(r.Run, "fish", test.words...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A candidate has a tab and its description behind it, if there is one.
func TestWhatIsAboutACandidate(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Config: nodes})
	for _, test := range []struct {
		words []string
		want  string
	}{
		{[]string{"ro"}, "rows\tdo rows\n:done\n"},
		{[]string{"tail", "--scr"}, "--script\trun FILE\n:done\n"},
		{[]string{"tail", "--he"}, "--help\tshow help\n:done\n"},
		{[]string{"rows", "--", "am"}, "amictl\tthis program\n:done\n"},
		{[]string{"send", "Ping"}, "Ping\n:done\n"},
		{[]string{"send", "Reload"}, "Reload\tneeds config or system\n:done\n"},
		{[]string{"send", "QueuePause", "Pau"}, "Paused=\trequired\n:nospace\n"},
		{[]string{"send", "QueuePause", "Rea"}, "Reason=\n:nospace\n"},
		{[]string{"tail", "Hangup", "--where", "Cause=16"}, "Cause=16\tNormal Clearing\n:done\n"},
		{[]string{"rows", "p"}, "pbx1\npbx2\n:done\n"},
	} {
		if diff := cmp.Diff(test.want, Candidates(r.Run, program(r.Run), "zsh", test.words)); diff != "" {
			t.Errorf("%q: %s", test.words, diff)
		}
	}
}

// Without a word behind it, a dash may become any flag, and two dashes a long one.
func TestDashes(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	for word, want := range map[string][3]bool{"-": {true, true, true}, "--": {false, true, true}, "--n": {false, true, false}, "-n": {true, false, false}} {
		got := " " + offered(r.Run, "fish", "rows", word) + " "
		if has := [3]bool{strings.Contains(got, " -n "), strings.Contains(got, " --node "), strings.Contains(got, " -- ")}; has != want {
			t.Errorf("%s: -n, --node, --: %t, want %t, of %s", word, has, want, got)
		}
	}
	if got := offered(r.Run, "fish", "tail", "--"); strings.Contains(got+" ", " -- ") {
		t.Errorf("where nothing may stand behind --, it is offered: %s", got)
	}
}

// bash hands over its line, and replaces only what is behind the last of its word breaks; words come back quoted for it.
func TestBash(t *testing.T) {
	for _, test := range []struct{ line, breaks, want string }{
		{"", "", "tail send rows context :done"},
		{"amictl ro", "=:", "rows :done"},
		{"amictl --context=l", "=:", "lab :done"},
		{"amictl --context=l", ":", "--context=lab :done"},
		{"amictl --node am", ":", "ami:// amis:// :done"},
		{"amictl --node ami:", ":", "// :done"},
		{`amictl "--context=l`, "=", "--context=lab :done"},
		{`amictl --context "my`, "=", `my\ lab :done`},
		{`amictl "--node"=ami:`, "=:", "// :done"},
		{`amictl --node\=ami\:`, "=:", "--node=ami:// :done"},
		{`amictl send QueuePause Reas`, "=", "Reason= :nospace"},
	} {
		r := runtest.New(t, runtest.Setup{Config: nodes + "[contexts.\"my lab\"]\n"})
		if got := offered(r.Run, "bash", test.line, test.breaks); got != test.want {
			t.Errorf("%s|%s: %q, want %q", test.line, test.breaks, got, test.want)
		}
	}
	r := runtest.New(t, runtest.Setup{})
	if got := offered(r.Run, "bash"); got != "tail send rows context :done" {
		t.Errorf("without a line: %q", got)
	}
	if got := offered(r.Run, "bash", "amictl --output=jsonl"); got != "--output=jsonl :done" {
		t.Errorf("without word breaks: %q", got)
	}
}

// PowerShell's last word has a dot before it; without any word there is nothing to say.
func TestOtherShells(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	for _, test := range []struct {
		shell string
		words []string
		want  string
	}{
		{"pwsh", []string{".ro"}, "rows :done"},
		{"pwsh", []string{"context", "."}, "use list :done"},
		{"pwsh", nil, ":done"},
		{"zsh", nil, ":done"},
		{"zsh", []string{".ro"}, ":done"},
	} {
		if got := offered(r.Run, test.shell, test.words...); got != test.want {
			t.Errorf("%s, %q: %q, want %q", test.shell, test.words, got, test.want)
		}
	}
}

// What is asked behind `--` is answered; without it the script is printed.
func TestCompletionAnswers(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Rest: []string{"ro"}})
	if err := completion(r.Run, &options{args: []string{"fish"}, commands: func() *cli.Command { return program(r.Run) }}); err != nil {
		t.Fatal(err)
	}
	if got := r.Out.String(); got != "rows\tdo rows\n:done\n" {
		t.Errorf("it prints %q", got)
	}
	c := Command(r.Run, func() *cli.Command { return program(r.Run) })
	if about := r.About(c); strings.Join(about.Args.Choices(), " ") != "bash zsh fish pwsh" || !about.Prints {
		t.Errorf("the subcommand takes %+v", about)
	}
}

// The words before the cursor may name another configuration; one that cannot be read, or the current folder's, offers nothing.
func TestWhichConfiguration(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.toml")
	if err := os.WriteFile(other, []byte("context = \"c\"\n[contexts.c.nodes.n]\nurl = \"ami://n\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		words []string
		env   map[string]string
		want  string
	}{
		"the usual one":            {[]string{"rows", ""}, nil, "pbx1 pbx2 :done"},
		"one that is named":        {[]string{"--config", other, "rows", ""}, nil, "n :done"},
		"one that is not there":    {[]string{"--config", other + "x", "rows", ""}, nil, ":done"},
		"a context of a variable":  {[]string{"rows", ""}, map[string]string{"AMICTL_CONTEXT": "lab"}, "a1 :done"},
		"a flag before a variable": {[]string{"-C", "test", "rows", ""}, map[string]string{"AMICTL_CONTEXT": "lab"}, "pbx1 pbx2 :done"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Config: nodes, Env: test.env})
			if diff := cmp.Diff(test.want, offered(r.Run, "fish", test.words...)); diff != "" {
				t.Error(diff)
			}
		})
	}
	// While the configuration is broken, there are no settings of it.
	r := runtest.New(t, runtest.Setup{Config: nodes})
	r.Settings = nil
	if got := offered(r.Run, "fish", "rows", ""); got != "pbx1 pbx2 :done" {
		t.Errorf("without settings: %q", got)
	}
}
