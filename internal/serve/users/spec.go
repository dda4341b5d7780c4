package users

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Spec is a user as it stands in a file.
//
//	[[users]]
//	name = "wall"
//	secret = "file:wall.secret"
//	nodes = ["fra-*"]            # absent: all
//	events = ["Queue*"]          # absent: none
//	actions = ["Ping", "Queue*", "Command", "Originate"]
//	commands = ["core show"]     # what a Command may begin with
//	contexts = ["outbound"]      # where an Originate, a Redirect or a transfer may lead
//	applications = ["Playback"]  # what an Originate may run
//	rate = 20                    # actions a second; absent: as many as the servers take
//	nats = true                  # who may publish under this name on the bus is this user there, and needs no secret
type Spec struct {
	Name         string   `toml:"name"`
	Secret       string   `toml:"secret"` // a reference, such as file:PATH
	Nodes        []string `toml:"nodes"`
	Events       []string `toml:"events"`
	Actions      []string `toml:"actions"`
	Commands     []string `toml:"commands"`
	Contexts     []string `toml:"contexts"`
	Applications []string `toml:"applications"`
	Rate         float64  `toml:"rate"`
	NATS         bool     `toml:"nats"`
}

// SpecKeys are the keys of a Spec.
func SpecKeys() []string {
	return []string{"name", "secret", "nodes", "events", "actions", "commands", "contexts", "applications", "rate", "nats"}
}

// check refuses what nobody can have meant.
func (s *Spec) check() error {
	switch {
	case s.Name == "":
		return fmt.Errorf("a user has no name")
	case s.Secret == "" && !s.NATS:
		return fmt.Errorf("user %q has no secret; write secret = \"file:PATH\" (or env:, cmd:, cred:)", s.Name)
	case s.Rate < 0 || s.Rate > maxRate:
		return fmt.Errorf("user %q: rate %v is not a number of actions a second from 0 to %d", s.Name, s.Rate, maxRate)
	}
	if err := wire.CheckField("Username", s.Name); err != nil {
		return fmt.Errorf("user %q: %w", s.Name, err)
	}
	for _, list := range [][]string{s.Nodes, s.Events, s.Actions, s.Commands, s.Contexts, s.Applications} {
		if slices.ContainsFunc(list, func(word string) bool { return strings.TrimSpace(word) == "" }) {
			return fmt.Errorf("user %q: an entry of a list is empty", s.Name)
		}
	}
	if len(s.Commands) > 0 && !matches(s.Actions, "Command") {
		return fmt.Errorf("user %q has commands, but \"Command\" is not among its actions", s.Name)
	}
	return nil
}

const maxRate = 1_000_000
