package simtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

const (
	maxTimeout = 30 * time.Second // of an action
	maxStall   = 40 * time.Second // of an action in the server
	grain      = 150 * time.Millisecond
)

// work is the one action that the servers know of their own: it answers as it is told, and notes that it ran.
func (h *host) work(r *amitest.Request, w *amitest.ResponseWriter) {
	tag := r.Get("Tag")
	n, _ := h.got.LoadOrStore(tag, new(atomic.Int64))
	if n.(*atomic.Int64).Add(1) > 1 {
		h.w.t.Errorf("%s ran action %s twice", h.name, tag)
	}
	if ms, _ := strconv.Atoi(r.Get("Stall")); ms > 0 {
		w.Sleep(time.Duration(ms) * time.Millisecond)
	}
	switch items, _ := strconv.Atoi(r.Get("Items")); {
	case r.Get("Fail") != "":
		w.Error("told to, " + tag)
	case items > 0:
		w.ListStart("Work will follow")
		for i := range items {
			w.Item("WorkItem", "Tag", tag, "Item", strconv.Itoa(i))
		}
		w.ListEnd("WorkComplete")
	case r.Get("Nameless") != "":
		w.Raw("Tag: " + tag + "\r\n\r\n")
	case r.Get("Hang") != "":
		w.Close() // no answer, and the session's end
	default:
		w.Reply("Success", amitest.Header{Name: "Tag", Value: tag})
	}
}

// A worker is a caller: it sends actions in all the ways there are and checks what becomes of them.
type worker struct {
	w     *world
	rng   *rand.Rand
	name  string
	count int
}

func newWorker(w *world, phase, i int) *worker {
	return &worker{w: w, rng: w.p.rng("worker", phase*100+i), name: fmt.Sprintf("w%d.%d", phase, i)}
}

// A job is one action and how it should end if nothing comes between.
type job struct {
	tag     string
	number  int
	action  ami.Action
	items   int
	fail    bool
	unnamed bool // the answer does not name its action
	timeout time.Duration
	start   time.Time
}

func (k *worker) job() job {
	k.count++
	r := k.rng
	j := job{tag: fmt.Sprintf("%s.%d", k.name, k.count), number: k.count}
	j.action = ami.NewAction("Work", "Tag", j.tag)
	set := func(name, value string) {
		j.action.Fields = append(j.action.Fields, ami.Field{Name: name, Value: value})
	}
	switch r.IntN(12) {
	case 0:
		j.fail = true
		set("Fail", "yes")
	case 1, 2:
		j.items = 1 + r.IntN(50)
		set("Items", strconv.Itoa(j.items))
	case 3:
		set("Stall", strconv.Itoa(r.IntN(2000)))
	case 4:
		if r.IntN(20) == 0 {
			set("Stall", strconv.Itoa(int(maxStall/time.Millisecond)))
		}
	case 5:
		set("Body", strings.Repeat("x", r.IntN(900)))
	case 6:
		if r.IntN(20) == 0 {
			set("Hang", "yes")
		}
	case 7:
		j.unnamed = true
		set("Nameless", "yes")
	}
	if r.IntN(3) == 0 {
		j.timeout = time.Duration(1 + r.Int64N(int64(maxTimeout)))
		j.action.Timeout = j.timeout
	} else {
		j.timeout = k.w.p.config.Timeouts.Action
	}
	j.action.WaitReady = r.IntN(3) == 0
	return j
}

// run sends actions until ctx is done, mostly one by one, at times many at once.
func (k *worker) run(ctx context.Context) {
	think := float64(k.w.p.phase) / float64(k.w.p.actions+1)
	var bursts sync.WaitGroup
	for ctx.Err() == nil {
		if k.rng.IntN(20) == 0 {
			for range k.rng.IntN(30) {
				j, way := k.job(), k.rng.IntN(8)
				bursts.Go(func() { k.w.send(j, way, 0) })
			}
		} else {
			k.w.send(k.job(), k.rng.IntN(8), k.rng.IntN(1000))
		}
		pause(ctx, time.Duration(think*k.rng.ExpFloat64()))
	}
	bursts.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// send sends one action in one of the ways there are. It does not follow the phase's context: what was begun ends.
func (w *world) send(j job, way, cancelMS int) {
	h := w.hosts[j.number%len(w.hosts)]
	n, ok := w.cluster.Node(h.name)
	if !ok {
		return
	}
	if way == 4 && j.action.WaitReady && j.action.Timeout == 0 {
		j.timeout = max(j.timeout, ami.DefaultActionTimeout) // a route waits for no node's own time
	}
	ctx := context.Background()
	j.start = time.Now()
	w.books.begin()
	var reply *ami.Reply
	var err error
	switch way {
	case 0, 1, 2:
		reply, err = n.Do(ctx, j.action)
	case 3:
		reply, err = n.TryDo(ctx, j.action)
	case 4:
		kinds := []ami.Route{{Kind: ami.RouteRoundRobin}, {Kind: ami.RouteFailover}, {Kind: ami.RouteLeastPending}, {Node: h.name}}
		reply, err = w.cluster.Via(kinds[j.number/len(w.hosts)%len(kinds)]).Do(ctx, j.action)
	case 5:
		ctx, cancel := context.WithTimeout(ctx, time.Duration(cancelMS)*time.Millisecond)
		reply, err = n.Do(ctx, j.action)
		cancel()
	case 6:
		ctx, cancel := context.WithCancel(ctx)
		stop := time.AfterFunc(time.Duration(cancelMS)*time.Millisecond, cancel)
		reply, err = n.Do(ctx, j.action)
		stop.Stop()
		cancel()
	default:
		w.submit(ctx, n, j)
		return
	}
	w.books.end(err)
	w.judge(j, reply, err)
}

func (w *world) submit(ctx context.Context, n *ami.Node, j job) {
	tag := w.jobs.put(j)
	if err := w.batch.Submit(ctx, n, j.action, tag); err != nil {
		w.jobs.take(tag)
		w.books.end(err)
		w.judge(j, nil, err)
	}
}

// jobs are the submitted ones whose end has not come.
type jobs struct {
	mu   sync.Mutex
	next uint64
	open map[uint64]job
}

func (o *jobs) put(j job) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.open == nil {
		o.open = make(map[uint64]job)
	}
	o.next++
	o.open[o.next] = j
	return o.next
}

