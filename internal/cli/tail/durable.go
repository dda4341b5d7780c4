package tail

import (
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/apntalk/amictl/internal/cli/run"
)

// A durableName is the value of --durable.
type durableName string

// mostDurable is how many bytes JetStream takes of a name.
const mostDurable = 255

// Set refuses what JetStream takes for no name; an empty one would be a tail that acknowledges nothing.
func (n *durableName) Set(name string) error {
	bad := func(r rune) bool {
		return strings.ContainsRune(`.*>/\`, r) || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}
	if name == "" || len(name) > mostDurable || !utf8.ValidString(name) || strings.ContainsFunc(name, bad) {
		return errors.New(`a name on NATS has 1 to 255 bytes, such as letters, digits, - and _; no space, and none of . * > / \`)
	}
	*n = durableName(name)
	return nil
}

func (n *durableName) String() string { return string(*n) }
func (n *durableName) Get() any       { return string(*n) }

// An acknowledger wants to know when what was taken is written.
type acknowledger interface {
	Due() bool
	Acknowledge()
}

// goOn has events acknowledged when they are written. Where a durable goes on is its own affair: a --since such as 10m is for its
// beginning.
func (t *tailer) goOn(events run.EventStream) {
	t.durable = events
	if events.New() {
		t.run.Note("durable %s is new", t.options.durable)
		return
	}
	t.options.span.since = time.Time{}
}
