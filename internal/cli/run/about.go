package run

import (
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// About is what a subcommand tells of itself beyond what urfave/cli asks for.
type About struct {
	Args    Words                         // its arguments
	Rest    Words                         // what stands behind `--`
	Config  configNeed                    // what it needs of the configuration
	Aliases map[string]string             // global flags that mean one of its own there: "--context" is originate's "--dialplan-context"
	Outputs []Output                      // output formats of its own, beside those of all
	Figures map[string]func() []string    // of flags whose conditions ask about figures: their names
	Fields  func(words []string) []string // what --fields and --where may name, by the arguments; nil: nobody can tell
	Failed  failureReport                 // how it reports a failure in one of them; nil: as all do
	Daemon  bool                          // amictld has it: see RunDaemon
	Prints  bool                          // it only prints: a signal may end it where it is
}

// A failureReport is a failure as text, and its exit status. No text: it is reported as any other.
type failureReport func(form Output, f fail.Failure) (text []byte, status int)

// configNeed is what a subcommand needs of a configuration that was named.
type configNeed uint8

const (
	configMustBeRight configNeed = iota // it must be there and right
	ConfigMayBeNew                      // the subcommand makes it
	ConfigMayBeBroken                   // the subcommand uses no server, and works while it is broken
)

// Tell notes what a subcommand says about itself.
func (r *Run) Tell(c *cli.Command, what About) *cli.Command {
	if r.abouts == nil {
		r.abouts = make(map[*cli.Command]About)
	}
	r.abouts[c] = what
	return c
}

// About returns what a subcommand told. One that told nothing has no arguments, and needs a configuration that is right.
func (r *Run) About(c *cli.Command) About { return r.abouts[c] }
