package ami_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A dialLog notes who dialled when.
type dialLog struct {
	mu    sync.Mutex
	at    []time.Time
	names []string
	now   int
	peak  int
}

// through returns a dial function that is noted, for a node of that name.
func (l *dialLog) through(name string, dial ami.DialFunc) ami.DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		l.mu.Lock()
		l.at, l.names = append(l.at, time.Now()), append(l.names, name)
		l.now++
		l.peak = max(l.peak, l.now)
		l.mu.Unlock()
		defer func() { l.mu.Lock(); l.now--; l.mu.Unlock() }()
		return dial(ctx, network, addr)
	}
}

// reset forgets what was noted.
func (l *dialLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.names, l.peak = nil, nil, 0
}

// order returns who dialled, in order.
func (l *dialLog) order() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.names)
}

// most returns the most dials in any span of that length.
func (l *dialLog) most(span time.Duration) (most int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := 0
	for i, at := range l.at {
		for at.Sub(l.at[from]) >= span {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// hang is a dial that ends with its deadline.
func hang(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }

// addHanging adds nodes whose dials all hang for as long as they may.
func (f *fleet) addHanging(count int, change ...func(*ami.Config)) {
	f.t.Helper()
	for i := range count {
		f.add(fmt.Sprint("hangs", i), append([]func(*ami.Config){func(c *ami.Config) { c.Addr = "nowhere:5038"; c.Dial = hang }}, change...)...)
	}
}

// First dials are bounded by MaxDials alone.
func TestFirstDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{MaxDials: 10, RedialRate: 1})
		defer f.close()
		var log dialLog
		start := time.Now()
		for i := range 100 {
			name := fmt.Sprint("n", i)
			f.serve(name)
			f.add(name, func(c *ami.Config) {
				c.Dial = log.through("", func(ctx context.Context, network, addr string) (net.Conn, error) {
					time.Sleep(100 * time.Millisecond)
					return f.net.DialContext(ctx, network, addr)
				})
			})
		}
		f.ready(time.Minute)
		if d := time.Since(start); d != time.Second {
			t.Errorf("100 dials of 100 ms, ten at once, took %v", d)
		}
		log.mu.Lock()
		defer log.mu.Unlock()
		if log.peak != 10 {
			t.Errorf("%d dials at once, want 10", log.peak)
		}
	})
}

// A dial that fails gives its place to the next one at once.
func TestFailedDialsGiveTheirPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{MaxDials: 1, RedialRate: 1})
		defer f.close()
		for i := range 100 {
			f.add(fmt.Sprint("refused", i), func(c *ami.Config) { c.Redial.BackoffMin, c.Redial.BackoffMax = time.Hour, time.Hour })
		}
		f.serve("fine")
		n := f.add("fine")
		start := time.Now()
		if err := n.WaitReady(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("ready after %v: %v", time.Since(start), err)
		}
	})
}

// Redials are first come, first served.
func TestRedialsAreInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{RedialRate: 10, Rand: func() float64 { return 0.5 }})
		defer f.close()
		var log dialLog
		const nodes = 30
		for i := range nodes {
			name := fmt.Sprintf("n%02d", i)
			f.serve(name)
			f.add(name, func(c *ami.Config) { c.Dial = log.through(name, f.net.DialContext) })
		}
		f.ready(time.Second)
		time.Sleep(time.Minute)
		log.reset()
		var want []string
		for i := range nodes {
			name := fmt.Sprintf("n%02d", (i*7)%nodes)
			want = append(want, name)
			f.net.Reset(name)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		if got := log.order(); !slices.Equal(got, want) {
			t.Errorf("lost in the order %v, redialled in %v", want, got)
		}
		if got := log.most(time.Second); got > 10 {
			t.Errorf("%d redials within a second", got)
		}
	})
}

