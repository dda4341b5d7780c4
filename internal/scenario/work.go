package scenario

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// An end is how one action ended.
type end struct {
	node    string
	n       int
	outcome string
	reply   *ami.Reply
	err     error
	took    time.Duration
}

// A job is an action of the scenario at work: all its copies on all its nodes.
type job struct {
	a *Action

	mu   sync.Mutex
	ends []end // guarded by mu
}

// outcomeOf names how an action ended.
func outcomeOf(err error) string {
	var refused *ami.ResponseError
	if err == nil {
		return "replied"
	}
	if errors.As(err, &refused) {
		return "refused"
	}
	for _, o := range []struct {
		name string
		err  error
	}{
		{"list_too_long", ami.ErrListTooLong},
		{"breaker_open", ami.ErrBreakerOpen},
		{"unauthorized", ami.ErrUnauthorized},
		{"timeout", ami.ErrTimeout},
		{"cancelled", ami.ErrCancelled},
		{"busy", ami.ErrBusy},
		{"not_ready", ami.ErrNotReady},
		{"disconnected", ami.ErrDisconnected},
		{"invalid", ami.ErrReservedAction},
	} {
		if errors.Is(err, o.err) {
			return o.name
		}
	}
	if errors.As(err, new(*wire.FieldError)) {
		return "invalid"
	}
	return "unknown: " + err.Error()
}

// placeholders replaces what stands for an action's number and node.
func placeholders(n int, node string) *strings.Replacer {
	return strings.NewReplacer("{n}", strconv.Itoa(n), "{node}", node)
}

// action builds one copy.
func (j *job) action(n int, node string) ami.Action {
	fields, _ := headers(j.a.Fields) // checked when the file was read
	r := placeholders(n, node)
	for i := range fields {
		fields[i].Value = r.Replace(fields[i].Value)
	}
	return ami.Action{
		Name: j.a.Action, Fields: fields, Timeout: j.a.Timeout.D(),
		WaitReady: j.a.WaitReady, AwaitOriginate: j.a.AwaitOriginate,
	}
}

// run sends all copies on all nodes and waits for their ends.
func (j *job) run(ctx context.Context, nodes []*ami.Node) {
	if !pause(ctx, j.a.At.D()) {
		return
	}
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() { j.on(ctx, n) })
	}
	all.Wait()
}

// on sends all copies on one node.
func (j *job) on(ctx context.Context, node *ami.Node) {
	if j.a.Via == "submit" {
		j.submit(ctx, node)
		return
	}
	var all sync.WaitGroup
	for i := range j.a.Count {
		if i > 0 && !pause(ctx, j.a.Every.D()) {
			break
		}
		send := func() { j.do(ctx, node, i+1) }
		all.Go(send)
	}
	all.Wait()
}

func (j *job) do(ctx context.Context, node *ami.Node, n int) {
	start := time.Now()
	if d := j.a.Cancel.D(); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer time.AfterFunc(d, cancel).Stop()
		defer cancel()
	}
	do := node.Do
	if j.a.Via == "try" {
		do = node.TryDo
	}
	reply, err := do(ctx, j.action(n, node.Name()))
	j.end(end{node: node.Name(), n: n, reply: reply, err: err, took: time.Since(start)})
}

// submit sends the copies without waiting, and gathers their ends from a batch.
func (j *job) submit(ctx context.Context, node *ami.Node) {
	type copied struct {
		n       int
		started time.Time
	}
	var b ami.Batch[copied]
	for i := range j.a.Count {
		if i > 0 && !pause(ctx, j.a.Every.D()) {
			break
		}
		one := copied{n: i + 1, started: time.Now()}
		if err := b.Submit(ctx, node, j.action(one.n, node.Name()), one); err != nil {
			j.end(end{node: node.Name(), n: one.n, err: err, took: time.Since(one.started)})
		}
	}
	for b.Outstanding() > 0 {
		r, err := b.Next(ctx)
		if err != nil {
			return
		}
		j.end(end{node: node.Name(), n: r.Value.n, reply: r.Reply, err: r.Err, took: time.Since(r.Value.started)})
	}
}

func (j *job) end(e end) {
	e.outcome = outcomeOf(e.err)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ends = append(j.ends, e)
}

// verdict compares what came of the action with what was expected.
func (j *job) verdict(r *Report, nodes int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	where := "action " + j.a.Name
	got := make(map[string]int)
	seen := make(map[string]bool)
	for i := range j.ends {
		e := &j.ends[i]
		got[e.outcome]++
		if key := fmt.Sprintf("%s/%d", e.node, e.n); seen[key] {
			r.fail(where, "each ends once", "one end", key+" ended twice")
		} else {
			seen[key] = true
		}
	}
	total := j.a.Count * nodes
	r.check(where, "ended", exactly(total), len(j.ends))
	want := j.a.Expect.counts()
	for name, w := range inOrder(want) {
		r.check(where, name, w, got[name])
	}
	for name, n := range inOrder(got) {
		if want[name] == nil {
			r.fail(where, name, "none", fmt.Sprintf("%d, the first: %v", n, j.first(name).err))
		}
	}
	j.details(r, where)
}

func (j *job) first(outcome string) *end {
	for i := range j.ends {
		if j.ends[i].outcome == outcome {
			return &j.ends[i]
		}
	}
	return &end{}
}

// details checks what is expected of each end.
func (j *job) details(r *Report, where string) {
	x := &j.a.Expect
	met := make(map[string]int) // how many ends an expectation met
	for i := range j.ends {
		e := &j.ends[i]
		each := func(what string, w *Want, got any, holds bool) {
			if w == nil {
				return
			}
			met[what]++
			ok := w.met(got)
			if s, isText := got.(string); isText && holds {
				ok = w.holds(s)
			}
			if !ok {
				r.fail(fmt.Sprintf("%s, number %d on %s", where, e.n, e.node), what, w.String(), fmt.Sprint(got))
			}
			r.Checks++
		}
		each("took", x.Took, e.took, false)
		var refused *ami.ResponseError
		switch {
		case errors.As(e.err, &refused):
			each("message", x.Message, refused.Message, true)
		case e.err != nil:
			each("error", x.Error, e.err.Error(), true)
			each("sent", x.Sent, ami.SentState(e.err).String(), false)
		}
		if e.reply == nil {
			continue
		}
		if e.outcome == "replied" || e.outcome == "list_too_long" {
			each("items", x.Items, len(e.reply.Events), false)
		}
		if x.Lines != nil {
			each("lines", x.Lines, lines(e.reply), false)
		}
		for name, w := range inOrder(x.Fields) {
			each("field "+name, w.filled(placeholders(e.n, e.node)), e.reply.Get(name), false)
		}
	}
	r.vacuous(where, met, map[string]*Want{"took": x.Took, "message": x.Message, "error": x.Error, "sent": x.Sent, "items": x.Items, "lines": x.Lines})
	for name, w := range inOrder(x.Fields) {
		r.vacuous(where, met, map[string]*Want{"field " + name: w})
	}
}

func lines(reply *ami.Reply) (n int) {
	for range reply.Output() {
		n++
	}
	return n
}