func (o *jobs) take(tag uint64) (job, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	j, ok := o.open[tag]
	delete(o.open, tag)
	return j, ok
}

// reap takes the ends out of the batch until the cluster is closed and none is owed.
func (w *world) reap() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-w.closing
		time.Sleep(2 * maxTimeout)
		cancel()
	}()
	for {
		r, err := w.batch.Next(ctx)
		if err != nil {
			break
		}
		j, ok := w.jobs.take(r.Value)
		if !ok {
			w.t.Errorf("a submitted action ended twice: %+v", r)
			continue
		}
		w.books.end(r.Err)
		w.judge(j, r.Reply, r.Err)
	}
	w.jobs.mu.Lock()
	defer w.jobs.mu.Unlock()
	if n := w.batch.Outstanding(); n != 0 || len(w.jobs.open) != 0 {
		w.t.Errorf("%d submitted actions never ended (%d)", n, len(w.jobs.open))
	}
}

// judge holds one end against the promises: at its time, of its own answer, with the truth about what was sent.
func (w *world) judge(j job, reply *ami.Reply, err error) {
	if d := time.Since(j.start); d > j.timeout+grain {
		w.t.Errorf("%s ended after %v, its timeout is %v: %v", j.tag, d, j.timeout, err)
	}
	ran := int64(0)
	for _, h := range w.hosts {
		if n, ok := h.got.Load(j.tag); ok {
			ran += n.(*atomic.Int64).Load()
		}
	}
	if ran > 1 {
		w.t.Errorf("%s ran %d times", j.tag, ran)
	}
	var refused *ami.ResponseError
	switch {
	case err == nil && (j.fail || ran != 1):
		w.t.Errorf("%s succeeded; told to fail: %v, ran %d times", j.tag, j.fail, ran)
	case err == nil && j.unnamed:
		w.judgeUnnamed(j, reply)
	case err == nil && reply.Fenced:
		w.t.Errorf("%s got an answer that names nobody: %q", j.tag, reply.Raw)
	case err == nil && j.items == 0 && reply.Get("Tag") != j.tag:
		w.t.Errorf("%s got the answer of %q", j.tag, reply.Get("Tag"))
	case err == nil && j.items > 0:
		w.judgeList(j, reply)
	case errors.As(err, &refused) && (ran != 1 || !j.fail || !strings.HasSuffix(refused.Message, j.tag)) && !strings.Contains(refused.Message, "shutting down"):
		w.t.Errorf("%s was refused: %v; told to fail: %v, ran %d times", j.tag, err, j.fail, ran)
	case err != nil && ami.SentState(err) == ami.SentNo && ran != 0:
		w.t.Errorf("%s ran, though nothing of it was sent: %v", j.tag, err)
	}
}

// judgeUnnamed holds the raw text of an answer against its action: its own, perhaps behind garbage, and nobody else's.
func (w *world) judgeUnnamed(j job, reply *ami.Reply) {
	var tags []string
	for line := range strings.Lines(reply.Raw) {
		if tag, ok := strings.CutPrefix(strings.TrimRight(line, "\r\n"), "Tag: "); ok && tag != "forged" {
			tags = append(tags, tag)
		}
	}
	if !reply.Fenced || len(tags) != 1 || tags[0] != j.tag {
		w.t.Errorf("%s got an answer of %q, fenced %v: %q", j.tag, tags, reply.Fenced, reply.Raw)
	}
}

func (w *world) judgeList(j job, reply *ami.Reply) {
	if len(reply.Events) != j.items {
		w.t.Errorf("%s: %d of %d items", j.tag, len(reply.Events), j.items)
	}
	for i, ev := range reply.Events {
		if ev.Get("Tag") != j.tag || ev.Get("Item") != strconv.Itoa(i) {
			w.t.Errorf("%s: item %d is %s of %s", j.tag, i, ev.Get("Item"), ev.Get("Tag"))
		}
	}
}
