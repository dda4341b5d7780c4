package ami_test

import (
	"context"
	"errors"
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

// First dials are bounded by MaxDials alone, and a dial that hangs holds one place, not the line.
func TestFirstDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{MaxDials: 10, RedialRate: 1})
		defer f.close()
		var log dialLog
		slow := log.through("", func(ctx context.Context, network, addr string) (net.Conn, error) {
			time.Sleep(100 * time.Millisecond)
			return f.net.DialContext(ctx, network, addr)
		})
		hang := log.through("", func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() })
		for i := range 9 {
			f.add(fmt.Sprint("hangs", i), func(c *ami.Config) { c.Addr = "nowhere:5038"; c.Dial = hang; c.DialTimeout = time.Hour })
		}
		start := time.Now()
		for i := range 100 {
			name := fmt.Sprint("n", i)
			f.serve(name)
			f.add(name, func(c *ami.Config) { c.Dial = slow })
		}
		for _, n := range f.Nodes()[9:] {
			if err := n.WaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("100 dials of 100 ms one after the other took %v", d)
		}
		log.mu.Lock()
		defer log.mu.Unlock()
		if log.peak != 10 {
			t.Errorf("%d dials at once, want 10", log.peak)
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

// Nodes that hang in their dial for long do not keep others from redialling for longer than one dial takes.
func TestHangingDialsHoldUpOthersBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		hang := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
		for i := range 200 {
			f.add(fmt.Sprint("hangs", i), func(c *ami.Config) { c.Addr = "nowhere:5038"; c.Dial = hang })
		}
		f.serve("fine")
		n := f.add("fine")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if err := n.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		// 200 before it, 64 at once, 5 s each.
		if d := time.Since(start); d > 4*ami.DefaultDialTimeout {
			t.Errorf("ready after %v", d)
		}
		var down int
		for _, n := range f.Nodes() {
			if _, cause := n.State(); errors.Is(cause, context.DeadlineExceeded) {
				down++
			}
		}
		if down == 0 {
			t.Error("nothing hung: the test proves nothing")
		}
	})
}
