package drain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// An absence is the time in which a server stops or restarts, and may still hold the session on which it was told to.
type absence struct {
	d       *drainer
	node    *ami.Node
	born    birth  // of the process that was told to stop
	session uint64 // the number of sessions by then
	began   time.Time
	unrun   bool // our command was not run: somebody else's was, or the connection was lost before it was sent
}

// look is the time between two looks at a server that is away.
const look = 100 * time.Millisecond

// wait waits until the server is back, restarted; after a stop, until it is gone.
func (a *absence) wait(ctx context.Context) (output.Record, error) {
	within := a.d.options.backWithin.Value
	limited, cancel := context.WithTimeoutCause(ctx, within, errOverdue)
	defer cancel()
	a.d.tell(a.node, "it is away")
	if stops(a.d.options.command) {
		switch gone, err := a.gone(limited); {
		case err != nil && errors.Is(context.Cause(limited), errOverdue):
			return nil, a.overdue("it had not stopped")
		case gone || err != nil:
			return nil, err
		}
	}
	switch err := a.restarted(limited); {
	case err != nil && errors.Is(context.Cause(limited), errOverdue):
		return nil, a.overdue("it was not back")
	case err != nil:
		return nil, err
	}
	away := time.Since(a.began)
	return output.Record{{Key: "back_us", Value: away.Microseconds(), Text: output.Duration(away)}}, nil
}

// errOverdue is why a wait ends when --back-within is over.
var errOverdue = errors.New("--back-within is over")

// gone waits until a server that is told to stop refuses a connection. It is false if there is a later session: it has been
// started again. The one on which it was told may stay until the end.
func (a *absence) gone(ctx context.Context) (bool, error) {
	for {
		if a.back() {
			return false, nil
		}
		_, cause := a.node.State()
		var op *ami.OpError
		if errors.As(cause, &op) {
			switch op.Op {
			case ami.OpTLS, ami.OpBanner: // something took the connection, but no Asterisk behind it
				return true, nil
			case ami.OpDial:
				if !a.unrun || errors.Is(cause, syscall.ECONNREFUSED) { // the network may be what is lost
					return true, nil
				}
			}
		}
		if run.Pause(ctx, look); ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
}

// back reports whether there is a later session than the one on which the server was told to stop.
func (a *absence) back() bool { return a.node.Ready() && a.node.Stats().Sessions > a.session }

// restarted waits until a server has booted that is not the one which was told to stop. One that is, on a later session, was
// not restarted.
func (a *absence) restarted(ctx context.Context) error {
	for {
		if err := target.WaitBooted(ctx, a.node, a.born.seen); err != nil {
			return err
		}
		later := a.back()
		now, err := bornAt(ctx, a.node, true)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && now.stamp != a.born.stamp:
			return nil
		case err == nil && later:
			return a.same()
		}
		if run.Pause(ctx, look); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// same is the error of a server that is back without having been restarted.
func (a *absence) same() error {
	if a.unrun {
		return &fail.Error{
			Code: fail.CodeUnsent, Sent: ami.SentNo.String(), Message: a.node.Name() + ": the connection was lost before the command was run, and the server was not restarted",
			Hint: "the command was not run: run it again",
		}
	}
	return &fail.Error{
		Code: fail.CodeLost, Sent: ami.SentMaybe.String(), Message: a.node.Name() + ": the connection was lost, and the server was not restarted",
		Hint: "the command may not have reached it; it has no calls: run it again",
	}
}

// overdue is the error of a server that is not where it should be when --back-within is over.
func (a *absence) overdue(what string) error {
	err := notInTime(a.node, what, a.d.options.backWithin.Value)
	if a.unrun {
		err.Sent = ami.SentNo.String()
	}
	return err
}

// notInTime is the error of a server that is not where it should be when --back-within is over.
func notInTime(n *ami.Node, what string, within time.Duration) *fail.Error {
	why := ""
	if _, cause := n.State(); cause != nil {
		why = ": " + strings.TrimPrefix(fail.Classify(target.Absent(n)).Message, n.Name()+": ")
	}
	return &fail.Error{
		Code: fail.CodeTimeout, Sent: ami.SentYes.String(), Message: fmt.Sprintf("%s: %s within %v%s", n.Name(), what, within, why),
		Hint: "its own log says what it waits for; --back-within allows more time, and `amictl wait --ready` waits for it now",
	}
}
