package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

// help writes a command's help to standard output: what it does, examples first, then its flags.
func (a *app) help(root, c *cli.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n", c.UsageText, c.Usage)
	usage := c.UsageText
	if len(c.Commands) > 0 {
		usage += " COMMAND"
	}
	if c.ArgsUsage != "" {
		usage += " " + c.ArgsUsage
	}
	if c == root {
		b.WriteString(rootHelp)
	} else {
		b.WriteString(c.Description + "\n")
	}
	fmt.Fprintf(&b, "\nUsage: %s [FLAG]...\n", usage)
	if len(c.Commands) > 0 {
		b.WriteString("\nCommands:\n")
		for _, sub := range c.Commands {
			fmt.Fprintf(&b, "  %-12s %s\n", sub.Name, sub.Usage)
		}
	}
	if c != root && len(c.Flags) > 0 {
		b.WriteString("\nFlags:\n")
		writeFlags(&b, c.Flags)
	}
	b.WriteString("\nGlobal flags, anywhere before `--`:\n")
	writeFlags(&b, root.Flags)
	_, err := a.stdout.WriteString(b.String())
	return err
}

const rootHelp = `Examples:
  amictl health --node ami://admin@127.0.0.1:5038 --secret-file ~/pbx.secret
  amictl send QueueStatus | jq '.events[].fields'
  amictl command core show channels
  amictl originate --channel PJSIP/100 --exten 200
  amictl tail Hangup --where 'Cause!=16' --count 3
`

func writeFlags(b *strings.Builder, flags []cli.Flag) {
	for _, f := range flags {
		names, value, usage := "", "", ""
		for _, n := range f.Names() {
			if len(n) == 1 {
				names = "-" + n + ", " + names
			} else {
				names += "--" + n
			}
		}
		if doc, ok := f.(cli.DocGenerationFlag); ok {
			value, usage = unquoteUsage(doc.GetUsage())
		}
		if value != "" {
			names += " " + value
		}
		if !strings.HasPrefix(names, "-") || strings.HasPrefix(names, "--") {
			names = "    " + names
		}
		fmt.Fprintf(b, "  %-30s %s\n", names, usage)
	}
}

// unquoteUsage takes the name of a flag's value out of its backquotes.
func unquoteUsage(usage string) (value, text string) {
	start := strings.IndexByte(usage, '`')
	end := strings.LastIndexByte(usage, '`')
	if start < 0 || end == start {
		return "", usage
	}
	value = usage[start+1 : end]
	return value, usage[:start] + value + usage[end+1:]
}
