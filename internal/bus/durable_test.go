package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/internal/natsserver"
)

// A durableTest is a node on a bus whose batches hold what a test says.
type durableTest struct {
	t   *testing.T
	ctx context.Context
	url string
	p   *publisher
}

func durableOn(t *testing.T) *durableTest {
	t.Helper()
	return durableAt(t, aBus(t))
}

func durableAt(t *testing.T, url string) *durableTest {
	t.Helper()
	js := withJetStream(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	p, err := owning(ctx, js, batch.Owner{Bridge: "a", Epoch: 1, Time: time.Now()}, leaseOurs)
	if err != nil {
		t.Fatal(err)
	}
	return &durableTest{t, ctx, url, p}
}

// publish stores a batch of these events.
func (d *durableTest) publish(names ...string) {
	d.t.Helper()
	var w batch.Writer
	for i, name := range names {
		ev := anEvent("Event: " + name + "\r\n\r\n")
		ev.Seq = uint64(i)
		w.Add(ev)
	}
	if err := d.p.publish(d.ctx, w.Batch(nil)); err != nil {
		d.t.Fatal(err)
	}
}

// read opens a durable on a connection of its own, as another process would. end ends it with all that it has yet to say; kill ends it
// as kill -9 does.
func (d *durableTest) read(o ReadOptions) (c *Consumer, end, kill func()) {
	d.t.Helper()
	conn := dial(d.t, d.url)
	o.Cluster = "c"
	if o.Durable == "" {
		o.Durable = "crm"
	}
	c, err := Read(d.ctx, conn, o)
	if err != nil {
		d.t.Fatal(err)
	}
	return c, func() { c.Close(); conn.Close() }, func() { conn.Close(); c.Close() }
}

func (d *durableTest) want(c *Consumer, want string) {
	d.t.Helper()
	if got := strings.Join(records(d.ctx, d.t, c, strings.Count(want, ";")+1), ";"); got != want {
		d.t.Errorf("%s came, want %s", got, want)
	}
}

// nothing reports what is there although nothing should be.
func (d *durableTest) nothing(c *Consumer) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.ctx, 300*time.Millisecond)
	defer cancel()
	if _, r, err := c.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		d.t.Errorf("%v, %v came, and nothing was expected", r, err)
	}
}

// A later reader goes on behind what was acknowledged: nothing is lost, and only what was not acknowledged comes twice, in order and at
// once, whether the one before ended or was killed.
func TestDurable(t *testing.T) {
	d := durableOn(t)
	d.publish("Before")
	c, end, _ := d.read(ReadOptions{})
	if !c.New() {
		t.Error("it is not new")
	}
	d.publish("A")
	d.publish("B", "C")
	d.want(c, "A;B")
	c.Acknowledge() // A: of the other batch, C is left
	end()
	d.publish("D")

	c, _, kill := d.read(ReadOptions{Start: Start{All: true}}) // it is not new
	if c.New() {
		t.Error("it is new")
	}
	d.want(c, "B;C;D")
	c.Acknowledge() // all: D is the last of its batch
	d.publish("E")
	d.publish("F")
	d.want(c, "E;F")
	kill()

	c, _, kill = d.read(ReadOptions{})
	d.want(c, "E;F")
	d.publish("G")
	d.want(c, "G")
	c.Acknowledge()
	d.nothing(c)
	kill() // at once: what the server has heard is acknowledged

	c, end, _ = d.read(ReadOptions{})
	defer end()
	d.publish("H")
	d.want(c, "H")
}

func TestDurableStart(t *testing.T) {
	d := durableOn(t)
	d.publish("A")
	c, end, _ := d.read(ReadOptions{Start: Start{All: true}})
	d.want(c, "owner a 1;gap disconnect;A")
	end()
	since := time.Now()
	d.publish("B")
	c, end, _ = d.read(ReadOptions{Durable: "later", Start: Start{Since: since}, Nodes: []string{"PBX"}})
	defer end()
	d.want(c, "B")
}

