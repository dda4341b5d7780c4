package drain

import (
	"context"
	"errors"
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

// eventMask has the classes of the events that tell of channels, and of a boot.
const eventMask = "call,system"

// node drains one server, and returns the object that tells of it.
func (d *drainer) node(ctx context.Context, cfg ami.Config) (record output.Record, err error) {
	cfg.Events = eventMask
	cfg.Redial.BreakerAfter = d.options.backWithin.Value // a server that boots is looked for all the time
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
	session := n.Stats().Sessions
	born, err := bornAt(ctx, n, true)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	e := emptying{d: d, node: n, watcher: w, start: start, asked: make(map[string]time.Time)}
	defer func() {
		if e.changed && err != nil {
			err = fail.AfterChanges(err)
		}
	}()
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	empty := time.Now()
	if d.command != nil && n.Stats().Sessions != session { // it may have been restarted meanwhile, and the command is for what runs now
		switch again, err := bornAt(ctx, n, false); {
		case err == nil:
			again.seen = again.seen || born.seen // it may be about to boot
			born = again
		case !ending(err):
			return nil, err
		}
	}
	record = output.Record{
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

// A birth is when a server's process started, as CoreStatus writes it: it tells a restart from a connection that was lost.
type birth struct {
	stamp string
	seen  bool // FullyBooted was on that session: the user sees it, as it comes right behind the login
}

func bornAt(ctx context.Context, n *ami.Node, waitReady bool) (birth, error) {
	action := ami.NewAction("CoreStatus")
	action.WaitReady = waitReady
	r, err := n.Do(ctx, action)
	if err != nil {
		return birth{}, err
	}
	return birth{r.Get("CoreStartupDate") + " " + r.Get("CoreStartupTime"), n.Booted()}, nil
}

// ending reports whether an action failed because the server is stopping, or the session is over.
func ending(err error) bool {
	return errors.Is(err, ami.ErrStopping) || errors.Is(err, ami.ErrDisconnected) || errors.Is(err, ami.ErrNotReady)
}

// runCommand runs the command on the server, which is empty, and waits until it is back. born is when it started.
func (d *drainer) runCommand(ctx context.Context, n *ami.Node, born birth) (output.Record, error) {
	d.tell(n, "it runs "+d.options.command)
	a := absence{d: d, node: n, born: born, session: n.Stats().Sessions}
	start := time.Now()
	reply, err := n.Do(ctx, *d.command)
	a.began = time.Now()
	record := output.Record{
		{Key: "run", Value: d.options.command},
		{Key: "run_us", Value: a.began.Sub(start).Microseconds(), Text: output.Duration(a.began.Sub(start))},
	}
	a.unrun = err != nil && (errors.Is(err, ami.ErrStopping) || ami.SentState(err) == ami.SentNo)
	ends := restarts(d.options.command) || stops(d.options.command)
	switch {
	case err == nil && !restarts(d.options.command):
		return append(record, output.Pair{Key: "output", Value: lines(reply), Text: strings.Join(lines(reply), " ")}), nil
	case err != nil && reply != nil && len(lines(reply)) > 0: // the console's own words
		return nil, &fail.Error{Code: fail.CodeRefused, Sent: ami.SentYes.String(), Message: n.Name() + ": " + strings.Join(lines(reply), " "), Hint: "the server is empty, and goes on"}
	case err != nil && (ctx.Err() != nil || !ending(err) || a.unrun && !ends):
		return nil, err
	case errors.Is(err, ami.ErrStopping):
		d.run.Note("%s: somebody else is stopping it already", n.Name())
	case a.unrun: // such as by the end of somebody else's graceful stop, at the same moment
		d.run.Note("%s: its session ended before the command was sent", n.Name())
	}
	told, err := a.wait(ctx)
	return append(record, told...), err
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
