package ami

import (
	"context"

	"github.com/apntalk/amictl/pkg/ami/redact"
)

// A Secret is a password that never prints; see [redact.Secret].
type Secret = redact.Secret

// NewSecret wraps a password.
func NewSecret(value string) Secret { return redact.NewSecret(value) }

// A SecretProvider is asked for the password at each login, so that a rotated one is picked up. It runs in the node's
// own goroutine, within Timeouts.Login: its ctx ends then.
type SecretProvider func(ctx context.Context) (Secret, error)

// StaticSecret returns a provider of one unchanging password.
func StaticSecret(value string) SecretProvider {
	return func(context.Context) (Secret, error) { return NewSecret(value), nil }
}
