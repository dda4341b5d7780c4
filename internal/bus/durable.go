package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/apntalk/amictl/internal/bus/subject"
)

// ErrInUse: another process reads the durable.
var ErrInUse = errors.New("bus: another process reads this durable")

// A DurableError is a durable that is not what is asked for.
type DurableError struct{ What string }

func (e *DurableError) Error() string { return "bus: " + e.What }

var (
	errDurableGone = errors.New("bus: the durable was deleted")
	errNoReset     = errors.New("bus: the server cannot set a durable back to what was acknowledged; NATS 2.14 and newer can")
)

// Times of a durable.
const (
	durableBeat = 500 * time.Millisecond // of the server, while nothing comes
	durablePull = 30 * time.Second       // a request for messages
	idleLook    = 2 * time.Second        // nothing has come: is all well?
	askTime     = 250 * time.Millisecond // for an answer of another reader

	// unacked is how long the server waits before it delivers again by itself. We ask for that when it is needed: what is only slow
	// to be written is not to come twice.
	unacked = time.Hour
)

// nodesKey is where a durable says in its metadata which nodes it is for.
const nodesKey = "amictl-nodes"

// A durable is the messages of a stream from where its JetStream consumer of that name stands, which stays behind when we end.
//
// The server delivers what was not acknowledged again, but late and behind newer messages. Order is what we promise, so we set the
// consumer back to the last acknowledged message instead: at the beginning, and whenever a delivery is missing, which the numbers
// of deliveries show. What we have already is then passed over.
type durable struct {
	js   jetstream.JetStream
	o    ReadOptions
	self string
	here *nats.Subscription // answers whoever wants to read the same durable

	isNew    bool
	stream   jetstream.Stream
	consumer jetstream.Consumer
	messages jetstream.MessagesContext
	before   map[string]place // where earlier readers were, as the consumer's metadata has it
	seen     map[string]bool  // nodes that something has come of
	saved    time.Time        // places were
	due      uint64           // number of the next delivery
	last     uint64           // sequence of the last message that was handed out

	mu    sync.Mutex // guards what follows
	made  time.Time  // the stream was
	acked uint64     // sequence
	reply string     // where the last acknowledgement went

	places map[string]place // that are acknowledged
	dirty  bool             // they are not saved
}

// A streamed message knows its stream: one that was made anew has the same sequences.
type streamed struct {
	jetstream.Msg
	made     time.Time
	sequence uint64
	lost     bool // batches before it are missing
}

// openDurable begins to read, and makes the durable if there is none.
func openDurable(ctx context.Context, js jetstream.JetStream, o ReadOptions) (d *durable, err error) {
	d = &durable{js: js, o: o, self: nuid.Next(), places: make(map[string]place), seen: make(map[string]bool), saved: time.Now()}
	stream, err := js.Stream(ctx, eventStream(o.Cluster))
	if err != nil {
		return nil, wrap("read the stream of cluster "+o.Cluster, err)
	}
	c, err := stream.Consumer(ctx, o.Durable)
	switch d.isNew = errors.Is(err, jetstream.ErrConsumerNotFound); {
	case d.isNew:
	case err != nil:
		return nil, wrap("look for durable "+o.Durable, err)
	default:
		if err := d.check(c.CachedInfo()); err != nil {
			return nil, err
		}
		d.before = placesIn(c.CachedInfo().Config.Metadata)
	}
	if err := d.enter(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = d.here.Unsubscribe()
		}
	}()
	if d.isNew {
		if c, err = d.make(ctx, stream, o.Start); err != nil {
			return nil, err
		}
	}
	if err = d.begin(ctx, stream, c); err != nil {
		return nil, err
	}
	return d, nil
}

// nodes are those of the options, as a durable's metadata has them.
func (d *durable) nodes() string {
	var all []string
	for _, name := range d.o.Nodes {
		all = append(all, subject.Token(strings.ToLower(name)))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ",")
}

// check refuses a consumer of another making, and one of other nodes: what it passed over of these is gone.
func (d *durable) check(info *jetstream.ConsumerInfo) error {
	nodes, ours := info.Config.Metadata[nodesKey]
	switch {
	case !ours || info.Config.AckPolicy != jetstream.AckAllPolicy:
		return &DurableError{fmt.Sprintf("the stream has a consumer %s that another program made", d.o.Durable)}
	case nodes != d.nodes():
		return &DurableError{fmt.Sprintf("durable %s is of %s, and %s is asked for", d.o.Durable, nodesInWords(nodes), nodesInWords(d.nodes()))}
	}
	return nil
}

// nodesOf reads what durable.nodes has written.
func nodesOf(tokens string) (names []string) {
	for token := range strings.FieldsFuncSeq(tokens, func(r rune) bool { return r == ',' }) {
		if name, err := subject.Name(token); err == nil {
			names = append(names, name)
		}
	}
	return names
}

func nodesInWords(tokens string) string {
	if tokens == "" {
		return "all nodes"
	}
	return strings.Join(nodesOf(tokens), ", ")
}

