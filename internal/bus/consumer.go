package bus

import (
	"context"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/pkg/ami"
)

// A Start says where a consumer begins.
type Start struct {
	All   bool      // with the oldest that there is
	Since time.Time // with what was stored then; zero: with what comes next
}

// ReadOptions say what a consumer gets.
type ReadOptions struct {
	Cluster string
	Nodes   []string // names and globs; none means all, and so do globs, so that nodes which join later are among them
	Start   Start    // of a durable: where it begins when it is new
	Durable string   // the name of a JetStream consumer that says where a later reader goes on; "": there is none
	Stored  bool     // only what is stored now: io.EOF comes behind it. Not of a durable
}

// gapExpired: the stream no longer had the events when the consumer came to them.
const gapExpired ami.GapReason = "expired"

// A Consumer reads a cluster's events off the bus, each node's in order. It is for one goroutine.
type Consumer struct {
	source batches
	came   chan jetstream.Msg // batches that wait; closed behind the last
	err    error              // why there are no more; valid when came is closed
	stop   context.CancelFunc
	gone   sync.WaitGroup

	reader  *batch.Reader
	node    string
	open    bool // reader has more
	places  map[string]place
	missing *ami.Event        // a gap that comes before what reader has
	read    map[string]uint64 // batches of each node
	at      sequence
	until   uint64 // of the stream: where what is wanted ends

	isNew   bool             // the durable is
	current jetstream.Msg    // that reader is in
	done    jetstream.Msg    // all of which was handed out; nil: nothing since Acknowledge
	taken   int              // bytes of batches since then
	settled map[string]place // of each node since Acknowledge, up to done
}

// A sequence says how far a stream is read.
type sequence struct{ stream, pending uint64 }

// A place is the last batch of a node's that was read.
type place struct{ epoch, number uint64 }

// Read begins to read. The stream has to be there: a bridge makes it.
func Read(ctx context.Context, conn *nats.Conn, o ReadOptions) (*Consumer, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	c := &Consumer{came: make(chan jetstream.Msg, ahead), reader: batch.NewReader(), places: make(map[string]place), settled: make(map[string]place), read: make(map[string]uint64), until: math.MaxUint64}
	opening, stop := UntilRefused(ctx, conn)
	err = causeOf(opening, c.connect(opening, js, o))
	stop()
	if err != nil {
		return nil, err
	}
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.gone.Go(func() { c.fetch(reading) })
	return c, nil
}

// connect finds where the batches come from.
func (c *Consumer) connect(ctx context.Context, js jetstream.JetStream, o ReadOptions) error {
	if o.Durable == "" {
		s := &source{js: js, o: o}
		c.source = s
		err := s.open(ctx)
		if c.at.stream = s.last; o.Stored {
			c.until = s.end
		}
		return err
	}
	d, err := openDurable(ctx, js, o)
	if err == nil {
		c.source, c.isNew = d, d.isNew
	}
	return err
}

// New reports whether the durable was made by this reader, which begins as its Start says; any other goes on where it was.
func (c *Consumer) New() bool { return c.isNew }

// ahead is how many batches wait for the consumer, beside those that the client fetches ahead.
const ahead = 16

// fetch moves batches to where they can be taken without waiting.
func (c *Consumer) fetch(ctx context.Context) {
	defer close(c.came)
	defer c.source.close()
	for {
		m, err := c.source.next(ctx)
		if err != nil {
			c.err = wrap("read the stream", err)
			return
		}
		select {
		case c.came <- m:
		case <-ctx.Done():
			c.err = wrap("read the stream", ctx.Err())
			return
		}
	}
}

// Close ends the reading. While the bus is away the client's own end may take long, and is not waited for.
func (c *Consumer) Close() {
	c.stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.gone.Wait()
	}()
	select {
	case <-ended:
	case <-time.After(closeTime):
	}
}

const closeTime = 500 * time.Millisecond

// errNone: nothing is at hand.
var errNone = errors.New("bus: nothing has come")

