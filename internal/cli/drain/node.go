package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// A drainer is one run of drain.
type drainer struct {
	run     *run.Run
	options *options
	command *ami.Action // nil: nothing is run

	mu   sync.Mutex
	left map[string]string // guarded by mu: what each node waits for
}

// audit is how often the channels are listed again: a user who may not see events of the class call knows them by that alone.
const audit = 5 * time.Second

// node drains one server, and returns the object that tells of it.
func (d *drainer) node(ctx context.Context, cfg ami.Config) (output.Record, error) {
	c, err := target.Cluster(d.run, []ami.Config{cfg})
	if err != nil {
		return nil, err
	}
	defer target.Finish(ctx, c)
	w, err := state.Follow(ctx, c, state.Options{Kinds: []state.Kind{state.KindChannel, state.KindCall}, Audit: audit})
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := target.Await(ctx, d.run, c, 1); err != nil {
		return nil, err
	}
	n := c.Nodes()[0]
	defer d.tell(n, "")
	born, err := bornAt(ctx, n)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	e := emptying{d: d, node: n, watcher: w, start: start, asked: make(map[string]time.Time)}
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	empty := time.Now()
	record := output.Record{
		{Key: "type", Value: "drain"},
		{Key: "node", Value: n.Name()},
		{Key: "time", Value: empty, Text: empty.Local().Format(time.TimeOnly), Look: output.Minor},
		{Key: "calls", Value: e.first},
		{Key: "hung_up", Value: e.hungUp},
		{Key: "drain_us", Value: empty.Sub(start).Microseconds(), Text: output.Duration(empty.Sub(start))},
	}
	if d.command == nil {
		return record, nil
	}
	told, err := d.runCommand(ctx, n, born)
	return append(record, told...), err
}

// tell notes what a node waits for, for whoever watches; "" is the end of it.
func (d *drainer) tell(n *ami.Node, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left[n.Name()] = text; text == "" {
		delete(d.left, n.Name())
	}
}

// bornAt is when the server's process started, as CoreStatus writes it: it tells a restart from a connection that was lost.
func bornAt(ctx context.Context, n *ami.Node) (string, error) {
	action := ami.NewAction("CoreStatus")
	action.WaitReady = true
	r, err := n.Do(ctx, action)
	if err != nil {
		return "", err
	}
	return r.Get("CoreStartupDate") + " " + r.Get("CoreStartupTime"), nil
}

// runCommand runs the command on the server, which is empty, and waits until it is back. born is when it started.
func (d *drainer) runCommand(ctx context.Context, n *ami.Node, born string) (output.Record, error) {
	d.tell(n, "it runs "+d.options.command)
	session, start := n.Stats().Sessions, time.Now()
	reply, err := n.Do(ctx, *d.command)
	ran := time.Now()
	record := output.Record{
		{Key: "run", Value: d.options.command},
		{Key: "run_us", Value: ran.Sub(start).Microseconds(), Text: output.Duration(ran.Sub(start))},
	}
	switch {
	case err == nil && !restarts(d.options.command):
		return append(record, output.Pair{Key: "output", Value: lines(reply), Text: strings.Join(lines(reply), " ")}), nil
	case err != nil && reply != nil && len(lines(reply)) > 0: // the console's own words
		return nil, &fail.Error{Code: fail.CodeRefused, Sent: ami.SentYes.String(), Message: n.Name() + ": " + strings.Join(lines(reply), " "), Hint: "the server is empty, and goes on"}
	case errors.Is(err, ami.ErrStopping) && (restarts(d.options.command) || stops(d.options.command)):
		d.run.Note("%s: somebody else is stopping it already", n.Name())
	case err != nil && (!errors.Is(err, ami.ErrDisconnected) || ami.SentState(err) == ami.SentNo || ctx.Err() != nil):
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, d.options.backWithin.Value)
	defer cancel()
	d.tell(n, "it is away")
	if stops(d.options.command) {
		gone, err := stopped(limited, n)
		if gone || err != nil {
			return record, err
		}
	}
	if err := restarted(limited, n, born, session); err != nil {
		if ctx.Err() == nil && limited.Err() != nil {
			return nil, d.notBack(n)
		}
		return nil, err
	}
	away := time.Since(ran)
	return append(record, output.Pair{Key: "back_us", Value: away.Microseconds(), Text: output.Duration(away)}), nil
}

// lines are the text of a command.
func lines(r *ami.Reply) []string { return slices.Collect(r.Output()) }

// restarts reports whether a console command ends the server's process and begins a new one; stops, whether it ends it for
// good. Words may be shortened on the console, but not in an action.
func restarts(command string) bool { return begins(command, "restart") }
func stops(command string) bool    { return begins(command, "stop") }

func begins(command, verb string) bool {
	words := strings.Fields(strings.ToLower(command))
	return len(words) > 1 && words[0] == "core" && words[1] == verb
}

// look is the time between two looks at a server that is away.
const look = 100 * time.Millisecond

// stopped waits until a server that was stopped refuses a connection. gone is false if it takes one.
func stopped(ctx context.Context, n *ami.Node) (gone bool, err error) {
	for {
		state, cause := n.State()
		var op *ami.OpError
		switch {
		case state == ami.StateReady || state == ami.StateDegraded:
			if n.Ready() {
				return false, nil
			}
		case errors.As(cause, &op) && (op.Op == ami.OpDial || op.Op == ami.OpTLS || op.Op == ami.OpBanner):
			return true, nil
		}
		if run.Pause(ctx, look); ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
}

// restarted waits until a server has booted that is not the one which was born then. One that is, on a later session, was
// not restarted.
func restarted(ctx context.Context, n *ami.Node, born string, session uint64) error {
	for {
		if err := target.WaitBooted(ctx, n); err != nil {
			return err
		}
		now, err := bornAt(ctx, n)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && now != born {
			return nil
		}
		if err == nil && n.Stats().Sessions > session {
			return &fail.Error{
				Code: fail.CodeLost, Sent: ami.SentMaybe.String(), Message: n.Name() + ": the connection was lost, and the server was not restarted",
				Hint: "the command may not have reached it; it has no calls: run it again",
			}
		}
		if run.Pause(ctx, look); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// notBack is the error of a server that is still away when --back-within is over.
func (d *drainer) notBack(n *ami.Node) error {
	why := ""
	if _, cause := n.State(); cause != nil {
		why = ": " + strings.TrimPrefix(fail.Classify(target.Absent(n)).Message, n.Name()+": ")
	}
	return &fail.Error{
		Code: fail.CodeTimeout, Sent: ami.SentYes.String(), Message: fmt.Sprintf("%s: it was not back within %v%s", n.Name(), d.options.backWithin.Value, why),
		Hint: "its own log says what it waits for; --back-within allows more time, and `amictl wait --ready` waits for it now",
	}
}
