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
	if len(a.command.Commands) > 0 { // alone it does nothing
		a.help = true
	}
	return a, wrong
}

// take reads a word, or a flag with its value, and returns how many words that were.
func (a *arranged) take(args []string) (taken int, err error) {
	arg := args[0]
	switch {
	case len(arg) < 2 || arg[0] != '-':
		return 1, a.word(arg, args[1:])
	case arg == "--version" && a.command == a.root: // as other programs have it
		return 1, a.word("version", nil)
	case arg == "-h" || arg == "--help":
		a.help = true
		return 1, nil
	}
	name, value, joined := strings.Cut(arg, "=")
	if own := a.run.About(a.command).Aliases[name]; own != "" {
		arg = own + strings.TrimPrefix(arg, name)
	}
	flag, global := flags.LookupFlag(a.root, a.command, arg)
	if flag == nil && a.cluster(arg) {
		return 1, nil
	}
	if flag == nil {
		return 1, unknownFlag(a.run, a.root, a.command, arg, args[1:])
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

// cluster reads several short flags that take no value, written as one: -qv. It reports whether that is what arg is.
func (a *arranged) cluster(arg string) bool {
	if arg[1] == '-' {
		return false
	}
	for _, one := range []bool{false, true} { // first look whether all are there
		for _, letter := range arg[1:] {
			short := "-" + string(letter)
			flag, global := flags.LookupFlag(a.root, a.command, short)
			switch {
			case flag == nil || !flags.IsBool(flag):
				return false
			case one && global:
				a.globals = append(a.globals, short)
			case one:
				a.locals = append(a.locals, short)
			}
		}
	}
	return true
}

// word reads a word that is not a flag: the name of a subcommand where there are some, an argument elsewhere. The words behind
// it may say what was meant.
func (a *arranged) word(arg string, behind []string) error {
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
		return unknownCommand(a.root, a.command, arg, behind)
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
