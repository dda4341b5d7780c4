package target

import (
	"fmt"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Incomplete returns what is wrong with an answer that came without an error and yet not whole: an error if the server
// cancelled its list, else a note, for servers count their items wrongly. Both are nil and empty for a whole answer.
func Incomplete(r *ami.Reply, action string) (note string, err error) {
	if r == nil || !r.Incomplete {
		return "", nil
	}
	if wire.EqualFold(r.End.Get("EventList"), "Cancelled") || wire.EqualFold(r.End.Get("EventList"), "Cancel") {
		return "", &fail.Error{
			Code: fail.CodeRefused, Sent: ami.SentYes.String(), Message: fmt.Sprintf("%s: %s: the server cancelled the list after %d items", r.Node, action, r.Items),
			Hint: "the items that came are on standard output; the server's log may say why",
		}
	}
	announced, _ := r.ListItems()
	return fmt.Sprintf("%s: %s: %d items came, and the server says that there are %d", r.Node, action, r.Items, announced), nil
}
