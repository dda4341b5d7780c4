package send

import (
	"errors"

	"github.com/apntalk/amictl/internal/actionline"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// A lineRequest is one line of `send -`.
type lineRequest struct {
	line   int
	id     string
	node   string
	action ami.Action
	wait   string // for what of a call, "" as --wait says
	bytes  int    // that it holds while it waits
	err    error  // why the line is refused; id is known if it could be read
}

// kept is how many bytes of a line stay while it is in flight: its values are on the wire then.
func (r *lineRequest) kept() int { return len(r.id) + lineBytes }

func (r *lineRequest) origin() output.Origin {
	return output.Origin{Action: r.action.Name, ID: r.id, Line: r.line}
}

const lineForm = "a line is " + actionline.Form

// parseLine reads one line.
func parseLine(number int, text string) lineRequest {
	l, err := actionline.Parse(text)
	r := lineRequest{line: number, id: l.ID, node: l.Node, action: l.Action, wait: l.Wait, bytes: len(text) + lineBytes}
	var refused *ami.OpError
	switch {
	case errors.As(err, &refused):
		f := fail.Classify(err)
		r.err = fail.Input(f.Hint, "line %d: %s", number, f.Message)
	case err != nil:
		r.err = fail.Input(lineForm, "line %d: %v", number, err)
	}
	return r
}
