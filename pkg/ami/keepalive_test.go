package ami_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A blocking action that keeps a serial server busy for a minute must not kill its session: the Ping behind it waits.
func TestBlockingActionOutlivesTheKeepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		s.Handle("Originate", func(_ *amitest.Request, w *amitest.ResponseWriter) {
			w.Sleep(time.Minute)
			w.Ack("Originate successfully queued")
		})
		c := mustDial(t, cfg)
		start := time.Now()
		_, err := c.Do(t.Context(), ami.Action{Name: "Originate", Timeout: 90 * time.Second})
		if d := time.Since(start); err != nil || d != time.Minute {
			t.Errorf("after %v: %v", d, err)
		}
		time.Sleep(5 * time.Minute)
		if err := c.Err(); err != nil {
			t.Errorf("the session died: %v", err)
		}
		if st := c.Stats(); st.PingsMissed != 0 || st.Pings == 0 {
			t.Errorf("%d Pings missed, %d answered", st.PingsMissed, st.Pings)
		}
	})
}

func TestDeadPeerIsFound(t *testing.T) {
	for _, busy := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n, s, cfg := simulate(t)
			cfg.Keepalive.Interval, cfg.Keepalive.Timeout, cfg.Keepalive.Misses = 15*time.Second, 10*time.Second, 3
			c := mustDial(t, cfg)
			time.Sleep(time.Hour) // a quiet and healthy one
			if c.Err() != nil {
				t.Fatalf("a healthy session died: %v", c.Err())
			}
			n.Partition(s.Name())
			start := time.Now()
			var err error
			if busy {
				_, err = c.Do(t.Context(), ami.Action{Name: "Ping", Timeout: 5 * time.Second})
				if oe := wantOp(t, err, "do", ami.ErrTimeout); oe.Sent != ami.SentYes {
					t.Errorf("sent %v", oe.Sent)
				}
			}
			mustDie(t, c)
			d, bound := time.Since(start), cfg.Keepalive.Interval+3*cfg.Keepalive.Timeout+time.Second
			if d > bound || d < 3*cfg.Keepalive.Timeout {
				t.Errorf("a dead peer was found after %v, want within %v", d, bound)
			}
			if !errors.Is(c.Err(), ami.ErrKeepalive) {
				t.Errorf("died of %v", c.Err())
			}
			exact(t, c.Stats())
			n.Heal(s.Name())
		})
	}
}

// A Ping is sent only into silence.
func TestKeepaliveIsQuietWhileEventsFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		cfg.Events = "on"
		c := mustDial(t, cfg)
		for range 100 {
			s.EmitEvent("Tick", "N", "1")
			time.Sleep(10 * time.Second)
		}
		if st := c.Stats(); st.Pings+st.PingsMissed != 0 || st.Internal != 2 && st.Internal != 1 {
			t.Errorf("%d Pings though something was heard every 10 s (%d internal actions)", st.Pings, st.Internal)
		}
		cfg.Keepalive.Interval = -1
		c = mustDial(t, cfg)
		time.Sleep(time.Hour)
		if st := c.Stats(); st.Pings != 0 {
			t.Errorf("%d Pings with keepalive switched off", st.Pings)
		}
	})
}

// A missed Ping is forgiven when the server speaks again.
func TestMissedPingIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, s, cfg := simulate(t)
		c := mustDial(t, cfg)
		for range 5 {
			n.Partition(s.Name())
			time.Sleep(29 * time.Second) // one or two Pings of 10 s each go unanswered
			n.Heal(s.Name())
			time.Sleep(2 * time.Minute)
		}
		synctest.Wait() // a Ping may be under way at this very instant
		if c.Err() != nil {
			t.Errorf("died of %v", c.Err())
		}
		if st := c.Stats(); st.PingsMissed == 0 || st.Pending != 0 {
			t.Errorf("%d missed, %d slots taken at rest", st.PingsMissed, st.Pending)
		}
	})
}

// Pings have room of their own when the pending table is full.
func TestKeepaliveWithAFullTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, s, cfg := simulate(t)
		cfg.Limits.Pending = 1
		s.Handle("Hold", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(time.Hour); w.Ack("") })
		c := mustDial(t, cfg)
		_, err := c.Do(t.Context(), ami.Action{Name: "Hold", Timeout: time.Second})
		wantOp(t, err, "do", ami.ErrTimeout)
		n.Partition(s.Name())
		start := time.Now()
		mustDie(t, c)
		if d := time.Since(start); d > time.Minute {
			t.Errorf("with a full table a dead peer was found after %v", d)
		}
		n.Heal(s.Name())
	})
}

