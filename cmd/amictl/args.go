package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// splitAtDashes cuts the arguments at the first `--`, which urfave/cli would drop.
func splitAtDashes(args []string) (before, behind []string, found bool) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:], true
	}
	return args, nil, false
}

// arranged is a command line that urfave/cli cannot misread: global flags, subcommand, its flags, `--`, and
// then the positional arguments as they came.
type arranged struct {
	args    []string
	command *cli.Command
	help    *cli.Command // the command whose help is wanted, else nil
}

// arrange sorts the arguments before `--`. Flags may stand anywhere: global ones even before the subcommand, those of
// the subcommand behind its name. It refuses what it does not know, with the nearest name as a hint.
func (a *app) arrange(root *cli.Command, args []string) (*arranged, error) {
	var globals, locals, positional, path []string
	command, help := root, false
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if len(arg) < 2 || arg[0] != '-' {
			if command == root && arg == "help" && len(positional) == 0 {
				help = true
				continue
			}
			if len(command.Commands) == 0 {
				positional = append(positional, arg)
				continue
			}
			sub := command.Command(arg)
			if sub == nil {
				return nil, unknownCommand(command, arg)
			}
			command, path = sub, append(path, arg)
			continue
		}
		if arg == "--version" && command == root { // as other programs have it
			command, path = root.Command("version"), []string{"version"}
			continue
		}
		if arg == "-h" || arg == "--help" {
			help = true
			continue
		}
		if name, value, has := strings.Cut(arg, "="); a.about(command).aliases[name] != "" {
			if arg = a.about(command).aliases[name]; has {
				arg += "=" + value
			}
		}
		flag, global := lookupFlag(root, command, arg)
		if flag == nil {
			return nil, a.unknownFlag(root, command, arg)
		}
		words := []string{arg}
		if !isBool(flag) && !strings.Contains(arg, "=") {
			if i++; i == len(args) {
				return nil, usageError("see `"+helpFor(command)+"`", "%s needs a value", arg)
			}
			words = append(words, args[i])
		}
		if global {
			globals = append(globals, words...)
		} else {
			locals = append(locals, words...)
		}
	}
	if help {
		return &arranged{command: command, help: command}, nil
	}
	if len(command.Commands) > 0 {
		if command == root && len(args) == 0 {
			return &arranged{command: root, help: root}, nil
		}
		return nil, usageError("see `"+helpFor(command)+"`", "%s needs a subcommand: %s", command.UsageText, commandNames(command))
	}
	out := append([]string{"amictl"}, globals...)
	out = append(append(out, path...), locals...)
	out = append(append(out, "--"), positional...)
	return &arranged{args: out, command: command}, nil
}

// lookupFlag finds the flag that an argument names: `--long`, `--long=value` or `-x`.
func lookupFlag(root, command *cli.Command, arg string) (flag cli.Flag, global bool) {
	name, _, _ := strings.Cut(arg, "=")
	if long, ok := strings.CutPrefix(name, "--"); ok && len(long) > 1 {
		name = long
	} else if len(name) == 2 {
		name = name[1:]
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

// isBool tells flags that take no value. Their IsBoolFlag method says no until urfave/cli has begun to parse.
func isBool(f cli.Flag) bool {
	_, ok := f.(*cli.BoolFlag)
	return ok
}

func unknownCommand(parent *cli.Command, name string) error {
	var names []string
	for _, c := range parent.Commands {
		names = append(names, c.Name)
	}
	hint := "see `" + helpFor(parent) + "`"
	if near := nearest(name, names); near != "" {
		hint = "did you mean `" + parent.UsageText + " " + near + "`?"
	}
	return usageError(hint, "%s has no subcommand %q", parent.UsageText, name)
}

func (a *app) unknownFlag(root, command *cli.Command, arg string) error {
	name, _, _ := strings.Cut(arg, "=")
	var names []string
	for _, f := range slices.Concat(command.Flags, root.Flags) {
		for _, n := range f.Names() {
			if len(n) > 1 {
				names = append(names, "--"+n)
			}
		}
	}
	hint := "see `" + helpFor(command) + "`"
	if near := nearest("--"+strings.TrimLeft(name, "-"), names); near != "" {
		hint = "did you mean " + near + "?"
	} else if command == root {
		hint = "flags of a subcommand stand behind its name"
	} else if a.about(command).rest {
		hint = "what is no flag of amictl goes behind `--`"
	}
	return usageError(hint, "%s has no flag %s", command.UsageText, name)
}

func helpFor(c *cli.Command) string { return c.UsageText + " --help" }

func commandNames(c *cli.Command) string {
	var names []string
	for _, sub := range c.Commands {
		names = append(names, sub.Name)
	}
	return strings.Join(names, ", ")
}

// ownReport is a failure in the output format of its subcommand, where it has one of its own. The command line may be one
// that could not be parsed: Nagios would take the status of a usage error for CRITICAL.
func (a *app) ownReport(f failure) (text []byte, status int) {
	form, command := "", (*cli.Command)(nil)
	root := a.commands()
	for i := 0; i < len(a.args); i++ {
		arg := a.args[i]
		if len(arg) < 2 || arg[0] != '-' {
			if command == nil {
				command = root.Command(arg)
			}
			continue
		}
		name, value, has := strings.Cut(arg, "=")
		flag, _ := lookupFlag(root, root, arg)
		if flag != nil && !isBool(flag) && !has && i+1 < len(a.args) {
			i++
			value = a.args[i]
		}
		if name == "-o" || name == "--output" {
			form = value
		}
	}
	if form == "" {
		form, _ = a.env("AMICTL_OUTPUT")
	}
	if form == "" && a.settings != nil {
		form = a.settings.get("output")
	}
	if report := a.about(command).failed; report != nil {
		return report(form, f)
	}
	return nil, 0
}

// nearest returns the candidate that a typing error away could have been meant, or "".
func nearest(word string, candidates []string) string {
	best, limit := "", 1+len(word)/4
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(word), strings.ToLower(c)); d <= limit {
			best, limit = c, d-1
		} else if best == "" && len(word) >= 3 && strings.HasPrefix(strings.ToLower(c), strings.ToLower(word)) {
			best = c
		}
	}
	return best
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b.
func editDistance(a, b string) int {
	var before []int // the row of i-2
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
