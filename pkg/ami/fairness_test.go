package ami_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// crowd returns a fleet with one bad node, which is for the test to make, and some good ones that are ready.
func crowd(t *testing.T, good int) *fleet {
	t.Helper()
	f := newFleet(t, ami.ClusterConfig{})
	for i := range good {
		name := fmt.Sprint("good", i)
		f.serve(name)
		f.add(name)
	}
	f.ready(time.Second)
	synctest.Wait()
	return f
}

// wellOff checks that the good nodes answer at once and lost nothing.
func (f *fleet) wellOff() {
	f.t.Helper()
	for _, n := range f.Nodes() {
		if !strings.HasPrefix(n.Name(), "good") {
			continue
		}
		start := time.Now()
		if err := ping(n); err != nil || time.Since(start) != 0 {
			f.t.Fatalf("%s answered after %v: %v", n.Name(), time.Since(start), err)
		}
		if s := n.Stats(); s.Lost != 0 {
			f.t.Fatalf("%s lost %d sessions", n.Name(), s.Lost)
		}
	}
}

// maxTurn is how many events one node may hand out before it is the next one's turn.
const maxTurn = 512

// A node that floods: the others are served within one round, drops are its own alone and counted to the last one.
func TestFloodingNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const good, flood, few = 9, 100_000, 100
		f := crowd(t, good)
		defer f.close()
		bad := f.serve("bad", amitest.WithEventNumbers())
		f.add("bad")
		f.ready(time.Second)
		synctest.Wait()
		s := f.subscribe(ami.SubscribeOptions{})
		for range flood / 1000 {
			bad.Emit(ticks(1000, 50)...)
		}
		for i := range good {
			f.servers[fmt.Sprint("good", i)].Emit(ticks(few, 50)...)
		}
		synctest.Wait()
		got, dropped := map[string]int{}, map[string]uint64{}
		lastGood, at := 0, 0
		for _, ev := range drain(s) {
			if ev.Gap != nil {
				dropped[ev.Node] += ev.Gap.Dropped
				continue
			}
			at++
			if got[ev.Node]++; ev.Node != "bad" {
				lastGood = at
			}
		}
		if lastGood > maxTurn+good*few {
			t.Errorf("the last event of a good node came as number %d, behind more than one turn of the bad one", lastGood)
		}
		if len(dropped) != 1 || got["bad"]+int(dropped["bad"]) != flood || got["bad"] < 8192 {
			t.Errorf("the bad node: %d delivered; dropped by node: %v", got["bad"], dropped)
		}
		for i := range good {
			if n := got[fmt.Sprint("good", i)]; n != few {
				t.Errorf("good%d: %d of %d", i, n, few)
			}
		}
		if st := wantSubscription(t, s); st.Dropped != dropped["bad"] {
			t.Errorf("stats %+v", st)
		}
		f.wellOff()
	})
}

// A flood that does not end, to a consumer that cannot keep up: an event of a good node waits for one round of turns.
func TestEndlessFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const good, bads = 8, 2
		f := crowd(t, good)
		defer f.close()
		for i := range bads {
			name := fmt.Sprint("bad", i)
			f.serve(name)
			f.add(name)
		}
		f.ready(time.Second)
		synctest.Wait()
		s := f.subscribe(ami.SubscribeOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		for i := range bads {
			go func() {
				for ctx.Err() == nil {
					f.servers[fmt.Sprint("bad", i)].Emit(ticks(500, 20)...)
					time.Sleep(5 * time.Millisecond) // 100,000 a second each
				}
			}()
		}
		const pace = 20 * time.Microsecond // 50,000 a second in all
		for i := range good {
			go func() {
				for ctx.Err() == nil {
					f.servers[fmt.Sprint("good", i)].EmitEvent("Tick", "At", time.Now().Format(time.RFC3339Nano))
					time.Sleep(17 * time.Millisecond)
				}
			}()
		}
		var worst time.Duration
		goodSeen, dropped := 0, map[string]uint64{}
		deadline := time.Now().Add(10 * time.Second)
		for n := 0; time.Now().Before(deadline); n++ {
			ev, err := s.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case ev.Gap != nil:
				dropped[ev.Node] += ev.Gap.Dropped
			case strings.HasPrefix(ev.Node, "good"):
				goodSeen++
				at, err := time.Parse(time.RFC3339Nano, ev.Get("At"))
				if err != nil {
					t.Fatal(err)
				}
				worst = max(worst, time.Since(at))
			}
			if n%50 == 49 {
				time.Sleep(50 * pace)
			}
		}
		cancel()
		// One turn of each bad node, and the few events of the good ones.
		if bound := (bads*maxTurn + 200) * pace; worst > bound {
			t.Errorf("an event of a good node waited %v, a round takes at most %v", worst, bound)
		}
		if goodSeen < good*10*1000/17*9/10 {
			t.Errorf("%d events of good nodes", goodSeen)
		}
		if dropped["bad0"] == 0 || dropped["bad1"] == 0 || len(dropped) != 2 {
			t.Errorf("dropped by node: %v", dropped)
		}
		time.Sleep(time.Second)
		wantSubscription(t, s)
	})
}

func TestFlappingNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := crowd(t, 5)
		defer f.close()
		f.serve("bad")
		n := f.add("bad")
		f.ready(time.Second)
		s := f.subscribe(ami.SubscribeOptions{})
		emitted := 0
		for i := range 1000 {
			f.net.Reset("bad")
			time.Sleep(ami.DefaultStableAfter + time.Second)
			f.servers["good0"].EmitEvent("Tick")
			emitted++
			if i%20 == 0 {
				f.wellOff()
			}
		}
		synctest.Wait()
		if st := n.Stats(); st.Lost != 1000 {
			t.Errorf("the bad node lost %d sessions: the test proves nothing", st.Lost)
		}
		events, gaps := 0, map[string]int{}
		for _, ev := range drain(s) {
			if ev.Gap != nil {
				gaps[ev.Node]++
			} else {
				events++
			}
		}
		if events != emitted || len(gaps) != 1 || gaps["bad"] != 1 {
			t.Errorf("%d events of %d, gaps by node: %v", events, emitted, gaps)
		}
	})
}

// A server that takes actions and answers none: its own calls end at their deadline, its own table fills up.
func TestStallingNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := crowd(t, 5)
		defer f.close()
		f.script("bad", func(c net.Conn) {
			greetAndAccept(c)
			time.Sleep(24 * time.Hour) // reads nothing
		})
		bad := f.add("bad", func(c *ami.Config) { c.Limits.Pending = 100 })
		f.ready(time.Second)
		b := &ami.Batch[uint64]{}
		for i := range 100 {
			if err := b.Submit(t.Context(), bad, ami.NewAction("Ping"), uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		if _, err := bad.TryDo(t.Context(), ami.NewAction("Ping")); !errors.Is(err, ami.ErrBusy) || time.Since(start) != 0 {
			t.Errorf("TryDo to a full node, after %v: %v", time.Since(start), err)
		}
		f.wellOff()
		for range 100 {
			r, err := b.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if d := time.Since(start); !errors.Is(r.Err, ami.ErrTimeout) || d < ami.DefaultActionTimeout || d > ami.DefaultActionTimeout+100*time.Millisecond {
				t.Fatalf("a call of the bad node after %v: %v", d, r.Err)
			}
		}
		f.wellOff()
		time.Sleep(ami.DefaultActionTimeout + ami.DefaultKeepalive + 3*ami.DefaultPingTimeout + time.Second)
		if st := bad.Stats(); st.Lost == 0 || !st.Ledger.Exact() || st.Ledger.TimedOut != 100 {
			t.Errorf("the stalled session was kept: lost %d, ledger %+v", st.Lost, st.Ledger)
		}
		f.wellOff()
	})
}

// A server that sends one byte a second is served at its own pace, and alone.
func TestTricklingNode(t *testing.T) {
	trickle := func(c net.Conn, text string) error {
		for i := range len(text) {
			if _, err := c.Write([]byte(text[i : i+1])); err != nil {
				return err
			}
			time.Sleep(time.Second)
		}
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		f := crowd(t, 5)
		defer f.close()
		f.script("bad", func(c net.Conn) {
			greetAndAccept(c)
			for trickle(c, "Event: Tick\r\nPrivilege: call,all\r\nBody: slow\r\n\r\n") == nil {
			}
		})
		logins := f.script("bad-login", func(c net.Conn) { _ = trickle(c, "Asterisk Call Manager/11.0.0\r\n") })
		bad := f.add("bad")
		f.ready(time.Second)
		slow := f.add("bad-login")
		s := f.subscribe(ami.SubscribeOptions{})
		for range 60 {
			time.Sleep(9 * time.Second)
			f.wellOff()
		}
		events := 0
		for _, ev := range drain(s) {
			if ev.Gap != nil || ev.Node != "bad" || ev.Get("Body") != "slow" {
				t.Fatalf("got %+v", ev)
			}
			events++
		}
		if events < 10 {
			t.Errorf("%d events in nine minutes", events)
		}
		if st := bad.Stats(); st.Lost != 0 || st.ParseErrors != 0 {
			t.Errorf("lost %d, parse errors %d", st.Lost, st.ParseErrors)
		}
		// A banner that takes 30 s does not get 30 s.
		if st := slow.Stats(); st.Sessions != 0 || st.DialFailures < 10 || logins.Load() < 10 {
			t.Errorf("trickled logins: %d sessions, %d failures of %d", st.Sessions, st.DialFailures, logins.Load())
		}
	})
}