// A durable is for one reader, and for the nodes that it was made with.
func TestDurableRefused(t *testing.T) {
	d := durableOn(t)
	c, end, _ := d.read(ReadOptions{Nodes: []string{"pbx", "pbx2"}})
	_, err := Read(d.ctx, dial(t, d.url), ReadOptions{Cluster: "c", Durable: "crm", Nodes: []string{"PBX2", "pbx", "pbx"}})
	if !errors.Is(err, ErrInUse) {
		t.Errorf("a second reader: %v", err)
	}
	d.publish("A")
	d.want(c, "A")
	end()
	_, err = Read(d.ctx, dial(t, d.url), ReadOptions{Cluster: "c", Durable: "crm", Nodes: []string{"other.1"}})
	var other *DurableError
	if !errors.As(err, &other) || other.What != "durable crm is of pbx, pbx2, and other.1 is asked for" {
		t.Errorf("other nodes: %v", err)
	}
	js := mustJetStream(t, dial(t, d.url))
	foreign, err := js.CreateConsumer(d.ctx, eventStream("c"), jetstream.ConsumerConfig{Durable: "foreign"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = Read(d.ctx, dial(t, d.url), ReadOptions{Cluster: "c", Durable: "foreign"}); !errors.As(err, &other) {
		t.Errorf("a consumer of another program: %v", err)
	}
	if info, err := foreign.Info(d.ctx); err != nil || info.Delivered.Consumer != 0 {
		t.Errorf("it was touched: %v, %v", info, err)
	}
}

// Two that begin in the same moment are told by the deliveries that each of them misses; at most one goes on, and nothing is lost.
func TestDurableTwice(t *testing.T) {
	d := durableOn(t)
	c, end, _ := d.read(ReadOptions{})
	defer end()
	durable := c.source.(*durable)
	if err := durable.here.Unsubscribe(); err != nil { // as if the other had asked before we listened
		t.Fatal(err)
	}
	if err := durable.js.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	other, endOther, _ := d.read(ReadOptions{})
	var err error
	var got []string
	for n := 0; err == nil; n++ {
		d.publish(fmt.Sprint("E", n))
		ctx, cancel := context.WithTimeout(d.ctx, 20*time.Millisecond)
		for err == nil {
			var r batch.Record
			if _, r, err = c.Next(ctx); err == nil {
				got = append(got, strings.Clone(r.Event.Name()))
				c.Acknowledge()
			}
		}
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
	}
	if !errors.Is(err, ErrInUse) {
		t.Error(err)
	}
	_, r, err := other.Next(d.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprint("E", len(got)); r.Event.Name() != want {
		t.Errorf("behind %q comes %s, want %s", got, r.Event.Name(), want)
	}
	endOther()
}

// A lossy connection loses a delivery.
type lossy struct {
	jetstream.MessagesContext
	left int // deliveries until then
}

func (l *lossy) Next(o ...jetstream.NextOpt) (jetstream.Msg, error) {
	m, err := l.MessagesContext.Next(o...)
	if err == nil {
		if l.left--; l.left == 0 {
			return l.Next(o...)
		}
	}
	return m, err
}

// What is lost on the way comes again, in order and once, without waiting until the server misses the acknowledgement; also when nothing
// comes behind it.
func TestDurableMissed(t *testing.T) {
	d := durableOn(t)
	for name, lost := range map[string]int{"in the middle": 2, "at the end": 3} {
		t.Run(name, func(t *testing.T) {
			s, err := openDurable(d.ctx, mustJetStream(t, dial(t, d.url)), ReadOptions{Cluster: "c", Durable: "crm"})
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			s.messages = &lossy{s.messages, lost}
			for range 3 {
				d.publish("A")
			}
			before := s.last
			for i := range 3 {
				m, err := s.next(d.ctx)
				if err != nil {
					t.Fatal(err)
				}
				if before++; i > 0 && m.(*streamed).sequence != before {
					t.Errorf("sequence %d comes, want %d", m.(*streamed).sequence, before)
				}
				before = m.(*streamed).sequence
				s.acknowledge(m, nil)
			}
		})
	}
}

// A bus that is away for a while, and has lost all connections, is waited for.
func TestDurableBusAway(t *testing.T) {
	dir := t.TempDir()
	server, err := natsserver.Start(natsserver.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { server.Close() }()
	d := durableAt(t, server.URL())
	c, end, _ := d.read(ReadOptions{})
	defer end()
	d.publish("A")
	d.publish("B")
	d.want(c, "A")
	c.Acknowledge()
	addr := server.Addr()
	server.Close()
	if server, err = natsserver.Start(natsserver.Options{Dir: dir, Addr: addr}); err != nil {
		t.Fatal(err)
	}
	d.publish("C")
	d.want(c, "B;C")
	c.Acknowledge()
	d.nothing(c)
}

// What a stream no longer has when a durable goes on is a gap.
func TestDurableExpired(t *testing.T) {
	d := durableOn(t)
	c, end, _ := d.read(ReadOptions{})
	d.publish("A")
	d.want(c, "A")
	c.Acknowledge()
	end()
	d.publish("B")
	js := mustJetStream(t, dial(t, d.url))
	s, err := js.Stream(d.ctx, eventStream("c"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(d.ctx); err != nil {
		t.Fatal(err)
	}
	d.publish("C")
	c, end, _ = d.read(ReadOptions{})
	d.want(c, "gap expired;C")
	c.Acknowledge()
	end()
	d.publish("D")
	c, end, _ = d.read(ReadOptions{})
	defer end()
	d.want(c, "D")
}

// A durable is made again with a stream that was made anew, and its reader goes on; an admin who deletes the durable alone means the
// reader.
func TestDurableDeleted(t *testing.T) {
	d := durableOn(t)
	js := mustJetStream(t, dial(t, d.url))
	c, end, _ := d.read(ReadOptions{})
	defer end()
	d.publish("A")
	d.want(c, "A") // not acknowledged
	if err := js.DeleteStream(d.ctx, eventStream("c")); err != nil {
		t.Fatal(err)
	}
	d.publish("B")
	d.want(c, "B")
	c.Acknowledge()
	if err := js.DeleteConsumer(d.ctx, eventStream("c"), "crm"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Next(d.ctx); !errors.Is(err, errDurableGone) {
		t.Errorf("a durable that was deleted: %v", err)
	}
}

// A batch that nobody can read is acknowledged with what stands for it.
func TestDurableUnreadable(t *testing.T) {
	d := durableOn(t)
	c, end, _ := d.read(ReadOptions{})
	if err := d.p.publish(d.ctx, []byte{99, 0}); err != nil {
		t.Fatal(err)
	}
	e := NewEvents(c, func(error) {})
	ev, err := e.NextBorrowed(d.ctx)
	if err != nil || ev.Gap == nil || ev.Gap.Reason != gapUnreadable {
		t.Fatalf("%v, %v", ev, err)
	}
	c.Acknowledge()
	end()
	d.publish("A")
	c, end, _ = d.read(ReadOptions{})
	defer end()
	d.want(c, "A")
}
