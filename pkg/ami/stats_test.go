package ami_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// Every way in which an action can end is one column of the ledger, and the columns add up; the callers' own books say
// the same, and so do the server's.
func TestLedgerOfEveryEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, srv, n := one(t)
		defer f.close()
		srv.Handle("Stall", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(10 * time.Second); w.Ack("") })
		before := srv.Ledger()
		ctx := t.Context()
		do := func(a ami.Action, want error) {
			t.Helper()
			if _, err := n.Do(ctx, a); !errors.Is(err, want) && (want != errAny || err == nil) {
				t.Errorf("%s: %v, want %v", a.Name, err, want)
			}
		}
		for range 5 {
			do(ami.NewAction("Ping"), nil)
		}
		for range 4 {
			var refused *ami.ResponseError
			if _, err := n.Do(ctx, ami.NewAction("NoSuchThing")); !errors.As(err, &refused) {
				t.Errorf("an unknown action: %v", err)
			}
		}
		do(ami.NewAction("Bad\r\nAction"), errAny)
		do(ami.NewAction("Login"), ami.ErrReservedAction)
		done, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := n.Do(done, ami.NewAction("Ping")); !errors.Is(err, ami.ErrCancelled) || ami.SentState(err) != ami.SentNo {
			t.Errorf("with a context that is over: %v", err)
		}
		do(ami.Action{Name: "Stall", Timeout: time.Second}, ami.ErrTimeout)
		short, cancel := context.WithTimeout(ctx, time.Second)
		if _, err := n.Do(short, ami.NewAction("Ping")); !errors.Is(err, ami.ErrTimeout) {
			t.Errorf("behind the stall: %v", err)
		}
		cancel()
		short, cancel = context.WithCancel(ctx)
		time.AfterFunc(time.Second, cancel)
		if _, err := n.Do(short, ami.NewAction("Ping")); !errors.Is(err, ami.ErrCancelled) || !errors.Is(err, context.Canceled) || ami.SentState(err) == ami.SentNo {
			t.Errorf("cancelled: %v", err)
		}
		time.Sleep(15 * time.Second) // the late answers come
		b := &ami.Batch[uint64]{}
		for i := range 3 {
			if err := b.Submit(ctx, n, ami.NewAction("Stall"), uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if l := n.Stats().Ledger; !l.Exact() || l.InFlight != 3 {
			t.Errorf("in flight: %+v", l)
		}
		f.net.Reset("pbx")
		synctest.Wait()
		want := ami.Ledger{Submitted: 18, Rejected: 3, Accepted: 15, Replied: 5, ErrorReplies: 4, TimedOut: 2, Cancelled: 1, DisconnectedMaybe: 3}
		st := n.Stats()
		if st.Ledger != want || !st.Ledger.Exact() {
			t.Errorf("ledger %+v\nwant   %+v", st.Ledger, want)
		}
		if st.Late != 3 || st.Duplicate != 0 || st.Foreign != 0 || st.ParseErrors != 0 {
			t.Errorf("late %d, duplicate %d, foreign %d, parse errors %d", st.Late, st.Duplicate, st.Foreign, st.ParseErrors)
		}
		// All that was accepted reached the server, and a Login or two of the engine's own besides.
		if got := srv.Ledger().ActionsReceived - before.ActionsReceived; got < 13 || got > 15+2 {
			t.Errorf("the server received %d actions", got)
		}
		if cl := f.Stats().Ledger; cl != st.Ledger {
			t.Errorf("the cluster's ledger %+v, its one node's %+v", cl, st.Ledger)
		}
	})
}

// errAny stands for every error.
var errAny = errors.New("any error")

func TestEngineAndServerCountAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		const nodes, callers, each = 5, 8, 200
		for i := range nodes {
			name := fmt.Sprint("n", i)
			f.serve(name, amitest.WithActionIDs(1<<20))
			f.add(name, func(c *ami.Config) { c.Keepalive.Interval = -1 })
		}
		f.ready(time.Second)
		synctest.Wait()
		logins, hellos := make(map[string]uint64), make(map[string]uint64)
		for name, s := range f.servers {
			n, _ := f.Node(name)
			l := s.Ledger()
			logins[name], hellos[name] = l.ActionsReceived, n.Stats().Events-l.EventsWritten
		}
		sub, err := f.Subscribe(ami.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for i := range each {
					a := ami.NewAction([]string{"Ping", "CoreStatus", "QueueStatus", "NoSuch"}[i%4])
					_, err := f.Via(ami.Route{Kind: ami.RouteRoundRobin}).Do(context.Background(), a)
					if (err != nil) != (i%4 == 3) {
						t.Errorf("%s: %v", a.Name, err)
					}
				}
			})
		}
		all.Go(func() {
			for range 100 {
				for _, s := range f.servers {
					s.Emit(ticks(3, 20)...)
				}
			}
		})
		all.Wait()
		synctest.Wait()
		got := len(drain(sub))
		if st := wantSubscription(t, sub); got != nodes*300 || st.Delivered != uint64(got) {
			t.Errorf("%d events of %d; %+v", got, nodes*300, st)
		}
		synctest.Wait()
		for name, s := range f.servers {
			n, _ := f.Node(name)
			st, l := n.Stats(), s.Ledger()
			if l.ActionsReceived-logins[name] != st.Ledger.Accepted || st.BytesIn != l.BytesOut || st.BytesOut != l.BytesIn || st.Events-hellos[name] != l.EventsWritten {
				t.Errorf("%s: engine %+v, server received %d actions, wrote %d events in %d bytes, read %d", name, st, l.ActionsReceived-logins[name], l.EventsWritten, l.BytesOut, l.BytesIn)
			}
			if !st.Ledger.Exact() || st.Ledger.InFlight != 0 || st.Pending != 0 {
				t.Errorf("%s: ledger %+v, %d slots taken", name, st.Ledger, st.Pending)
			}
			for id, times := range l.ByID {
				if times != 1 || len(id) > 64 {
					t.Errorf("ActionID %q was used %d times", id, times)
				}
			}
		}
		if c := f.Stats(); c.Ledger.Replied != callers*each*3/4 || c.Ledger.ErrorReplies != callers*each/4 || c.Ready != nodes || len(c.Nodes) != nodes {
			t.Errorf("cluster: %+v", c.Ledger)
		}
	})
}

func TestStatsShowTheDepths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, srv, n := one(t)
		defer f.close()
		srv.Handle("Stall", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(time.Second); w.Ack("") })
		b := &ami.Batch[uint64]{}
		for i := range 10 {
			if err := b.Submit(t.Context(), n, ami.NewAction("Stall"), uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		st := n.Stats()
		if st.Pending != 10 || st.PendingCap != ami.DefaultPending || st.WriteCap != ami.DefaultWriteBuffer || st.WritePeak == 0 {
			t.Errorf("pending %d of %d, write peak %d of %d", st.Pending, st.PendingCap, st.WritePeak, st.WriteCap)
		}
		time.Sleep(time.Minute)
		st = n.Stats()
		if st.Pending != 0 || st.PendingPeak != 10 || st.Pings == 0 || st.PingsMissed != 0 {
			t.Errorf("pending %d, peak %d, %d pings, %d missed", st.Pending, st.PendingPeak, st.Pings, st.PingsMissed)
		}
		f.net.Reset("pbx")
		time.Sleep(time.Minute)
		if again := n.Stats(); again.PendingPeak != 10 || again.Sessions != 2 || again.Lost != 1 || again.BytesIn <= st.BytesIn {
			t.Errorf("after a new session: %+v", again)
		}
		doc, err := json.Marshal(f.Stats())
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{`"state":"ready"`, `"ledger":{"submitted":10`, `"pending_peak":10`, `"lost":1`} {
			if !strings.Contains(string(doc), key) {
				t.Errorf("%s is not in %s", key, doc)
			}
		}
	})
}

// A missed Ping shows; events still flow, actions are still taken, and a further one ends the session.
func TestDegraded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _, n := one(t)
		defer f.close()
		f.net.Partition("pbx")
		time.Sleep(ami.DefaultKeepalive + ami.DefaultPingTimeout + time.Second)
		st := n.Stats()
		if st.State != ami.StateDegraded || st.PingsMissed != 1 || !n.Ready() || f.Stats().Ready != 1 {
			t.Errorf("state %v, %d pings missed, ready %v", st.State, st.PingsMissed, n.Ready())
		}
		f.net.Heal("pbx")
		time.Sleep(time.Second)
		if s, _ := n.State(); s != ami.StateReady {
			t.Errorf("state %v once it answers again", s)
		}
		f.net.Partition("pbx")
		time.Sleep(ami.DefaultKeepalive + 3*ami.DefaultPingTimeout + time.Second)
		if st := n.Stats(); st.Lost != 1 || !strings.Contains(st.Cause, ami.ErrKeepalive.Error()) {
			t.Errorf("lost %d, cause %q", st.Lost, st.Cause)
		}
	})
}

// What was offered to a subscription that is closed stays in the cluster's figures: a counter never becomes less.
func TestCountersOfSubscriptionsThatWereClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		s := f.serve("a")
		f.add("a")
		f.ready(time.Minute)
		sub := f.subscribe(ami.SubscribeOptions{})
		s.Emit(ticks(100, 10)...)
		synctest.Wait()
		offered := func() uint64 {
			st := f.Stats()
			all := st.PastSubscriptions
			for _, s := range st.Subscriptions {
				all.Add(s)
			}
			return all.Offered
		}
		before := offered()
		sub.Close()
		f.subscribe(ami.SubscribeOptions{})
		if after := offered(); before == 0 || after != before {
			t.Errorf("%d events had been offered, and then %d", before, after)
		}
	})
}
