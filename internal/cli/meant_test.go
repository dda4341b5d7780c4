package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

func parsed(args ...string) (*arranged, error) {
	r := run.New(args, nil, &bytes.Buffer{}, &bytes.Buffer{}, func(string) (string, bool) { return "", false })
	return arrange(r, Commands(r), r.Args)
}

// What somebody new is likely to type wrong gets the line to type.
func TestMistakesGetTheRightLine(t *testing.T) {
	for line, want := range map[string]string{
		"ping":                      "`amictl send Ping` does that",
		"channels":                  "`amictl state channels` does that",
		"queue":                     "`amictl state queues members callers` does that",
		"reload":                    "`amictl send Reload` does that",
		"Reload Module=x":           "`amictl send Reload Module=x` does that",
		"core show channels":        "`amictl command core show channels` does that",
		"queue show support":        "`amictl command queue show support` does that",
		"sip":                       "`amictl command core show help sip` does that",
		"Hangup Channel=x":          "`amictl send Hangup Channel=x` does that",
		"hangup":                    "`amictl send Hangup Channel=NAME` does that",
		"QueueCallerJoin":           "`amictl tail QueueCallerJoin` does that",
		"staus":                     "`amictl health` does that",
		"tial":                      "did you mean `amictl tail`?",
		"originat":                  "did you mean `amictl originate`?",
		"dia":                       "did you mean `amictl dial`?",
		"frobnicate":                "`amictl actions` lists what can be sent",
		"context ad":                "did you mean `amictl context add`?",
		"context frobnicate":        "it has list, use, show, add",
		"send --secret x Ping":      "--secret-file FILE",
		"tail --secret=x":           "--secret-file FILE",
		"health --password x":       "--secret-file FILE",
		"health --user admin":       "--node ami://USER@HOST",
		"health --host pbx":         "--node ami://USER@HOST",
		"health --port 5038":        "--node ami://USER@HOST:PORT",
		"tail --filter Cause=16":    "--where CONDITION",
		"tail --limit 3":            "--count N",
		"tail --json":               "-o json",
		"send Ping --format json":   "--output FORMAT",
		"tail --wher Cause=16":      "did you mean --where?",
		"originate --number 200":    "--exten NUMBER",
		"health --interval 5s":      "--every TIME",
		"send --force Ping":         "--yes",
		"send --debug Ping":         "--trace",
		"command --frobnicate core": "put anything that is not a flag of amictl after `--`",
	} {
		_, err := parsed(strings.Fields(line)...)
		f := fail.Classify(err)
		if f.Exit != fail.ExitUsage || !strings.Contains(f.Hint, want) {
			t.Errorf("amictl %s: status %d, hint %q, want %q", line, f.Exit, f.Hint, want)
		}
	}
}

// Every line that a hint proposes is one that can be typed, and every flag is there in some subcommand.
func TestProposedLinesAreRight(t *testing.T) {
	for word, line := range commandsMeant() {
		a, err := parsed(strings.Fields(line)[1:]...)
		if err != nil || a.help {
			t.Errorf("%s: `%s`: %v", word, line, err)
		}
	}
	root := Commands(run.New(nil, nil, nil, nil, nil))
	for flag, hint := range flagsMeant() {
		found := false
		for c := range everyCommand(root) {
			found = found || flagIn(hint, root, c)
		}
		if !found {
			t.Errorf("%s: no subcommand has the flag of %q", flag, hint)
		}
	}
}

// Short flags without values may stand together, and a command that needs a subcommand shows its help.
func TestShortFlagsTogetherAndHelp(t *testing.T) {
	for line, want := range map[string]string{
		"-qv version":    "amictl -q -v version --",
		"version -vq":    "amictl -v -q version --",
		"send -yq Ping":  "amictl -q send -y -- Ping",
		"context":        "help",
		"context -q":     "help",
		"-qx version":    "no flag -qx",
		"version -qn":    "no flag -qn",
		"send -ay5 Ping": "no flag -ay5",
	} {
		a, err := parsed(strings.Fields(line)...)
		got := strings.Join(a.args(), " ")
		switch {
		case err != nil:
			got = err.Error()
		case a.help:
			got = "help"
		}
		if !strings.Contains(got, want) {
			t.Errorf("amictl %s: %q, want %q", line, got, want)
		}
	}
}