// message returns the next batch, errNone if none is at hand and it is not to wait.
func (c *Consumer) message(ctx context.Context, wait bool) (m jetstream.Msg, err error) {
	var ok bool
	select {
	case m, ok = <-c.came:
	default:
		if !wait {
			return nil, errNone
		}
		select {
		case m, ok = <-c.came:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if !ok {
		return nil, c.err
	}
	return m, nil
}

// next returns the next event or gap, valid until the next call, or the mark of a node's new owner. It waits until there is
// one, or ctx is done. A *batch.VersionError and a *batch.FormatError are of one batch: the next call goes on behind it, but
// what was in it is lost.
func (c *Consumer) Next(ctx context.Context) (node string, r batch.Record, err error) {
	return c.next(ctx, true)
}

// next is Next, or errNone if nothing is at hand and it is not to wait.
func (c *Consumer) next(ctx context.Context, wait bool) (node string, r batch.Record, err error) {
	for {
		if c.open || c.missing != nil {
			if r, err = c.record(); !errors.Is(err, io.EOF) {
				return c.node, r, err
			}
		}
		if c.over() {
			return "", batch.Record{}, io.EOF
		}
		message, err := c.message(ctx, wait)
		if err != nil {
			return "", batch.Record{}, err
		}
		if err := c.take(message); err != nil {
			return c.node, batch.Record{}, err
		}
	}
}

// over reports whether all that was wanted has come, or there is nothing left of it.
func (c *Consumer) over() bool {
	return c.at.stream >= c.until || c.until != math.MaxUint64 && c.at.stream > 0 && c.at.pending == 0
}

// record returns the next record of the batch that is open; io.EOF behind the last, and then none is open.
func (c *Consumer) record() (r batch.Record, err error) {
	if gap := c.missing; gap != nil {
		c.missing = nil
		return batch.Record{Event: gap}, nil
	}
	if r, err = c.reader.Next(); err != nil {
		c.end()
		return batch.Record{}, err
	}
	if r.Event != nil {
		r.Event.Node = c.node
	}
	return r, nil
}

// take opens a message, and finds out whether batches before it are missing.
func (c *Consumer) take(message jetstream.Msg) (err error) {
	if c.node, err = subject.Node(message.Subject()); err != nil {
		return &batch.FormatError{What: err.Error()} // somebody else's, who took a subject of ours
	}
	c.read[c.node]++
	c.current, c.taken = message, c.taken+len(message.Data())
	if m, err := message.Metadata(); err == nil {
		c.at = sequence{m.Sequence.Stream, m.NumPending}
	}
	now, ok := placeOf(message.Headers().Get(jetstream.MsgIDHeader))
	before, known := c.places[c.node]
	s, ofDurable := message.(*streamed)
	if ok && known && !now.follows(before, message.Headers()) || ofDurable && s.lost {
		c.missing = &ami.Event{Node: c.node, Received: time.Now(), Gap: &ami.Gap{Reason: gapExpired}}
	}
	if ok {
		c.places[c.node] = now
	}
	if err := c.reader.Open(message.Data()); err != nil {
		c.end()
		return err
	}
	c.open = true
	return nil
}

// isWhole reports whether all of the batch has been handed out that the last record was of.
func (c *Consumer) isWhole() bool { return !c.open || c.missing == nil && !c.reader.More() }

// end says that all of a batch has been handed out.
func (c *Consumer) end() {
	c.open, c.done = false, c.current
	if p, ok := c.places[c.node]; ok {
		c.settled[c.node] = p
	}
}

// Due reports whether so much has come since Acknowledge that it should be called, although more is at hand.
func (c *Consumer) Due() bool { return c.done != nil && c.taken >= ackBytes }

// ackBytes is how much comes between two acknowledgements while more is at hand.
const ackBytes = 64 << 10

// Acknowledge says that all that was handed out is where it has to be: the batches that are whole need not come again to a later reader
// of the durable. Without one it does nothing.
func (c *Consumer) Acknowledge() {
	if c.open && c.missing == nil && !c.reader.More() {
		c.end()
	}
	if c.done != nil {
		c.source.acknowledge(c.done, c.settled)
		c.done, c.taken = nil, 0
		clear(c.settled)
	}
}

// afterHeader is in the first batch of an owner who was handed the node over, and names the last one of the owner before: there is no gap
// between them, and so nothing may be missing there.
const afterHeader = "Ami-After"

// follows reports whether no batch can be missing between two of a node's: an epoch begins with a gap, or says behind what it stands.
func (p place) follows(before place, header nats.Header) bool {
	if p.epoch == before.epoch {
		return p.number <= before.number+1
	}
	if behind, ok := placeOf(header.Get(afterHeader)); ok {
		return behind == before
	}
	return p.number == 1
}

// placeOf reads a batch's Nats-Msg-Id, NODE.EPOCH.NUMBER.
func placeOf(id string) (p place, ok bool) {
	rest, number, _ := cutLast(id)
	_, epoch, ok := cutLast(rest)
	if !ok {
		return place{}, false
	}
	var errs [2]error
	p.epoch, errs[0] = strconv.ParseUint(epoch, 10, 64)
	p.number, errs[1] = strconv.ParseUint(number, 10, 64)
	return p, errors.Join(errs[:]...) == nil
}

func cutLast(s string) (before, after string, ok bool) {
	at := strings.LastIndexByte(s, '.')
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+1:], true
}