// A node that is removed leaves the line, and those behind it lose nothing by it.
func TestRemovedNodesLeaveTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{RedialRate: 1, Rand: func() float64 { return 0.5 }})
		defer f.close()
		var log dialLog
		for i := range 20 {
			name := fmt.Sprint("n", i)
			f.serve(name)
			f.add(name, func(c *ami.Config) { c.Dial = log.through(name, f.net.DialContext) })
		}
		f.ready(time.Second)
		time.Sleep(time.Minute)
		log.reset()
		for i := range 20 {
			f.net.Reset(fmt.Sprint("n", i))
			time.Sleep(time.Microsecond)
		}
		time.Sleep(500 * time.Millisecond) // n0 has dialled
		for i := 1; i < 19; i++ {
			if err := f.Remove(fmt.Sprint("n", i)); err != nil {
				t.Fatal(err)
			}
		}
		f.ready(1100 * time.Millisecond)
		if got := log.order(); !slices.Equal(got, []string{"n0", "n19"}) {
			t.Errorf("dialled %v", got)
		}
	})
}

// Dials that hang count for half a second against the limit and not for as long as they last: MaxDials of them leave the
// line in that time, however many there are and however long they take.
func TestHangingDialsHoldUpOthersBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		f.addHanging(200, func(c *ami.Config) { c.Timeouts.Dial = time.Hour })
		f.serve("fine")
		n := f.add("fine")
		start := time.Now()
		if err := n.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		// 200 before it, 64 at once.
		if d := time.Since(start); d != 1500*time.Millisecond {
			t.Errorf("ready after %v", d)
		}
		synctest.Wait() // the last of them dial in the same moment
		for _, n := range f.Nodes()[:200] {
			if state, _ := n.State(); state != ami.StateDialing {
				t.Fatalf("%s is %v: the test proves nothing", n.Name(), state)
			}
		}
	})
}

// However many nodes hang in their redials, one that is lost is redialled when its backoff and the rate say so.
func TestHangingRedialsHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{Rand: func() float64 { return 0.999 }})
		defer f.close()
		f.serve("fine")
		f.add("fine")
		f.ready(time.Second)
		// 1,000 that hang 30 s a time keep the line busy: 33 redials a second, and 1,000 at once in their dials.
		f.addHanging(1000, func(c *ami.Config) {
			c.Timeouts.Dial, c.Redial.BreakerAfter = 30*time.Second, time.Hour
			c.Redial.BackoffMax = time.Millisecond
			c.Redial.BackoffMin = time.Millisecond
		})
		time.Sleep(10 * time.Minute)
		for range 20 {
			f.net.Reset("fine")
			synctest.Wait()
			start := time.Now()
			n, _ := f.Node("fine")
			ctx, cancel := context.WithTimeout(t.Context(), ami.DefaultBackoffMin+time.Second)
			if err := n.WaitReady(ctx); err != nil {
				t.Fatalf("after %v: %v", time.Since(start), err)
			}
			cancel()
			time.Sleep(ami.DefaultStableAfter + 7*time.Second)
		}
	})
}

// First dials and redials are served in the order in which they asked; a redial that the rate holds back is passed.
func TestFirstDialsAndRedialsShareTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{MaxDials: 1, Rand: func() float64 { return 0.999 }})
		defer f.close()
		f.serve("lost")
		f.add("lost")
		f.ready(time.Second)
		time.Sleep(time.Minute)
		f.addHanging(20)
		f.net.Reset("lost")
		time.Sleep(200 * time.Millisecond) // it has asked
		for i := range 1000 {
			f.add(fmt.Sprint("later", i), func(c *ami.Config) { c.Addr = "nowhere:5038"; c.Dial = hang })
		}
		// 20 hanging ones before it, one at a time, and none of the thousand.
		n, _ := f.Node("lost")
		ctx, cancel := context.WithTimeout(t.Context(), 20*500*time.Millisecond)
		defer cancel()
		if err := n.WaitReady(ctx); err != nil {
			t.Error(err)
		}
	})
}
