package cli_test

import (
	"context"
	"strings"
	"testing"

	urfave "github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
)

// greet is a subcommand that another program has.
func greet(r *run.Run) *urfave.Command {
	loud := false
	return r.Tell(&urfave.Command{
		Name: "greet", Usage: "greet an event", ArgsUsage: "EVENT", Description: "Examples:\n  amictl greet Hangup",
		Flags: []urfave.Flag{&urfave.BoolFlag{Name: "loud", Usage: "cry out", Destination: &loud}},
		Action: func(_ context.Context, c *urfave.Command) error {
			if !c.Args().Present() {
				return fail.Usage("such as `amictl greet Hangup`", "nobody is greeted")
			}
			text := "hello " + c.Args().First() + " " + strings.Join(r.Rest, " ")
			if loud {
				text = strings.ToUpper(text)
			}
			_, err := r.Stdout.Write([]byte(text + "\n"))
			return err
		},
	}, run.About{
		Args: run.Words{Kind: run.EventNames}, Rest: run.Words{Kind: run.ActionWords}, Config: run.ConfigMayBeBroken,
		Failed: func(form run.Output, f fail.Failure) ([]byte, int) {
			if form != run.OutputNagios {
				return nil, 0
			}
			return []byte("no greeting: " + f.Message + "\n"), 3
		},
	})
}

// A program with one more subcommand has it in help, completion and dispatch, and no line of the others changes for that.
func TestMoreSubcommands(t *testing.T) {
	for name, test := range map[string]struct {
		line         string
		status       int
		out, errText string // parts of what is written
	}{
		"help of all":       {"--help", 0, "\n  greet        greet an event\n", ""},
		"its own help":      {"help greet", 0, "Usage: amictl greet [FLAG]... EVENT\n", ""},
		"dispatch":          {"greet Hangup", 0, "hello Hangup", ""},
		"a flag behind":     {"greet Hangup --loud", 0, "HELLO HANGUP", ""},
		"words behind --":   {"greet Hangup -- Ping --loud", 0, "hello Hangup Ping --loud", ""},
		"a typing error":    {"gret Hangup", fail.ExitUsage, "", "did you mean `amictl greet`?"},
		"a flag's error":    {"greet Hangup --lout", fail.ExitUsage, "", "did you mean --loud?"},
		"its own error":     {"greet", fail.ExitUsage, "", "amictl: nobody is greeted\nhint: such as"},
		"its own report":    {"greet -o nagios", 3, "no greeting: nobody is greeted\n", "nobody is greeted"},
		"its completion":    {"completion fish -- gre", 0, "greet\tgreet an event\n", ""},
		"of its flags":      {"completion fish -- greet --lo", 0, "--loud\tcry out\n", ""},
		"of its arguments":  {"completion fish -- greet Newst", 0, "Newstate\n", ""},
		"of what is behind": {"completion fish -- greet -- QueuePau", 0, "QueuePause\t", ""},
		"of a subcommand":   {"completion fish -- tail --fail", 0, "--fail-on-gap\t", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out, complaints runtest.Buffer
			noEnv := func(string) (string, bool) { return "", false }
			r := run.New(strings.Fields(test.line), strings.NewReader(""), &out, &complaints, noEnv)
			if got := cli.Execute(t.Context(), r, greet); got != test.status {
				t.Errorf("status %d, want %d", got, test.status)
			}
			if !strings.Contains(out.String(), test.out) || (test.out == "") != (out.String() == "") {
				t.Errorf("standard output is %q, want %q", out.String(), test.out)
			}
			if !strings.Contains(complaints.String(), test.errText) || (test.errText == "") != (complaints.String() == "") {
				t.Errorf("standard error is %q, want %q", complaints.String(), test.errText)
			}
		})
	}
}

// A form of its own is seen wherever it is asked for, also in a line that is wrong before it.
func TestOwnReport(t *testing.T) {
	for line, own := range map[string]bool{
		"greet -o nagios": true, "greet --output nagios": true, "greet --output=nagios": true, "-o nagios greet": true, "-o=nagios greet": true,
		"greet --nosuch -o nagios": true, "greet --nosuch x -o nagios": true, "greet -o nagios --nosuch": true, "greet -o nagios --timeout": true,
		"greet --timeout 5 -o nagios": true, "greet --timeout -o nagios greet": false, "greet -o json -o nagios": true, "greet -o nagios -o json": false,
		"greet --where -o nagios": true, "greet -- -o nagios": false, "greet": false, "nosuch -o nagios": false, "version x -o nagios": false,
	} {
		var out, complaints runtest.Buffer
		r := run.New(strings.Fields(line), strings.NewReader(""), &out, &complaints, func(string) (string, bool) { return "", false })
		status := cli.Execute(t.Context(), r, greet)
		if got := strings.HasPrefix(out.String(), "no greeting: "); got != own || own != (status == 3) || complaints.String() == "" {
			t.Errorf("%s: status %d, %q, %q", line, status, out.String(), complaints.String())
		}
	}
	r := run.New([]string{"greet"}, strings.NewReader(""), &runtest.Buffer{}, &runtest.Buffer{}, func(name string) (string, bool) {
		return "nagios", name == "AMICTL_OUTPUT"
	})
	if status := cli.Execute(t.Context(), r, greet); status != 3 {
		t.Errorf("status %d, and the environment asks for nagios", status)
	}
}
