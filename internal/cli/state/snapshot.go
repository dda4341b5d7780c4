package state

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

// snapshot prints what there is once every node was listed, or failed.
func (v *view) snapshot(ctx context.Context, c *ami.Cluster, w *state.Watcher) error {
	failed := v.settle(ctx, c, w)
	if run.BySignal(ctx) {
		return ctx.Err()
	}
	held := w.Snapshot()
	for _, n := range held.Nodes {
		if failed[n.Node] == nil {
			for _, text := range v.lacking(n) {
				v.note(text)
			}
		}
	}
	if err := v.print(held); err != nil {
		return err
	}
	err := v.status(c, failed)
	if ctx.Err() != nil { // --deadline: what came by then is on standard output
		err = ctx.Err()
	}
	return errors.Join(err, v.out.Close())
}

// settle waits until each node is synced, and returns why those are not that failed.
func (v *view) settle(ctx context.Context, c *ami.Cluster, w *state.Watcher) map[string]error {
	over, cancel := context.WithCancel(ctx)
	defer cancel()
	nodes := c.Nodes()
	ends := make([]error, len(nodes))
	synced := make(map[string]chan struct{})
	for _, n := range nodes {
		synced[n.Name()] = make(chan struct{})
	}
	var all sync.WaitGroup
	for i, n := range nodes {
		done := synced[n.Name()]
		all.Go(func() { ends[i] = v.await(over, n, w, done) })
	}
	go func() { all.Wait(); cancel() }()
	for ch, err := range w.Changes(over) {
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
func (v *view) await(ctx context.Context, n *ami.Node, w *state.Watcher, synced <-chan struct{}) error {
	if err := v.connect(ctx, n); err != nil {
		return err
	}
	late := time.NewTimer(v.run.Settings.Timeout)
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
	why := "it was not listed whole within " + v.run.Settings.Timeout.String()
	for _, held := range w.Snapshot().Nodes {
		if held.Node == n.Name() && held.Short > 0 {
			why = "a list ended before all that it announced, again and again"
		}
	}
	return &fail.Error{
		Code: fail.CodeTimeout, Message: n.Name() + ": " + why,
		Hint: "what came is on standard output, and the node is stale; --timeout allows more time",
	}
}

// connect waits for the outcome of a node's first attempt.
func (v *view) connect(ctx context.Context, n *ami.Node) error {
	if d := v.run.Settings.ConnectTimeout; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	return n.Connect(ctx)
}

// print prints what meets the condition.
func (v *view) print(held *state.Snapshot) error {
	var of *part
	var rows []output.Record
	for o := range held.Objects() {
		p := v.parts[o.Kind()]
		if p == nil {
			continue
		}
		record := p.record(o)
		switch {
		case !v.meets(textOf(record, "node"), record):
		case !v.isTable():
			if err := v.out.Record(record); err != nil {
				return err
			}
		case p == of:
			rows = append(rows, record)
		default:
			if err := v.table(of, rows); err != nil {
				return err
			}
			of, rows = p, []output.Record{record}
		}
	}
	return v.table(of, rows)
}

// table prints the table of a part: under its name, unless it is the only one.
func (v *view) table(p *part, rows []output.Record) error {
	if !slices.ContainsFunc(rows, v.shows) {
		return nil
	}
	t := output.NewPrinter(v.run.Stdout, v.form)
	v.run.Remember(t)
	if v.tables++; v.tables > 1 {
		_ = t.Text("", "")
	}
	if len(v.parts) > 1 {
		_ = t.Text("", p.name)
	}
	for _, record := range rows {
		if err := t.Record(record); err != nil {
			return err
		}
	}
	return t.Close()
}

// shows reports whether there is something to see of an object: --fields may name keys of others only.
func (v *view) shows(record output.Record) bool {
	return len(v.form.Fields) == 0 || slices.ContainsFunc(record, func(p output.Pair) bool {
		return p.Value != nil && slices.ContainsFunc(v.form.Fields, func(key string) bool { return strings.EqualFold(key, p.Key) })
	})
}

// status tells of the nodes that failed. One that is the only one is told of by whoever called.
func (v *view) status(c *ami.Cluster, failed map[string]error) error {
	var ends target.Tally
	var failures []fail.Failure
	away := 0
	for _, n := range c.Nodes() {
		err := failed[n.Name()]
		f := fail.Classify(err)
		ends.Add(f.Exit)
		if err == nil {
			continue
		}
		if len(v.nodes) == 1 {
			return err
		}
		if f.Exit == fail.ExitConnect || f.Exit == fail.ExitLogin {
			away++
		}
		failures = append(failures, f)
		if err := v.out.Failure(target.FailureObject(f, n.Name(), output.Origin{})); err != nil {
			return err
		}
	}
	v.run.ComplainAll(failures)
	if away == len(v.nodes) && ends.Mixed {
		return fail.Silent(fail.ExitConnect)
	}
	return ends.Err()
}
