package cli

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/run"
)

// A subcommand is found under its own name without the others being made.
func TestSubcommandNames(t *testing.T) {
	r := run.New(nil, strings.NewReader(""), nil, &strings.Builder{}, func(string) (string, bool) { return "", false })
	for _, s := range subcommands {
		if c := s.command(r); c.Name != s.name {
			t.Errorf("%s is listed as %s", c.Name, s.name)
		}
	}
}
