package held

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// eventMask has the classes of the events that state is made of.
const eventMask = "call,agent,system,dialplan"

// A Watch is the servers of a run, and what they hold.
type Watch struct {
	*state.Watcher
	Cluster *ami.Cluster
	run     *run.Run
}

// Follow begins to follow nodes, without waiting for any.
func Follow(ctx context.Context, r *run.Run, nodes []ami.Config, o state.Options) (*Watch, error) {
	for i := range nodes {
		nodes[i].Events = eventMask
	}
	c, err := target.Cluster(r, nodes)
	if err != nil {
		return nil, err
	}
	w, err := state.Follow(ctx, c, o)
	if err != nil {
		target.Finish(ctx, c)
		return nil, err
	}
	return &Watch{Watcher: w, Cluster: c, run: r}, nil
}

// Finish ends it.
func (w *Watch) Finish(ctx context.Context) {
	w.Close()
	target.Finish(ctx, w.Cluster)
}

// settle waits until each node was listed whole, and returns why those were not that failed.
func (w *Watch) settle(ctx context.Context) map[string]error {
	over, cancel := context.WithCancel(ctx)
	defer cancel()
	nodes := w.Cluster.Nodes()
	ends := make([]error, len(nodes))
	synced := make(map[string]chan struct{})
	for _, n := range nodes {
		synced[n.Name()] = make(chan struct{})
	}
	var all sync.WaitGroup
	for i, n := range nodes {
		done := synced[n.Name()]
		all.Go(func() { ends[i] = w.await(over, n, done) })
	}
	go func() { all.Wait(); cancel() }()
	for ch, err := range w.Watcher.Changes(over) {
		if err != nil {
			break
		}
		if done := synced[ch.Node]; ch.Op == state.OpSynced && done != nil {
			close(done)
			delete(synced, ch.Node)
		}
	}
	all.Wait()
	failed := make(map[string]error)
	for i, n := range nodes {
		if ends[i] != nil {
			failed[n.Name()] = ends[i]
		}
	}
	return failed
}

// await waits until a node is synced: --connect-timeout for its session, and then --timeout.
func (w *Watch) await(ctx context.Context, n *ami.Node, synced <-chan struct{}) error {
	if err := w.connect(ctx, n); err != nil {
		return err
	}
	late := time.NewTimer(w.run.Settings.Timeout)
	defer late.Stop()
	select {
	case <-synced:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
	}
	if _, err := n.State(); !n.Ready() && err != nil {
		return err
	}
	why := "it was not listed completely within " + w.run.Settings.Timeout.String()
	for _, held := range w.Snapshot().Nodes {
		if held.Node == n.Name() && held.Short > 0 {
			why = "a list ended before everything that it announced had come, again and again"
		}
	}
	return &fail.Error{
		Code: fail.CodeTimeout, Message: n.Name() + ": " + why,
		Hint: "what came is on standard output, and the node is stale; --timeout allows more time",
	}
}

// connect waits for the outcome of a node's first attempt.
func (w *Watch) connect(ctx context.Context, n *ami.Node) error {
	ctx, cancel := target.Connecting(ctx, w.run)
	defer cancel()
	return n.Connect(ctx)
}

// Changes hands what there is and what becomes of it to take, and calls idle whenever nothing is at hand, until ctx is done
// or length is over, which begins with the first session. It waits for that.
func (w *Watch) Changes(ctx context.Context, length flags.Duration, take func(*state.Change) error, idle func() error) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	changes := w.Watcher.Changes(reading) // from before the first session on
	if err := target.Await(ctx, w.run, w.Cluster, 1); err != nil {
		return err
	}
	limited, cancel := context.WithCancel(ctx)
	if length.Given {
		limited, cancel = context.WithTimeout(ctx, length.Value)
	}
	defer cancel()
	defer context.AfterFunc(limited, stop)()
	err := stream(limited, changes, take, idle)
	if ctx.Err() == nil && limited.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// stream hands out changes, which end when ctx does.
func stream(ctx context.Context, changes iter.Seq2[state.Change, error], take func(*state.Change) error, idle func() error) error {
	type step struct {
		change state.Change
		err    error
	}
	taking, cancel := context.WithCancel(ctx) // done a moment after ctx, which therefore tells why
	defer cancel()
	steps := make(chan step, 1024)
	go func() {
		defer close(steps)
		for ch, err := range changes {
			select {
			case steps <- step{ch, err}:
			case <-taking.Done():
				return
			}
		}
	}()
	for s := range steps {
		if s.err != nil {
			return cmp.Or(ctx.Err(), s.err)
		}
		if err := take(&s.change); err != nil {
			return err
		}
		if len(steps) == 0 {
			if err := idle(); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}
