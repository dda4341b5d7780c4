package target

import (
	"fmt"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Incomplete returns what is to be said of an answer that came without an error and is not what it should be: an error if the
// server cancelled its list, else a note, for servers count their items wrongly, and some answers name no action.
func Incomplete(r *ami.Reply, action string) (note string, err error) {
	switch {
	case r == nil:
		return "", nil
	case r.Fenced:
		return fmt.Sprintf("%s: the answer to %s names no action; this is what came before the next answer", r.Node, action), nil
	case !r.Incomplete:
		return "", nil
	}
	if wire.EqualFold(r.End.Get("EventList"), "Cancelled") || wire.EqualFold(r.End.Get("EventList"), "Cancel") {
		return "", &fail.Error{
			Code: fail.CodeRefused, Sent: ami.SentYes.String(), Message: fmt.Sprintf("%s: %s: the server cancelled the list after %s", r.Node, action, fail.Count(r.Items, "item")),
			Hint: "the items that came are on standard output; the server's log may say why",
		}
	}
	announced, _ := r.ListItems()
	return fmt.Sprintf("%s: %s: %s came, but the server announced %d", r.Node, action, fail.Count(r.Items, "item"), announced), nil
}
