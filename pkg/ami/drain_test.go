package ami_test

import (
	"context"
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
