package held

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// watch begins to follow servers.
func watch(t *testing.T, servers ...*amitest.Server) *Watch {
	t.Helper()
	r := runtest.New(t, runtest.Setup{Servers: servers})
	nodes, err := target.Nodes(r.Run)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Follow(t.Context(), r.Run, nodes, state.Options{Kinds: queues})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Finish(t.Context()) })
	return w
}

var errEnough = errors.New("enough")

// What there is and what becomes of it comes in order; whenever nothing is at hand, who takes it may write.
func TestChanges(t *testing.T) {
	srv := pbx(t, "pbx1")
	w := watch(t, srv)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	synced, idle := false, 0
	seen := make(map[string]state.Op)
	err := w.Changes(ctx, flags.Duration{}, func(ch *state.Change) error {
		if q, ok := ch.Object.(*state.Queue); ok {
			if _, known := seen[q.Name]; !known {
				seen[q.Name] = ch.Op
			}
		}
		if ch.Op == state.OpSynced {
			synced = true
			return errEnough
		}
		return nil
	}, func() error { idle++; return nil })
	if !errors.Is(err, errEnough) || !synced || seen["sales"] != state.OpAdd || seen["support"] != state.OpAdd {
		t.Errorf("%v, synced %t, %v", err, synced, seen)
	}
}

// An output that cannot be written ends it, also where nothing changes.
func TestChangesOfABrokenOutput(t *testing.T) {
	w := watch(t, pbx(t, "pbx1"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := w.Changes(ctx, flags.Duration{}, func(*state.Change) error { return nil }, func() error { return errEnough })
	if !errors.Is(err, errEnough) {
		t.Errorf("%v", err)
	}
}

// A length that is over is a good end; the --deadline is none, nor is a server that is away.
func TestChangesHaveAnEnd(t *testing.T) {
	take, idle := func(*state.Change) error { return nil }, func() error { return nil }
	short := flags.Duration{Value: 50 * time.Millisecond, Given: true}
	if err := watch(t, pbx(t, "pbx1")).Changes(t.Context(), short, take, idle); err != nil {
		t.Errorf("its length is over: %v", err)
	}
	for _, length := range []flags.Duration{{}, {Value: time.Hour, Given: true}} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		err := watch(t, pbx(t, "pbx1")).Changes(ctx, length, take, idle)
		if cancel(); err == nil {
			t.Errorf("the deadline has passed, and that is well with a length of %v", length.Value)
		}
		ctx, cancel = context.WithCancel(t.Context())
		err = watch(t, pbx(t, "pbx1")).Changes(ctx, length, func(*state.Change) error { cancel(); return nil }, idle)
		if cancel(); !errors.Is(err, context.Canceled) {
			t.Errorf("it was cut short, and says %v", err)
		}
	}
	away := pbx(t, "away")
	away.SetDown(true)
	err := watch(t, away).Changes(t.Context(), short, take, idle)
	if f := fail.Classify(err); f.Exit != fail.ExitConnect {
		t.Errorf("%+v", f)
	}
}

// steps are so many changes, and the error behind them.
func steps(n int, err error) func(func(state.Change, error) bool) {
	return func(yield func(state.Change, error) bool) {
		for range n {
			if !yield(state.Change{Op: state.OpAdd}, nil) {
				return
			}
		}
		if err != nil {
			yield(state.Change{}, err)
		}
	}
}

// Every change is taken, what goes wrong ends it, and the last of those at hand is followed by a pause to write.
func TestStream(t *testing.T) {
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		changes  int
		err      error // of the changes
		take     int   // the change that cannot be taken, 0: none
		idle     error
		want     error
		taken    int
		mayPause bool
	}{
		"all":             {changes: 2000, taken: 2000, mayPause: true},
		"none":            {},
		"they break":      {changes: 3, err: broken, want: broken, taken: 3},
		"it is not taken": {changes: 3, take: 2, want: errEnough, taken: 2},
		"not written":     {changes: 1, idle: broken, want: broken, taken: 1, mayPause: true},
	} {
		taken, paused := 0, 0
		err := stream(t.Context(), steps(tt.changes, tt.err), func(*state.Change) error {
			if taken++; taken == tt.take {
				return errEnough
			}
			return nil
		}, func() error { paused++; return tt.idle })
		if !errors.Is(err, tt.want) || taken != tt.taken || tt.mayPause && paused == 0 {
			t.Errorf("%s: %v, %d taken, %d pauses", name, err, taken, paused)
		}
	}
}

// A list that ends too early again and again is told as what it is.
func TestAwaitOfAListThatIsShort(t *testing.T) {
	t.Parallel()
	srv := pbx(t, "pbx1")
	srv.Handle("QueueStatus", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.ListStart("Queue status will follow")
		w.Item("QueueParams", "Queue", "sales")
		w.Item("QueueStatusComplete", "EventList", "Complete", "ListItems", "5")
	})
	w := watch(t, srv)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if nodes := w.Snapshot().Nodes; len(nodes) == 1 && nodes[0].Short > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no list was short")
		}
	}
	w.run.Settings.Timeout = time.Millisecond
	n, _ := w.Cluster.Node("pbx1")
	runtest.Refused(t, w.await(t.Context(), n, nil), fail.CodeTimeout, "pbx1: a list ended before everything that it announced had come")
}

// A node that is lost while it is listed is told by that, and not as one that is slow.
func TestAwaitOfANodeThatIsLost(t *testing.T) {
	t.Parallel()
	srv := pbx(t, "pbx1")
	w := watch(t, srv)
	n, _ := w.Cluster.Node("pbx1")
	if err := n.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.run.Settings.Timeout = 1500 * time.Millisecond
	time.AfterFunc(50*time.Millisecond, func() { srv.SetDown(true) })
	if f := fail.Classify(w.await(t.Context(), n, nil)); f.Code == fail.CodeTimeout || f.Code == "" {
		t.Errorf("%+v", f)
	}
}
