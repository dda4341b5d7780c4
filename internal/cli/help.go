package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/output"
)

// helpWidth is how wide help is at most, and where there is no terminal.
const helpWidth = 100

// help writes a command's help to standard output: what it does, examples first, then its flags.
func help(r *run.Run, root, c *cli.Command) error {
	width := helpWidth
	if n := r.ReadersColumns(); n > 0 {
		width = min(width, n)
	}
	_, err := io.WriteString(r.Stdout, helpText(root, c, width))
	return err
}

// helpText is a command's help in lines of a width.
func helpText(root, c *cli.Command, width int) string {
	var b strings.Builder
	writeParagraph(&b, "", c.UsageText+": "+c.Usage, width)
	b.WriteByte('\n')
	writeDescription(&b, description(root, c), width)
	fmt.Fprintf(&b, "\nUsage: %s\n", synopsis(c))
	if len(c.Commands) > 0 {
		b.WriteString("\nCommands:\n")
		for _, sub := range c.Commands {
			writeParagraph(&b, fmt.Sprintf("  %-12s ", sub.Name), sub.Usage, width)
		}
	}
	if c == root {
		b.WriteString("\nGlobal flags, anywhere before `--`:\n")
		writeFlags(&b, root.Flags, width)
		b.WriteString("\nExit status:\n")
		for _, e := range exitStatuses {
			writeParagraph(&b, fmt.Sprintf("  %-7s ", e.status), e.meaning, width)
		}
		b.WriteString("\nEnvironment, which a flag overrides:\n")
		for _, e := range environment {
			writeParagraph(&b, fmt.Sprintf("  %-22s ", e.name), e.About, width)
		}
		b.WriteString("\n`amictl COMMAND --help` shows a command's own flags.\n")
	} else {
		if len(c.Flags) > 0 {
			b.WriteString("\nFlags:\n")
			writeFlags(&b, c.Flags, width)
		}
		b.WriteString("\nGlobal flags, which `amictl --help` explains:\n")
		writeParagraph(&b, "  ", flagNames(root.Flags), width)
	}
	return b.String()
}

// description is what a command says of itself.
func description(root, c *cli.Command) string {
	if c == root {
		return rootHelp
	}
	return c.Description
}

// exitStatuses are what every page says about them.
var exitStatuses = []struct{ status, meaning string }{
	{"0", "ok"},
	{"1", "the server said Error, the call failed, or a condition was false"},
	{"2", "usage, configuration, or input refused before anything was sent"},
	{"3", "cannot connect, or a timeout with nothing sent: nothing was executed, safe to retry"},
	{"4", "login or permission refused: nothing was executed"},
	{"5", "timed out: may have run"},
	{"6", "several nodes or lines, and they ended differently; one common failure keeps its own status"},
	{"7", "connection lost after bytes may have left, events are missing, or the output cannot be written: may have run"},
	{"70", "a bug in amictl, or an error that it does not know: may have run"},
	{"98", "bench: the result is invalid"},
	{"99", "bench: a threshold failed"},
	{"signal", "cleaned up, then died by the signal itself"},
}

var environment = []struct{ name, About string }{
	{"AMICTL_CONFIG", "the configuration file"},
	{"AMICTL_CONTEXT", "the current context"},
	{"AMICTL_NODE", "the node, as --node takes it"},
	{"AMICTL_OUTPUT", "the output format"},
	{"AMICTL_TIMEOUT", "the time for one action or wait"},
	{"AMICTL_SECRET_FILE", "the file with the secret"},
	{"NO_COLOR", "no colour, if it is not empty"},
	{"TERM", "no colour, if it is dumb"},
	{"HOME", "the home folder; what the user database says if absent or relative"},
	{"XDG_CONFIG_HOME", "where amictl/config.toml is; ~/.config if absent or relative"},
	{"CREDENTIALS_DIRECTORY", "where systemd puts the secrets that cred:NAME refers to"},
}

// synopsis is how a command is written.
func synopsis(c *cli.Command) string {
	s := c.UsageText
	if len(c.Commands) > 0 {
		s += " COMMAND"
	}
	return strings.TrimSpace(s + " [FLAG]... " + c.ArgsUsage)
}

// writeDescription writes text anew in lines of the width. What begins with two spaces stays as it is, and so does the end of
// a line behind a full stop or a colon.
func writeDescription(b *strings.Builder, text string, width int) {
	paragraph := ""
	end := func() {
		if paragraph != "" {
			writeParagraph(b, "", paragraph, width)
		}
		paragraph = ""
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || strings.HasPrefix(line, "  ") || strings.HasSuffix(paragraph, ":") || strings.HasSuffix(paragraph, ".") {
			end()
		}
		switch {
		case line == "" || strings.HasPrefix(line, "  "):
			b.WriteString(line + "\n")
		case paragraph == "":
			paragraph = line
		default:
			paragraph += " " + line
		}
	}
	end()
}

// writeParagraph writes text behind its head, as wide as is allowed, the lines below the first indented as far as that.
func writeParagraph(b *strings.Builder, head, text string, width int) {
	for _, line := range output.Wrap(text, max(width-len(head), helpNarrowest)) {
		b.WriteString(head + line + "\n")
		head = strings.Repeat(" ", len(head))
	}
}

// helpNarrowest is how narrow a column of text gets; on a narrower terminal its lines are broken by that.
const helpNarrowest = 20

// flagNames are the names of flags in one line.
func flagNames(list []cli.Flag) string {
	var all []string
	for _, f := range list {
		name := ""
		for _, n := range f.Names() {
			if len(n) == 1 {
				name = "-" + n
			} else if name == "" {
				name = "--" + n
			}
		}
		all = append(all, name)
	}
	return strings.Join(all, " ")
}

const rootHelp = `Examples:
  amictl health --node ami://admin@127.0.0.1 --secret-file ~/pbx.secret
  amictl send QueueStatus | jq '.events[].fields'
  amictl command core show channels
  amictl originate --channel PJSIP/100 --exten 200
  amictl tail Hangup --where 'Cause!=16' --count 3

amictld is the same program with what needs more of it: serve, the daemon, top and bus. amictl runs it for those, from its own
folder or from PATH, so that nobody has to; amictl-serve.service does, too.
`

func writeFlags(b *strings.Builder, list []cli.Flag, width int) {
	for _, f := range list {
		names, value, usage := "", "", ""
		for _, n := range f.Names() {
			if len(n) == 1 {
				names = "-" + n + ", " + names
			} else {
				names += "--" + n
			}
		}
		if doc, ok := f.(cli.DocGenerationFlag); ok {
			value, usage = flags.UnquoteUsage(doc.GetUsage())
		}
		if value != "" {
			names += " " + value
		}
		if !strings.HasPrefix(names, "-") || strings.HasPrefix(names, "--") {
			names = "    " + names
		}
		writeParagraph(b, fmt.Sprintf("  %-30s ", names), usage, width)
	}
}