// A server that reads and says nothing is found dead, whatever KeepaliveMisses is and however full the table.
func TestDeadServerBehindAFullTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if p.greet() {
				p.drain()
			}
		})
		cfg.Limits.Pending, cfg.Keepalive.Misses = 1, 6
		c := mustDial(t, cfg)
		_, err := c.Do(t.Context(), ami.Action{Name: "Ping", Timeout: time.Second})
		wantOp(t, err, "do", ami.ErrTimeout)
		select {
		case <-c.Done():
		case <-time.After(24 * time.Hour):
			st := c.Stats()
			t.Errorf("the session lives after a day without a word: %d Pings missed, %d slots taken", st.PingsMissed, st.Pending)
		}
	})
}

// A server that talks but never answers an action (Queues) fills the table with calls that timed out for good.
func TestUnansweredActionsOfATalkingServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			go func() {
				for t.Context().Err() == nil {
					_, _ = p.Write([]byte("Event: Tick\r\nN: 1\r\n\r\n"))
					select {
					case <-time.After(time.Second):
					case <-t.Context().Done():
					}
				}
			}()
			for {
				a, ok := p.action()
				if !ok {
					return
				}
				if a["Action"] != "Silent" {
					p.send("Response: Success\nActionID: %s\n\n", a["ActionID"])
				}
			}
		})
		cfg.Limits.Pending = 4
		c := mustDial(t, cfg)
		for range 4 {
			_, err := c.Do(t.Context(), ami.Action{Name: "Silent", Timeout: time.Second})
			wantOp(t, err, "do", ami.ErrTimeout)
		}
		start := time.Now()
		for time.Since(start) < 24*time.Hour {
			if _, err := c.Do(t.Context(), ami.Action{Name: "CoreStatus", Timeout: 30 * time.Second}); err == nil {
				t.Logf("answered after %v", time.Since(start))
				return
			}
		}
		st := c.Stats()
		t.Errorf("no action got through for a day: %d slots taken, %d in flight, %d Pings", st.Pending, st.Ledger.InFlight, st.Pings)
	})
}

// neverSilent is a server that answers everything but Silent.
func neverSilent(p *peer) {
	p.serve(func(a map[string]string, id string) {
		if a["Action"] != "Silent" {
			p.send("Response: Success\nActionID: %s\n\n", id)
		}
	})
}

// Without a keepalive a table full of what is never answered is emptied all the same.
func TestUnansweredActionsWithoutKeepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, neverSilent)
		cfg.Limits.Pending, cfg.Keepalive.Interval = 4, -1
		c := mustDial(t, cfg)
		for range 4 {
			_, err := c.Do(t.Context(), ami.Action{Name: "Silent", Timeout: time.Second})
			wantOp(t, err, "do", ami.ErrTimeout)
		}
		for range 100 {
			if _, err := c.Do(t.Context(), ami.Action{Name: "CoreStatus", Timeout: time.Minute}); err == nil {
				return
			}
		}
		t.Errorf("no action got through in 100 minutes, of a server that answers: %d slots taken", c.Stats().Pending)
	})
}

// What fills the table again within a second of the last look is found too.
func TestTableFilledTwiceInASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, neverSilent)
		cfg.Limits.Pending = 4
		c := mustDial(t, cfg)
		fill := func() {
			b := &ami.Batch[uint64]{}
			for i := range 4 {
				if err := b.Submit(t.Context(), c, ami.Action{Name: "Silent", Timeout: 100 * time.Millisecond}, uint64(i)); err != nil {
					t.Fatal(err)
				}
			}
			for range 4 {
				_, _ = b.Next(t.Context())
			}
		}
		for i := range 5 {
			fill()
			start := time.Now()
			_, err := c.Do(t.Context(), ami.Action{Name: "CoreStatus", Timeout: 5 * time.Second})
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("round %d: %v after %v (%v)", i, err, d, c.Stats().Pings)
			}
		}
	})
}
