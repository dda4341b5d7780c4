package flags

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// LookupFlag finds the flag that an argument names: `--long`, `--long=value` or `-x`.
func LookupFlag(root, command *cli.Command, arg string) (flag cli.Flag, global bool) {
	name, _, _ := strings.Cut(arg, "=")
	if long, ok := strings.CutPrefix(name, "--"); ok && len(long) > 1 {
		name = long
	} else if short, ok := strings.CutPrefix(name, "-"); ok && len(short) == 1 {
		name = short
	} else {
		return nil, false
	}
	for _, f := range command.Flags {
		if slices.Contains(f.Names(), name) {
			return f, command == root
		}
	}
	for _, f := range root.Flags {
		if slices.Contains(f.Names(), name) {
			return f, true
		}
	}
	return nil, false
}

// IsBool tells flags that take no value. Their IsBoolFlag method says no until urfave/cli has begun to parse.
func IsBool(f cli.Flag) bool {
	_, ok := f.(*cli.BoolFlag)
	return ok
}

// HelpFor is the line that shows a command's help.
func HelpFor(c *cli.Command) string { return c.UsageText + " --help" }

// UnquoteUsage takes the name of a flag's value out of its backquotes.
func UnquoteUsage(usage string) (value, text string) {
	start := strings.IndexByte(usage, '`')
	end := strings.LastIndexByte(usage, '`')
	if end == start { // none, or one alone
		return "", usage
	}
	value = usage[start+1 : end]
	return value, usage[:start] + value + usage[end+1:]
}
