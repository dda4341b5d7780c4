package ami_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func TestConnDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		s.Handle("Slow", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(5 * time.Second); w.Ack("done") })
		var logoff atomic.Int64
		s.Handle("Logoff", func(_ *amitest.Request, w *amitest.ResponseWriter) {
			logoff.Add(1)
			w.Reply("Goodbye", amitest.Header{Name: "Message", Value: "Thanks for all the fish."})
			w.Close()
		})
		c := mustDial(t, cfg)
		ends := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := c.Do(t.Context(), ami.NewAction("Slow"))
				ends <- err
			}()
		}
		synctest.Wait()
		start := time.Now()
		drained := make(chan error, 1)
		go func() { drained <- c.Drain(t.Context()) }()
		synctest.Wait()
		_, err := c.Do(t.Context(), ami.NewAction("Ping"))
		if oe := wantOp(t, err, "do", ami.ErrDraining); oe.Sent != ami.SentNo {
			t.Errorf("sent %v", oe.Sent)
		}
		if err := <-drained; err != nil || time.Since(start) != 15*time.Second {
			t.Errorf("Drain: %v after %v, want 15s", err, time.Since(start))
		}
		for range 3 {
			if err := <-ends; err != nil {
				t.Errorf("a call in flight: %v", err)
			}
		}
		if logoff.Load() != 1 {
			t.Errorf("%d Logoffs", logoff.Load())
		}
		exact(t, c.Stats())
	})
}

func TestConnDrainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if p.greet() {
				p.drain()
			}
		})
		c := mustDial(t, cfg)
		end := make(chan error, 1)
		go func() {
			_, err := c.Do(t.Context(), ami.Action{Name: "Ping", Timeout: time.Hour})
			end <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		err := c.Drain(ctx)
		wantOp(t, err, "drain", context.DeadlineExceeded)
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("Drain took %v", d)
		}
		if oe := wantOp(t, <-end, "do", ami.ErrDisconnected); oe.Sent != ami.SentYes {
			t.Errorf("sent %v", oe.Sent)
		}
	})
}

// A second Drain finds nothing left to do, every time.
func TestDrainTwice(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			_, _, cfg := simulate(t)
			c := mustDial(t, cfg)
			for i := range 2 {
				if err := c.Drain(t.Context()); err != nil {
					t.Fatalf("Drain %d: %v", i, err)
				}
			}
		})
	}
}

// Drain says nil only if everything in flight was answered: not when the session is lost meanwhile.
func TestDrainOfALostSession(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			n, cfg := scripted(t, func(p *peer) {
				if p.greet() {
					p.drain()
				}
			})
			c := mustDial(t, cfg)
			end := make(chan error, 1)
			go func() {
				_, err := c.Do(t.Context(), ami.NewAction("Originate"))
				end <- err
			}()
			synctest.Wait()
			drained := make(chan error, 1)
			go func() { drained <- c.Drain(t.Context()) }()
			synctest.Wait()
			n.Reset("fake")
			wantOp(t, <-end, "do", ami.ErrDisconnected)
			if err := <-drained; err == nil {
				t.Fatal("Drain says that all was answered")
			} else {
				wantOp(t, err, "drain", nil)
			}
		})
	}
}

// Drain waits for the callers' actions, not for the engine's own Ping behind them.
func TestDrainDoesNotWaitForAPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) { // it hangs
			if p.greet() {
				p.drain()
			}
		})
		c := mustDial(t, cfg)
		end := make(chan time.Time, 1)
		go func() {
			_, _ = c.Do(t.Context(), ami.Action{Name: "Originate", Timeout: 20 * time.Second})
			end <- time.Now()
		}()
		time.Sleep(16 * time.Second) // a Ping is out
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := c.Drain(ctx)
		d := time.Since(<-end)
		if err != nil || d > 2*time.Second {
			t.Errorf("Drain ended %v after the last action: %v", d, err)
		}
	})
}

// Close ends everything at once, a Drain under way too.
func TestCloseHurriesADrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		s.Handle("Originate", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(time.Hour) })
		cluster := ami.NewCluster(ami.ClusterConfig{})
		node, err := cluster.Add(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := node.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		go node.Do(t.Context(), ami.Action{Name: "Originate", Timeout: 10 * time.Minute})
		synctest.Wait()
		go cluster.Drain(t.Context())
		synctest.Wait()
		start := time.Now()
		_ = cluster.Close()
		if d := time.Since(start); d > time.Second {
			t.Errorf("Close took %v", d)
		}
	})
}

// A second Drain is bounded by its own context, and says no more than is true.
func TestSecondDrainOfACluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if p.greet() {
				p.drain()
			}
		})
		cluster := ami.NewCluster(ami.ClusterConfig{})
		defer cluster.Close()
		cfg.Keepalive.Interval = -1
		n, err := cluster.Add(cfg)
		if err != nil || n.WaitReady(t.Context()) != nil {
			t.Fatal(err)
		}
		go n.Do(t.Context(), ami.Action{Name: "Hold", Timeout: 24 * time.Hour})
		synctest.Wait()
		first := make(chan error, 1)
		go func() { first <- cluster.Drain(t.Context()) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err = cluster.Drain(ctx)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("a second Drain took %v, its context one second", d)
		}
		if err == nil {
			t.Errorf("a second Drain says that all ended by themselves: %+v", n.Stats().Ledger)
		}
		_ = cluster.Close()
		<-first
	})
}

// A Drain that comes behind one that failed does not say that all is well.
func TestDrainBehindADrainThatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if p.greet() {
				p.drain()
			}
		})
		cluster := ami.NewCluster(ami.ClusterConfig{})
		defer cluster.Close()
		n, err := cluster.Add(cfg)
		if err != nil || n.WaitReady(t.Context()) != nil {
			t.Fatal(err)
		}
		go n.Do(t.Context(), ami.Action{Name: "Hold", Timeout: time.Hour})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = cluster.Drain(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if again := cluster.Drain(t.Context()); again == nil {
			t.Errorf("the first Drain says %v, the second nil", err)
		}
	})
}

// Drain does not say that all ended by themselves where it cut OnReady's actions.
func TestDrainOfANodeInItsOnReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			a, ok := p.action()
			if ok {
				time.Sleep(5 * time.Second)
				p.send("Response: Success\nActionID: %s\n\n", a["ActionID"])
				p.drain()
			}
		})
		cfg.OnReady = func(ctx context.Context, c *ami.Conn) error {
			_, err := c.Do(ctx, ami.NewAction("QueueReset"))
			return err
		}
		cluster := ami.NewCluster(ami.ClusterConfig{})
		n, err := cluster.Add(cfg)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		start := time.Now()
		err = cluster.Drain(t.Context())
		if l := n.Stats().Ledger; err == nil && l.Replied == 0 {
			t.Errorf("Drain says nil after %v, %+v", time.Since(start), l)
		}
	})
}
