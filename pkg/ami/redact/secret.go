package redact

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// A Secret is a password that never prints: every way of formatting it gives "[secret]". It holds a pointer, because fmt
// asks no methods of unexported fields: in there it shows an address.
type Secret struct{ value *string }

// NewSecret wraps a password.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal returns the password itself.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

const hidden = "[secret]"

// String returns "[secret]".
func (Secret) String() string { return hidden }

// GoString returns "[secret]".
func (Secret) GoString() string { return hidden }

// Format writes "[secret]" for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// MarshalText returns "[secret]".
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalJSON returns "[secret]" as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal(hidden) }

// LogValue returns "[secret]".
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
