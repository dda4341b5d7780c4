package ami_test

import (
	"fmt"
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
