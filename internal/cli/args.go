package cli

import (
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
)

// arranged is a command line that urfave/cli cannot misread: global flags, subcommand, its flags, `--`, and
// then the positional arguments as they came.
type arranged struct {
	args    []string
	command *cli.Command
	help    *cli.Command // the command whose help is wanted, else nil
}

// arrange sorts the arguments before `--`. Flags may stand anywhere: global ones even before the subcommand, those of
// the subcommand behind its name. It refuses what it does not know, with the nearest name as a hint.
func arrange(r *run.Run, root *cli.Command, args []string) (*arranged, error) {
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
		if name, value, has := strings.Cut(arg, "="); r.About(command).Aliases[name] != "" {
			if arg = r.About(command).Aliases[name]; has {
				arg += "=" + value
			}
		}
		flag, global := flags.LookupFlag(root, command, arg)
		if flag == nil {
			return nil, unknownFlag(r, root, command, arg)
		}
		words := []string{arg}
		if !flags.IsBool(flag) && !strings.Contains(arg, "=") {
			if i++; i == len(args) {
				return nil, fail.Usage("see `"+flags.HelpFor(command)+"`", "%s needs a value", arg)
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
		return nil, fail.Usage("see `"+flags.HelpFor(command)+"`", "%s needs a subcommand: %s", command.UsageText, commandNames(command))
	}
	out := append([]string{"amictl"}, globals...)
	out = append(append(out, path...), locals...)
	out = append(append(out, "--"), positional...)
	return &arranged{args: out, command: command}, nil
}

func unknownCommand(parent *cli.Command, name string) error {
	var names []string
	for _, c := range parent.Commands {
		names = append(names, c.Name)
	}
	hint := "see `" + flags.HelpFor(parent) + "`"
	if near := fail.Nearest(name, names); near != "" {
		hint = "did you mean `" + parent.UsageText + " " + near + "`?"
	}
	return fail.Usage(hint, "%s has no subcommand %q", parent.UsageText, name)
}

func unknownFlag(r *run.Run, root, command *cli.Command, arg string) error {
	name, _, _ := strings.Cut(arg, "=")
	var names []string
	for _, f := range slices.Concat(command.Flags, root.Flags) {
		for _, n := range f.Names() {
			if len(n) > 1 {
				names = append(names, "--"+n)
			}
		}
	}
	hint := "see `" + flags.HelpFor(command) + "`"
	if near := fail.Nearest("--"+strings.TrimLeft(name, "-"), names); near != "" {
		hint = "did you mean " + near + "?"
	} else if command == root {
		hint = "flags of a subcommand stand behind its name"
	} else if r.About(command).Rest {
		hint = "what is no flag of amictl goes behind `--`"
	}
	return fail.Usage(hint, "%s has no flag %s", command.UsageText, name)
}

func commandNames(c *cli.Command) string {
	var names []string
	for _, sub := range c.Commands {
		names = append(names, sub.Name)
	}
	return strings.Join(names, ", ")
}

// A badFlag is what urfave/cli found in the arguments.
type badFlag struct{ err error }

func (e *badFlag) Error() string { return e.err.Error() }

// flagError makes an error that urfave/cli found in the arguments one of ours.
func flagError(command *cli.Command, err error) error {
	var bad *badFlag
	if !errors.As(err, &bad) {
		return err
	}
	msg := bad.Error()
	if strings.HasPrefix(msg, "invalid value ") {
		msg = strings.Replace(msg, "for flag -", "for --", 1)
	}
	return fail.Usage("see `"+flags.HelpFor(command)+"`", "%s", msg)
}
