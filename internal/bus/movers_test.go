package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// movers are two bridges of one node, under a flood that a consumer reads.
type movers struct {
	t     *testing.T
	url   string
	conn  *nats.Conn
	srv   *amitest.Server
	stop  map[string]func()
	nodes func() []ami.Config

	ctx      context.Context //nolint:containedctx // of the test
	mu       sync.Mutex      // guards what follows
	owner    string
	moved    int // owners
	gaps     int
	last     int
	events   int // that have no number
	numbered int
	fault    string
}

func newMovers(t *testing.T, rate int, options func(*Options), server ...amitest.Option) *movers {
	t.Helper()
	unhurried(t)
	m := &movers{t: t, url: aBus(t), srv: amitest.NewServer(append(server, amitest.WithName("pbx"))...), stop: make(map[string]func()), ctx: t.Context()}
	t.Cleanup(m.srv.Close)
	m.nodes = func() []ami.Config { return configsOf(m.srv) }
	m.conn = dial(t, m.url)
	for _, name := range []string{"a", "b"} {
		o := Options{Conn: dial(t, m.url), Cluster: "c", Name: name, Nodes: m.nodes}
		if options != nil {
			options(&o)
		}
		m.stop[name] = run(t, o)
	}
	var c *Consumer
	eventually(t, "there is a stream", func() (ok bool) {
		var err error
		c, err = Read(t.Context(), m.conn, ReadOptions{Cluster: "c", Start: Start{All: true}})
		return err == nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { m.read(ctx, c) })
	t.Cleanup(func() { cancel(); all.Wait(); c.Close() })
	eventually(t, "the node has an owner", func() bool { return m.now() != "" && m.srv.Ledger().Logins > 0 })
	if rate > 0 {
		all.Go(func() {
			for n := 1; ctx.Err() == nil; n++ {
				m.srv.EmitEvent("UserEvent", "N", strconv.Itoa(n))
				time.Sleep(time.Second / time.Duration(rate))
			}
		})
		eventually(t, "events come", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.last > 0 })
	}
	return m
}

// read wants events to be whole wherever there is no gap.
func (m *movers) read(ctx context.Context, c *Consumer) {
	marked := true
	for {
		_, r, err := c.Next(ctx)
		if err != nil {
			return
		}
		m.mu.Lock()
		switch {
		case r.Owner != nil:
			m.owner = strings.Clone(r.Owner.Bridge)
			m.moved++
		case r.Event.Gap != nil:
			m.gaps++
			marked = true
		case r.Event.Name() == "UserEvent":
			n, _ := strconv.Atoi(r.Event.Get("N"))
			if n <= m.last || n > m.last+1 && !marked {
				m.fault = fmt.Sprintf("%d comes behind %d", n, m.last)
			}
			m.last, marked = n, false
			m.numbered++
		case r.Event.Name() == "Same":
			m.events++
		}
		m.mu.Unlock()
	}
}

func (m *movers) now() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.owner
}

// others is the bridge that does not own the node.
func (m *movers) other() string {
	if m.now() == "a" {
		return "b"
	}
	return "a"
}

func (m *movers) move(to string) (*Moved, error) {
	return Move(m.ctx, m.conn, "c", "pbx", to, patience)
}

// mustMove moves it, without a gap.
func (m *movers) mustMove(to string) {
	m.t.Helper()
	var moved *Moved
	var err error
	eventually(m.t, "the owner takes moves, and the other bridge comes", func() bool {
		moved, err = m.move(to)
		var why *MoveError
		return !errors.As(err, &why) || why.Reason != MoveNoOwner && why.Reason != MoveAway // on a busy host who has just begun is yet to listen
	})
	if err != nil || !moved.Whole || moved.To != to {
		m.t.Fatalf("%+v, %v", moved, err)
	}
	eventually(m.t, "the other bridge owns it", func() bool { return m.now() == to })
}

// judge wants events to go on, none to be missing without a gap, and so many gaps, or any number if it is -1.
func (m *movers) judge(gaps int) {
	m.t.Helper()
	m.mu.Lock()
	mark := m.last
	m.mu.Unlock()
	eventually(m.t, "events go on", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return m.last > mark+10 })
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != "" || gaps >= 0 && m.gaps != gaps {
		m.t.Errorf("%s; there are %d gaps, and %d owners were there", m.fault, m.gaps, m.moved)
	}
	all, err := Verify(m.ctx, m.conn, "c")
	if err != nil || len(all) != 1 || len(all[0].Faults) > 0 {
		m.t.Errorf("%+v, %v", all, err)
	}
}

// judgeSingles wants each single event once and in order, none to be missing without a gap, and so many gaps.
func (m *movers) judgeSingles(want int) {
	m.t.Helper()
	m.mu.Lock()
	came := m.numbered // and gaps before them
	m.mu.Unlock()
	ctx, cancel := context.WithTimeout(m.ctx, patience)
	defer cancel()
	gaps, before, marked := 0, 0, true
	for _, line := range onesOf(ctx, m.t, mustJetStream(m.t, m.conn), came) {
		_, text, _ := strings.Cut(line, " ")
		var n int
		if _, err := fmt.Sscanf(text, "UserEvent %d", &n); err != nil {
			gaps++
			marked = true
			continue
		}
		if n <= before || n != before+1 && !marked {
			m.t.Errorf("%d comes behind %d", n, before)
		}
		before, marked = n, false
	}
	if gaps != want || before == 0 {
		m.t.Errorf("%d gaps are among the single events, the last of which is %d", gaps, before)
	}
}
