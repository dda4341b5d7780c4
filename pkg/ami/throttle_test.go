package ami_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A burst of several times the buffer, to a consumer that is steady but slower than the network: with Throttle nothing is
// lost, without it the test must lose, or it proves nothing. The server is read in time all the same.
func TestThrottleLosesNothingToASteadyConsumer(t *testing.T) {
	for _, throttle := range []bool{true, false} {
		t.Run(fmt.Sprint(throttle), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, srv, n := one(t)
				defer f.close()
				s := f.subscribe(ami.SubscribeOptions{RingEvents: 4096, Throttle: throttle})
				const events = 40_000
				go srv.Emit(ticks(events, 100)...)
				got, lost := 0, uint64(0)
				for got+int(lost) < events {
					ev, err := s.Next(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					if ev.Gap != nil {
						lost += ev.Gap.Dropped
						continue
					}
					if got++; got%500 == 0 {
						time.Sleep(time.Millisecond)
					}
				}
				if (lost > 0) == throttle {
					t.Errorf("throttle %v: %d of %d events lost", throttle, lost, events)
				}
				synctest.Wait()
				if l := srv.Ledger(); l.SlowReaders != 0 || n.Stats().Lost != 0 || n.Stats().BytesIn != l.BytesOut {
					t.Errorf("slow readers %d, sessions lost %d, %d bytes read of %d", l.SlowReaders, n.Stats().Lost, n.Stats().BytesIn, l.BytesOut)
				}
				wantSubscription(t, s)
			})
		})
	}
}

// With Throttle too, a consumer that stands still loses events instead of holding the session up.
func TestThrottleDoesNotWaitForAStuckConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, srv, n := one(t)
		defer f.close()
		s := f.subscribe(ami.SubscribeOptions{RingEvents: 100, Throttle: true})
		for range 50 {
			srv.Emit(ticks(500, 100)...)
			from := time.Now()
			if err := ping(n); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(from); waited > 10*time.Millisecond {
				t.Fatalf("an action waited %v behind 500 events", waited)
			}
		}
		if st := wantSubscription(t, s); st.Dropped < 50*500-200 {
			t.Errorf("stats %+v", st)
		}
	})
}

// What was consumed meanwhile is no reason to rest: the actions of a node that is quiet again wait for nothing.
func TestThrottleEndsWithTheBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, srv, n := one(t)
		defer f.close()
		s := f.subscribe(ami.SubscribeOptions{RingEvents: 100, Throttle: true})
		srv.Emit(ticks(80, 10)...)
		time.Sleep(time.Second)
		if got := len(drain(s)); got != 80 {
			t.Fatalf("%d events came", got)
		}
		if err := ping(n); err != nil {
			t.Fatal(err)
		}
		from := time.Now()
		for range 20 {
			if err := ping(n); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(from); waited != 0 {
			t.Errorf("20 actions waited %v behind nothing", waited)
		}
	})
}

// A pacedConn remembers how long its owner did not read, and how much.
type pacedConn struct {
	net.Conn
	back    time.Time
	longest atomic.Int64 // nanoseconds
	read    atomic.Uint64
}

func (c *pacedConn) Read(p []byte) (int, error) {
	if !c.back.IsZero() {
		c.longest.Store(max(c.longest.Load(), int64(time.Since(c.back))))
	}
	n, err := c.Conn.Read(p)
	c.read.Add(uint64(n))
	c.back = time.Now()
	return n, err
}

// floodFor sends an event again and again for some time, and returns how many bytes could be written.
func floodFor(t *testing.T, p *peer, text string, d time.Duration) (written int) {
	chunk := strings.Repeat(strings.ReplaceAll(text, "\n", "\r\n"), 100)
	for begun := time.Now(); time.Since(begun) < d; {
		n, err := p.Write([]byte(chunk))
		if written += n; err != nil {
			t.Error("the flood was cut off:", err)
			break
		}
	}
	return written
}

