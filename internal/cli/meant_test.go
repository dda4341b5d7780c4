package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/objects"
)

func parsed(args ...string) (*arranged, error) {
	r := run.New(args, nil, &bytes.Buffer{}, &bytes.Buffer{}, func(string) (string, bool) { return "", false })
	return arrange(r, Commands(r), r.Args)
}

// mistakes are command lines, and what the hint to each says.
var mistakes = map[string]string{
	"ping":                          "`amictl send Ping` does that",
	"channels":                      "`amictl state channels` does that",
	"queue":                         "`amictl state queues members callers` does that",
	"reload":                        "`amictl send Reload` does that",
	"Reload Module=x":               "`amictl send Reload Module=x` does that",
	"core show channels":            "`amictl command core show channels` does that",
	"queue show support":            "`amictl command queue show support` does that",
	"sip":                           "`amictl command core show help sip` does that",
	"Hangup Channel=x":              "`amictl send Hangup Channel=x` does that",
	"hangup":                        "`amictl send Hangup Channel=NAME` does that",
	"QueueCallerJoin":               "`amictl tail QueueCallerJoin` does that",
	"staus":                         "`amictl health` does that",
	"tial":                          "did you mean `amictl tail`?",
	"originat":                      "did you mean `amictl originate`?",
	"dia":                           "did you mean `amictl dial`?",
	"frobnicate":                    "`amictl actions` lists what can be sent",
	"context ad":                    "did you mean `amictl context add`?",
	"context frobnicate":            "it has list, use, show, add",
	"send --secret x Ping":          "--secret-file FILE",
	"tail --secret=x":               "--secret-file FILE",
	"health --password x":           "--secret-file FILE",
	"health --user admin":           "--node ami://USER@HOST",
	"health --host pbx":             "--node ami://USER@HOST",
	"health --port 5038":            "--node ami://USER@HOST:PORT",
	"tail --filter Cause=16":        "--where CONDITION",
	"tail --limit 3":                "--count N",
	"tail --json":                   "-o json",
	"send Ping --format json":       "--output FORMAT",
	"tail --wher Cause=16":          "did you mean --where?",
	"originate --number 200":        "--exten NUMBER",
	"health --interval 5s":          "--every TIME",
	"send --force Ping":             "--yes",
	"send --debug Ping":             "--trace",
	"trunks":                        "`amictl state registrations` does that",
	"channel":                       "`amictl state channels` does that",
	"show channels":                 "`amictl state channels` does that",
	"show version":                  "`amictl command core show version` does that",
	"get channels":                  "`amictl state channels` does that",
	"list agents":                   "`amictl state members` does that",
	"show frobnicate":               "`amictl command core show frobnicate` does that",
	"get frobnicate":                "`amictl state` does that",
	"get events Hangup":             "`amictl events Hangup` does that",
	"ctx":                           "`amictl context list` does that",
	"use lab":                       "`amictl context use lab` does that",
	"exec core show uptime":         "`amictl command core show uptime` does that",
	"action Ping":                   "`amictl send Ping` does that",
	"hangup PJSIP/100-1":            "`amictl send Hangup Channel=PJSIP/100-1` does that",
	"hangup all":                    "`amictl send Hangup Channel=/.\\*/` does that",
	"hangup PJSIP/100-1;2":          "`amictl send Hangup Channel=PJSIP/100-1\\;2` does that",
	"health -w calls>50":            "--warn CONDITION",
	"health --critical calls>50":    "--crit CONDITION",
	"health --warning calls>50":     "--warn CONDITION",
	"tail --count-by Cause":         "--stats",
	"Hangup Cause=16 PJSIP/100-1":   "`amictl send Hangup Cause=16 Channel=PJSIP/100-1` does that",
	"subscribe Hangup Queue*":       "`amictl tail Hangup Queue\\*` does that",
	"context rm lab":                "`amictl context remove lab` does that",
	"context ls":                    "`amictl context list` does that",
	"context new lab":               "`amictl context add lab` does that",
	"config show":                   "`amictl config explain` does that",
	"-rx core show channels":        "`amictl command core show channels` does that",
	"command -rx core show uptime":  "`amictl command core show uptime` does that",
	"-V":                            "`amictl version` does that",
	"health -p 5038":                "--node ami://USER@HOST:PORT",
	"health -p x":                   "--secret-file FILE",
	"health -w":                     "--watch",
	"health --all":                  "--node '*'",
	"wait Hangup --for 1s":          "--timeout TIME",
	"bench --for 1s":                "--duration TIME",
	"tail -c 5":                     "--count N",
	"health -c lab":                 "-C NAME",
	"tail --event Hangup":           "events are named without a flag",
	"send Hangup --channel PJSIP/1": "a parameter is written Channel=VALUE",
	"originate --from 100":          "--channel TECHNOLOGY/NAME",
	"state --calls":                 "it is written without a flag: calls",
	"command --frobnicate core":     "put anything that is not a flag of amictl after `--`",
}

// What somebody new is likely to type wrong gets the line to type.
func TestMistakesGetTheRightLine(t *testing.T) {
	for line, want := range mistakes {
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
		line = withWords(line, nil)
		a, err := parsed(strings.Fields(line)[1:]...)
		if err != nil || a.help && word != "man" {
			t.Errorf("%s: `%s`: %v", word, line, err)
		}
	}
	for _, part := range objects.PartNames() {
		if meant := objects.PartMeant(part); meant != "" {
			t.Errorf("%s is a part, and said to mean %s", part, meant)
		}
	}
	for command, words := range subcommandsMeant() {
		for word, sub := range words {
			if _, err := parsed(command, sub); err != nil {
				t.Errorf("%s %s: %v", command, word, err)
			}
		}
	}
	root := Commands(run.New(nil, nil, nil, nil, nil))
	for flag, hints := range flagsMeant() {
		for _, hint := range hints {
			found := false
			for c := range everyCommand(root) {
				found = found || flagIn(hint, root, c)
			}
			if !found {
				t.Errorf("%s: no subcommand has the flag of %q", flag, hint)
			}
		}
	}
}

// One argument may hold a whole command of the console, as asterisk -rx takes it.
func TestOneArgumentOfTheConsole(t *testing.T) {
	_, err := parsed("core show channels")
	if f := fail.Classify(err); f.Exit != fail.ExitUsage || f.Hint != "`amictl command core show channels` does that" {
		t.Errorf("status %d, hint %q", f.Exit, f.Hint)
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
