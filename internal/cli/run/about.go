package run

import (
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// About is what a subcommand tells of itself beyond what urfave/cli asks for. The zero value is that of most.
type About struct {
	Rest    bool                                                        // it has a use for what stands behind `--`
	Words   func() []string                                             // what its first argument may be, for completion; nil: no closed list
	Config  configNeed                                                  // what it needs of the configuration
	Aliases map[string]string                                           // global flags that mean one of its own there: "--context" is originate's "--dialplan-context"
	Failed  func(form Output, f fail.Failure) (text []byte, status int) // how it reports a failure in an output format of its own; text nil: as all do
}

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

// About returns what a subcommand told.
func (r *Run) About(c *cli.Command) About { return r.abouts[c] }
