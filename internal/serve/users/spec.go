package users

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/serve/users/spec"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Spec is a user as it stands in a file.
type Spec = spec.User

// Example is a user with every key that there is, as TOML.
const Example = spec.Example

// check refuses what nobody can have meant.
func check(s *Spec) error {
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
