package target

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// commandTimeout bounds a cmd: reference beside the dial's own deadline.
const commandTimeout = 10 * time.Second

// Why a secret's command came to nothing, beside what it says itself.
var (
	errTooMuch    = fmt.Errorf("it printed more than %d KiB", longestSecret>>10)
	errNoTerminal = errors.New("it wants to ask, and amictl does not have the terminal")
)

// secretFromCommand runs a command of the shell; the first line that it prints is the secret. Nothing that it has started
// outlives it, but for daemons that it left running when it gave its secret, such as an agent.
func secretFromCommand(ctx context.Context, r *run.Run, command string) (ami.Secret, error) {
	limited, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	text, err := outputOf(limited, command, r.ChildStderr())
	switch {
	case err == nil:
		return firstLine(text, "the output of the secret's command")
	case limited.Err() != nil:
		return ami.Secret{}, fail.Config("run it by hand to see what it waits for; a login may last as long as --connect-timeout says", "the secret's command did not end in time")
	}
	return ami.Secret{}, fail.Config("run it by hand to see why", "the secret's command failed: %v", err)
}
