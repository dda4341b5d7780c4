package ami_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A Batch needs no constructor: whoever waits first, consumer or action, no result is lost.
func TestZeroBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, cfg := simulate(t)
		c := mustDial(t, cfg)
		for name, before := range map[string]func(){"the consumer": synctest.Wait, "the action": func() {}} {
			var b ami.Batch[string]
			if r, ok := b.Poll(); ok || b.Outstanding() != 0 {
				t.Fatalf("an empty batch has %+v", r)
			}
			end := make(chan ami.Result[string])
			next := func() {
				r, err := b.Next(t.Context())
				if err != nil {
					t.Error(err)
				}
				end <- r
			}
			if name == "the consumer" {
				go next()
			}
			before()
			if err := b.Submit(t.Context(), c, ami.NewAction("Ping"), name); err != nil {
				t.Fatal(err)
			}
			if name != "the consumer" {
				synctest.Wait()
				go next()
			}
			if r := <-end; r.Value != name || r.Err != nil || r.Reply.Get("Ping") != "Pong" {
				t.Errorf("first comes %s: %+v", name, r)
			}
		}
	})
}

// A batch tells whose ends are missing, at each moment between the submission and the hand-over; items are no ends.
func TestBatchValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		for i := range 3 {
			s.State().AddQueue(amitest.Queue{Name: fmt.Sprint(i)})
		}
		s.Handle("Never", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(time.Hour) })
		c := mustDial(t, cfg)
		b := ami.Batch[string]{Items: true}
		left := func() []string { return slices.Sorted(b.Values()) }
		submit := func(name string) {
			if err := b.Submit(t.Context(), c, ami.Action{Name: name, Timeout: time.Minute}, name); err != nil {
				t.Fatal(err)
			}
		}
		wait := func(want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, left()); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
		}
		wait()
		submit("Ping")
		synctest.Wait()
		submit("QueueStatus")
		submit("CoreStatus")
		submit("Never")
		if err := b.Submit(t.Context(), c, ami.NewAction("Logoff"), "refused"); !errors.Is(err, ami.ErrReservedAction) {
			t.Errorf("Logoff: %v", err)
		}
		synctest.Wait()
		wait("CoreStatus", "Never", "Ping", "QueueStatus") // they have ended, but for one, and nobody knows
		take := func() ami.Result[string] {
			r, ok := b.Poll()
			if !ok {
				t.Fatal("there is no result")
			}
			return r
		}
		if r := take(); r.Value != "Ping" {
			t.Errorf("%+v", r)
		}
		wait("CoreStatus", "Never", "QueueStatus")
		for range 3 {
			if r := take(); r.Item == nil || r.Value != "QueueStatus" {
				t.Errorf("%+v is no item", r)
			}
			wait("CoreStatus", "Never", "QueueStatus")
		}
		if r := take(); r.Item != nil || r.Value != "QueueStatus" || len(r.Reply.Events) != 0 {
			t.Errorf("%+v is no end of the list", r)
		}
		if r := take(); r.Value != "CoreStatus" {
			t.Errorf("%+v", r)
		}
		wait("Never")
		if r, err := b.Next(t.Context()); err != nil || r.Value != "Never" || !errors.Is(r.Err, ami.ErrTimeout) {
			t.Errorf("%+v, %v", r, err)
		}
		wait()
		if n := b.Outstanding(); n != 0 {
			t.Errorf("%d are outstanding", n)
		}
	})
}

// stub is a Doer of a program's own, such as a test's.
type stub func(ctx context.Context, a ami.Action) (*ami.Reply, error)

func (s stub) Do(ctx context.Context, a ami.Action) (*ami.Reply, error) { return s(ctx, a) }

// A batch takes what anything does that can do an action, the engine's or not, and ends each once.
func TestBatchOfAnyDoer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.serve("pbx")
		node := f.add("pbx")
		f.ready(time.Minute)
		slow := stub(func(ctx context.Context, a ami.Action) (*ami.Reply, error) {
			<-ctx.Done() // a cancel is not its end, the deadline is
			return nil, &ami.OpError{Op: ami.OpDo, Node: "stub", Action: a.Name, Err: ami.ErrTimeout}
		})
		var b ami.Batch[string]
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		for name, d := range map[string]ami.Doer{
			"slow": slow, "node": node, "route": f.Via(ami.Route{Kind: ami.RouteFailover}), "nowhere": f.Via(ami.Route{Node: "pbx2"}),
			"quick": stub(func(context.Context, ami.Action) (*ami.Reply, error) { return &ami.Reply{Node: "stub"}, nil }),
		} {
			if err := b.Submit(ctx, d, ami.NewAction("Ping"), name); (err != nil) != (name == "nowhere") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := b.TrySubmit(f.Via(ami.Route{Kind: ami.RouteRoundRobin}), ami.Action{Name: "Ping", WaitReady: true}, "try"); err != nil {
			t.Error(err)
		}
		start := time.Now()
		cancel()
		got := map[string]string{}
		for b.Outstanding() > 0 {
			r, err := b.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got[r.Value] = fmt.Sprint(r.Node, " ", errors.Is(r.Err, ami.ErrTimeout))
		}
		want := map[string]string{"slow": "stub true", "node": "pbx false", "route": "pbx false", "quick": "stub false", "try": "pbx false"}
		if diff := cmp.Diff(want, got); diff != "" || time.Since(start) != time.Minute {
			t.Errorf("after %v (-want +got):\n%s", time.Since(start), diff)
		}
	})
}