// An endless flood is read at the pace of the consumer that it is for, down to 10 MB/s, out of a small part of the buffer.
// Below that, events are dropped and marked, and the server is read all the same.
func TestThrottlePace(t *testing.T) {
	const flood, bytes = 5 * time.Second, 340
	text := fmt.Sprintf("Event: Tick\nPrivilege: user,all\nBody: %s\n\n", strings.Repeat("x", bytes-44))
	for name, tt := range map[string]struct {
		perSecond int // bytes that the consumer takes
		hiccup    time.Duration
		small     bool // buffer
		dropped   bool
		peak      uint64 // most bytes queued
	}{
		"40 MB/s":                {perSecond: 40e6, peak: 5 << 20},
		"10 MB/s":                {perSecond: 10e6, peak: 5 << 20},
		"10 MB/s, small buffers": {perSecond: 10e6, small: true, peak: 1 << 20},
		"with a hiccup":          {perSecond: 20e6, hiccup: time.Second, peak: 20 << 20},
		"1 MB/s":                 {perSecond: 1e6, dropped: true, peak: 32 << 20},
		"stands still":           {perSecond: 1, dropped: true, peak: 32 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				written, over := 0, make(chan struct{})
				network, cfg := scripted(t, func(p *peer) {
					if !p.greet() {
						return
					}
					written = floodFor(t, p, text, flood)
					close(over)
					p.drain()
				})
				var paced *pacedConn
				cfg.Events, cfg.Dial = "on", func(ctx context.Context, what, addr string) (net.Conn, error) {
					c, err := network.DialContext(ctx, what, addr)
					paced = &pacedConn{Conn: c}
					return paced, err
				}
				c := mustDial(t, cfg)
				o := ami.SubscribeOptions{Throttle: true, RingBytes: 32 << 20, RingEvents: 1 << 20}
				if tt.small {
					o.RingBytes = 1 << 20
				}
				s, err := c.Subscribe(o)
				if err != nil {
					t.Fatal(err)
				}
				taken, marked := consume(t, s, over, tt.perSecond, bytes, tt.hiccup)
				synctest.Wait()
				for ev, ok := s.Poll(); ok; ev, ok = s.Poll() {
					if ev.Gap != nil {
						marked += ev.Gap.Dropped
					}
				}
				st := wantSubscription(t, s)
				if st.Dropped != marked || (marked > 0) != tt.dropped {
					t.Errorf("%d events dropped, %d marked, want any: %v", st.Dropped, marked, tt.dropped)
				}
				if st.PeakBytes > tt.peak {
					t.Errorf("%d bytes were queued, want at most %d", st.PeakBytes, tt.peak)
				}
				if least := max(taken, int(flood/time.Second)*9e6); written < least {
					t.Errorf("the server could write %d bytes, want at least %d", written, least)
				}
				if longest := time.Duration(paced.longest.Load()); longest > 50*time.Millisecond || paced.read.Load() == 0 {
					t.Errorf("%v passed without a read of %d bytes", longest, paced.read.Load())
				}
			})
		})
	}
}

// consume takes events of that many bytes at a pace until over, and returns how many bytes it took and how many events were
// marked as dropped.
func consume(t *testing.T, s *ami.Subscription, over <-chan struct{}, perSecond, bytes int, hiccup time.Duration) (taken int, marked uint64) {
	for owed := 0; ; {
		select {
		case <-over:
			return taken, marked
		default:
		}
		ev, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if ev.Gap != nil {
			marked += ev.Gap.Dropped
			continue
		}
		taken += bytes
		if owed += bytes; owed >= 16<<10 {
			rest := time.Duration(float64(owed) / float64(perSecond) * float64(time.Second))
			if hiccup > 0 && taken > 20e6 {
				rest, hiccup = hiccup, 0
			}
			select {
			case <-over:
			case <-time.After(rest):
			}
			owed = 0
		}
	}
}
