package cli

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
)

// arranged is a command line that was read, as far as it could be.
type arranged struct {
	run           *run.Run
	root, command *cli.Command
	help          bool   // of the command
	daemon        bool   // amictld has the command, and reads the words behind its name
	output        string // the value of --output, "" if it is not there

	globals, path, locals, positional []string
}

// arrange reads the arguments before `--`. Flags may stand anywhere: global ones even before the subcommand, those of the
// subcommand behind its name. The error is that of the first word that is wrong, with the nearest name as a hint; the words
// behind it are read all the same, for they may say how an error is to be reported.
func arrange(r *run.Run, root *cli.Command, args []string) (*arranged, error) {
	a := &arranged{run: r, root: root, command: root, help: len(args) == 0}
	var wrong error
	for len(args) > 0 {
		taken, err := a.take(args)
		if args = args[taken:]; wrong == nil {
			wrong = err
		}
		if a.daemon = r.About(a.command).Daemon; a.daemon {
			return a, wrong
		}
	}
	if wrong == nil && !a.help && len(a.command.Commands) > 0 {
		wrong = fail.Usage("see `"+flags.HelpFor(a.command)+"`", "%s needs a subcommand: %s", a.command.UsageText, commandNames(a.command))
	}
	return a, wrong
}

// take reads a word, or a flag with its value, and returns how many words that were.
func (a *arranged) take(args []string) (taken int, err error) {
	arg := args[0]
	switch {
	case len(arg) < 2 || arg[0] != '-':
		return 1, a.word(arg)
	case arg == "--version" && a.command == a.root: // as other programs have it
		return 1, a.word("version")
	case arg == "-h" || arg == "--help":
		a.help = true
		return 1, nil
	}
	name, value, joined := strings.Cut(arg, "=")
	if own := a.run.About(a.command).Aliases[name]; own != "" {
		arg = own + strings.TrimPrefix(arg, name)
	}
	flag, global := flags.LookupFlag(a.root, a.command, arg)
	if flag == nil {
		return 1, unknownFlag(a.run, a.root, a.command, arg)
	}
	words := []string{arg}
	if !flags.IsBool(flag) && !joined {
		if len(args) == 1 {
			return 1, fail.Usage("see `"+flags.HelpFor(a.command)+"`", "%s needs a value", arg)
		}
		value = args[1]
		words = append(words, value)
	}
	if global {
		a.globals = append(a.globals, words...)
	} else {
		a.locals = append(a.locals, words...)
	}
	if global && flag.Names()[0] == "output" {
		a.output = value
	}
	return len(words), nil
}

// word reads a word that is not a flag: the name of a subcommand where there are some, an argument elsewhere.
func (a *arranged) word(arg string) error {
	if len(a.command.Commands) == 0 {
		a.positional = append(a.positional, arg)
		return nil
	}
	if a.command == a.root && arg == "help" {
		a.help = true
		return nil
	}
	sub := a.command.Command(arg)
	if sub == nil {
		return unknownCommand(a.command, arg)
	}
	a.command, a.path = sub, append(a.path, arg)
	return nil
}

// args are the arguments in an order in which urfave/cli cannot misread them: global flags, subcommand, its flags, and
// behind `--` the positional arguments as they came.
func (a *arranged) args() []string {
	return slices.Concat([]string{a.root.Name}, a.globals, a.path, a.locals, []string{"--"}, a.positional)
}

// unwanted is the error of words that stand where the subcommand takes none.
func (a *arranged) unwanted() error {
	about := a.run.About(a.command)
	see := "see `" + flags.HelpFor(a.command) + "`"
	switch {
	case a.run.HasTo && about.Rest.Kind == run.NoWords:
		return fail.Usage(see, "%s takes nothing after `--`", a.command.UsageText)
	case len(a.positional) > 0 && about.Args.Kind == run.NoWords:
		return fail.Usage(cmp.Or(about.Args.Hint, see), "%s takes no arguments, but got %q", a.command.UsageText, a.positional[0])
	}
	return nil
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
		hint = "flags of a subcommand go after its name"
	} else if r.About(command).Rest.Kind != run.NoWords {
		hint = "put anything that is not a flag of amictl after `--`"
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

// An argumentError is what urfave/cli found in the arguments.
type argumentError struct{ err error }

func (e *argumentError) Error() string { return e.err.Error() }

// flagError makes an error that urfave/cli found in the arguments one of ours.
func flagError(command *cli.Command, err error) error {
	var bad *argumentError
	if !errors.As(err, &bad) {
		return err
	}
	msg := bad.Error()
	if strings.HasPrefix(msg, "invalid value ") {
		msg = strings.Replace(msg, "for flag -", "for --", 1)
	}
	return fail.Usage("see `"+flags.HelpFor(command)+"`", "%s", msg)
}
