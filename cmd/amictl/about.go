package main

import "github.com/urfave/cli/v3"

// about is what a subcommand tells of itself beyond what urfave/cli asks for. The zero value is that of most.
type about struct {
	rest    bool                                                   // it has a use for what stands behind `--`
	words   func() []string         // what its first argument may be, for completion; nil: no closed list
	config  configNeed                                             // what it needs of the configuration
	aliases map[string]string                                      // global flags that mean one of its own there: "--context" is originate's "--dialplan-context"
	failed  func(form string, f failure) (text []byte, status int) // how it reports a failure in an output format of its own; text nil: as all do
}

// configNeed is what a subcommand needs of a configuration that was named.
type configNeed uint8

const (
	configMustBeRight configNeed = iota // it must be there and right
	configMayBeNew                      // the subcommand makes it
	configMayBeBroken                   // the subcommand uses no server, and works while it is broken
)

// tell notes what a subcommand says about itself.
func (a *app) tell(c *cli.Command, what about) *cli.Command {
	if a.abouts == nil {
		a.abouts = make(map[*cli.Command]about)
	}
	a.abouts[c] = what
	return c
}

// about returns what a subcommand told.
func (a *app) about(c *cli.Command) about { return a.abouts[c] }