func (d *durable) make(ctx context.Context, stream jetstream.Stream, start Start) (jetstream.Consumer, error) {
	c := jetstream.ConsumerConfig{
		Durable: d.o.Durable, Description: "a tail of amictl; see docs/bus.md of amictl", Metadata: map[string]string{nodesKey: d.nodes()},
		AckPolicy: jetstream.AckAllPolicy, AckWait: unacked,
	}
	c.DeliverPolicy, c.OptStartTime = start.policy()
	subjects, err := d.o.subjects(ctx, stream)
	if err != nil {
		return nil, err
	}
	if len(subjects) == 1 { // the only form that permissions can look at
		c.FilterSubject = subjects[0]
	} else {
		c.FilterSubjects = subjects
	}
	made, err := stream.CreateConsumer(ctx, c)
	return made, wrap("make durable "+d.o.Durable, err)
}

// enter refuses to read beside another process, and is there for those that come later. Two that come in the same moment find out when
// the first message has gone to one of them.
func (d *durable) enter(ctx context.Context) (err error) {
	conn, at := d.js.Conn(), subject.Reader(d.o.Cluster, d.o.Durable)
	for range 2 { // of one that was killed just now, the server may not know yet
		asking, cancel := context.WithTimeout(ctx, 2*askTime)
		_, err = conn.RequestWithContext(asking, at, []byte(d.self))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err == nil, errors.Is(err, context.DeadlineExceeded): // one that is stopped is there, too
		return ErrInUse
	case !errors.Is(err, nats.ErrNoResponders):
		return wrap("ask whether anybody reads durable "+d.o.Durable, err)
	}
	d.here, err = conn.Subscribe(at, func(m *nats.Msg) {
		if string(m.Data) != d.self {
			_ = m.Respond(nil)
		}
	})
	return wrap("read durable "+d.o.Durable, err)
}

// alone reports whether nobody else reads the durable.
func (d *durable) alone(ctx context.Context) bool {
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	_, err := d.js.Conn().RequestWithContext(asking, subject.Reader(d.o.Cluster, d.o.Durable), []byte(d.self))
	return err != nil
}

// begin sets the consumer back to what was acknowledged, and asks for what comes behind it.
func (d *durable) begin(ctx context.Context, stream jetstream.Stream, c jetstream.Consumer) error {
	_, err := d.js.ResetConsumer(ctx, eventStream(d.o.Cluster), d.o.Durable)
	if errors.Is(err, nats.ErrNoResponders) {
		return errNoReset
	}
	if err != nil {
		return wrap("set durable "+d.o.Durable+" back", err)
	}
	messages, err := c.Messages(jetstream.PullExpiry(durablePull), jetstream.PullHeartbeat(durableBeat))
	if err != nil {
		return wrap("read durable "+d.o.Durable, err)
	}
	d.stream, d.consumer, d.messages, d.due = stream, c, messages, 1
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made = stream.CachedInfo().Created
	return nil
}

func (d *durable) next(ctx context.Context) (jetstream.Msg, error) {
	for {
		d.saveSometimes(ctx)
		limited, cancel := context.WithTimeout(ctx, idleLook)
		m, err := d.messages.Next(jetstream.NextContext(limited))
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil:
			own, ok := d.take(m)
			switch {
			case own != nil:
				d.lookBefore(ctx, own)
				return own, nil
			case ok:
				continue
			}
		case errors.Is(err, context.DeadlineExceeded) && d.well(ctx):
			continue
		}
		if err := d.again(ctx); err != nil {
			return nil, err
		}
	}
}

// take looks at a delivery. ok is false if one before it is missing; own is nil if we have had the message.
func (d *durable) take(m jetstream.Msg) (own *streamed, ok bool) {
	meta, err := m.Metadata()
	if err != nil || meta.Sequence.Consumer != d.due {
		return nil, false
	}
	d.due++
	s := &streamed{Msg: m, made: d.made, sequence: meta.Sequence.Stream}
	if s.sequence > d.last {
		d.last = s.sequence
		return s, true
	}
	d.mu.Lock()
	acked := s.sequence <= d.acked
	d.mu.Unlock()
	if acked { // and the server has not heard of it
		d.acknowledge(s, nil)
	}
	return nil, true
}

// well reports whether nothing has come because there is nothing.
func (d *durable) well(ctx context.Context) bool {
	limited, cancel := context.WithTimeout(ctx, ackTime)
	defer cancel()
	info, err := d.consumer.Info(limited)
	return err == nil && info.Delivered.Consumer < d.due
}

