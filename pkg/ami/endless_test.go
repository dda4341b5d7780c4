package ami_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// The longest of timeouts is no short one.
func TestEndlessTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		s.Handle("Originate", func(_ *amitest.Request, w *amitest.ResponseWriter) {
			w.Sleep(time.Minute)
			w.Ack("Originate successfully queued")
		})
		c := mustDial(t, cfg)
		time.Sleep(time.Second)
		start := time.Now()
		_, err := c.Do(t.Context(), ami.Action{Name: "Originate", Timeout: math.MaxInt64})
		if err != nil {
			t.Errorf("Timeout: math.MaxInt64: after %v: %v, sent %v", time.Since(start), err, ami.SentState(err))
		}
	})
}

func TestEndlessPingTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) { // a server that takes 100 ms
			for ok := p.greet(); ok; {
				var a map[string]string
				if a, ok = p.action(); ok {
					time.Sleep(100 * time.Millisecond)
					p.send("Response: Success\nActionID: %s\nPing: Pong\n\n", a["ActionID"])
				}
			}
		})
		cfg.Keepalive.Timeout = math.MaxInt64
		c := mustDial(t, cfg)
		start := time.Now()
		select {
		case <-c.Done():
			t.Errorf("a healthy session died after %v: %v", time.Since(start), c.Err())
		case <-time.After(time.Hour):
			t.Logf("pings %d missed %d", c.Stats().Pings, c.Stats().PingsMissed)
		}
	})
}

// The longest Keepalive leaves deadlines alone.
func TestEndlessKeepalive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if p.greet() {
				p.drain()
			}
		})
		cfg.Keepalive.Interval = math.MaxInt64
		c := mustDial(t, cfg)
		time.Sleep(100 * time.Millisecond)
		end := make(chan error, 1)
		go func() {
			_, err := c.Do(t.Context(), ami.Action{Name: "Ping", Timeout: 200 * time.Millisecond})
			end <- err
		}()
		select {
		case err := <-end:
			wantOp(t, err, "do", ami.ErrTimeout)
		case <-time.After(5 * time.Second):
			t.Error("a call with a timeout of 200 ms has not ended after 5 s")
		}
	})
}