// again begins anew, when the bus is there, behind what was acknowledged.
func (d *durable) again(ctx context.Context) error {
	d.messages.Stop()
	for {
		limited, cancel := context.WithTimeout(ctx, ackTime)
		err := d.resume(limited)
		cancel()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrInUse), errors.Is(err, errDurableGone), errors.Is(err, nats.ErrConnectionClosed):
			return err
		}
		select {
		case <-time.After(retryWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// resume is one attempt to begin anew. In a stream that was made anew, with which the durable has gone, it begins with the first
// message: those that were lost with the one before show in the places of the batches.
func (d *durable) resume(ctx context.Context) error {
	stream, err := d.js.Stream(ctx, eventStream(d.o.Cluster))
	if err != nil {
		return err // the bus is away, or a bridge has yet to make the stream
	}
	if !d.alone(ctx) {
		return ErrInUse
	}
	anew := !stream.CachedInfo().Created.Equal(d.made)
	c, err := stream.Consumer(ctx, d.o.Durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound) && anew:
		c, err = d.make(ctx, stream, Start{All: true})
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		return errDurableGone
	}
	if err != nil {
		return err
	}
	if err := d.begin(ctx, stream, c); err != nil {
		return err
	}
	if anew {
		d.last = 0
		d.mu.Lock()
		d.acked, d.reply = 0, ""
		d.mu.Unlock()
	}
	return nil
}

// acknowledge tells the server. An acknowledgement that is lost is made up for by the next.
func (d *durable) acknowledge(m jetstream.Msg, places map[string]place) {
	s, ok := m.(*streamed)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !ok || !s.made.Equal(d.made) {
		return
	}
	maps.Copy(d.places, places)
	d.dirty = d.dirty || len(places) > 0
	d.acked, d.reply = max(d.acked, s.sequence), s.Reply()
	_ = s.Ack() // it only writes to a buffer
}

// The server forgets what it removes: a consumer that was away for longer than the stream keeps batches stands where the next one is, as
// if nothing had been before. So we keep the places of the last batches in the consumer's metadata, where a later reader finds them:
// exactly when we end, and a little older when we are killed.

// placesKey is where the metadata has them, as Msg-Ids with a space between.
const placesKey = "amictl-places"

// saveEvery is how old places may be.
const saveEvery = 10 * time.Second

// placesIn reads what save has written.
func placesIn(metadata map[string]string) map[string]place {
	all := make(map[string]place)
	for id := range strings.FieldsSeq(metadata[placesKey]) {
		p, ok := placeOf(id)
		rest, _, _ := cutLast(id)
		token, _, _ := cutLast(rest)
		if node, err := subject.Name(token); ok && err == nil {
			all[node] = p
		}
	}
	return all
}

func (d *durable) saveSometimes(ctx context.Context) {
	if time.Since(d.saved) < saveEvery {
		return
	}
	limited, cancel := context.WithTimeout(ctx, ackTime)
	defer cancel()
	d.save(limited)
}

// save keeps the places. One that fails is made up for by the next.
func (d *durable) save(ctx context.Context) {
	d.saved = time.Now()
	d.mu.Lock()
	all, dirty := maps.Clone(d.before), d.dirty
	if all == nil {
		all = make(map[string]place)
	}
	maps.Copy(all, d.places)
	d.dirty = false
	d.mu.Unlock()
	if !dirty {
		return
	}
	var words []string
	for node, p := range all {
		words = append(words, fmt.Sprintf("%s.%d.%d", subject.Token(node), p.epoch, p.number))
	}
	slices.Sort(words)
	c := d.consumer.CachedInfo().Config
	c.Metadata = map[string]string{nodesKey: d.nodes(), placesKey: strings.Join(words, " ")}
	if _, err := d.stream.UpdateConsumer(ctx, c); err != nil {
		d.mu.Lock()
		d.dirty = true
		d.mu.Unlock()
	}
}

// lookBefore finds out of the first batch of a node whether those before it were read by earlier readers. One that is still in the stream
// was, or it would have come.
func (d *durable) lookBefore(ctx context.Context, s *streamed) {
	node, err := subject.Node(s.Subject())
	now, ok := placeOf(s.Headers().Get(jetstream.MsgIDHeader))
	if d.isNew || err != nil || !ok || d.seen[node] {
		return
	}
	d.seen[node] = true
	before, known := d.before[node]
	marked := now.number == 1 && s.Headers().Get(afterHeader) == "" // an epoch that begins has a gap of its own
	if known && now.follows(before, s.Headers()) || !known && marked {
		return
	}
	previous, err := strconv.ParseUint(s.Headers().Get(jetstream.ExpectedLastSubjSeqHeader), 10, 64)
	if err == nil && previous > 0 {
		limited, cancel := context.WithTimeout(ctx, ackTime)
		defer cancel()
		info, err := d.stream.Info(limited)
		if err == nil && info.State.FirstSeq <= previous {
			return
		}
	}
	s.lost = true
}

// close ends the reading, when the server has the last acknowledgement, or there is no answer.
func (d *durable) close() {
	d.messages.Stop()
	d.mu.Lock()
	reply := d.reply
	d.mu.Unlock()
	if reply != "" {
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		_, _ = d.js.Conn().RequestWithContext(ctx, reply, []byte("+ACK")) // again: it does no harm
		d.save(ctx)
	}
	_ = d.here.Unsubscribe()
}
