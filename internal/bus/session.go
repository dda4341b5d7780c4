package bus

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/internal/manager"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A session speaks AMI with one client in this process. As with Asterisk, one action comes behind the other; what is said of a call
// later comes when it comes.
type session struct {
	caller *Caller
	node   string
	conn   net.Conn
	ctx    context.Context //nolint:containedctx // of the session, which no call bounds
	end    context.CancelFunc
	late   sync.WaitGroup
	out    *outbox    // of events; nil: there are none
	epoch  string     // of the node's owner; "": nobody has said
	known  time.Time  // when he has
	mu     sync.Mutex // held while something is written
}

func newSession(c *Caller, node string, conn net.Conn) *session {
	ctx, end := context.WithCancel(context.Background())
	return &session{caller: c, node: node, conn: conn, ctx: ctx, end: end}
}

// message is one action of the client's.
type message struct {
	name, id string
	mask     manager.Class // of the events that a Login asks for
	packet   []byte
	call     time.Duration // that an Originate may take
}

// run serves the client until it leaves.
func (s *session) run(banner string) {
	defer s.late.Wait()
	defer s.end()
	defer func() { _ = s.conn.Close() }()
	defer s.leave()
	if banner == "" {
		banner = "Asterisk Call Manager"
	}
	s.write([]byte(banner + "\r\n"))
	queue := newQueue()
	s.late.Go(func() { // it always reads: a client that pipelines is not to wait for answers
		defer queue.close()
		s.read(queue.put)
	})
	for {
		m, ok := queue.take()
		if !ok || !s.handle(m) {
			return
		}
	}
}

// read takes the client's messages apart.
func (s *session) read(take func(message)) {
	var in manager.Input
	buf, w := make([]byte, 4*manager.MaxLine), 0
	for {
		n, err := s.conn.Read(buf[w:])
		if w += n; n == 0 && err != nil {
			s.end()
			return
		}
		for r := 0; ; {
			n, verdict := in.Feed(buf[r:w])
			r += n
			if verdict == manager.NeedMore {
				w = copy(buf, buf[r:w])
				break
			}
			take(messageOf(&in))
		}
	}
}

// callMargin is the time behind an Originate's own until its end is given up.
const callMargin = 10 * time.Second

// messageOf copies a message out of the reader.
func messageOf(in *manager.Input) message {
	m := message{name: string(in.First("Action", true)), id: string(in.First("ActionID", false))}
	m.mask, _ = manager.ParseMask(string(in.First("Events", false)))
	if wire.EqualFold(m.name, "Originate") {
		m.call = manager.CallTime(string(in.First("Timeout", false))) + callMargin
	}
	for i := range in.Len() {
		m.packet = append(append(m.packet, in.Line(i)...), "\r\n"...)
	}
	m.packet = append(m.packet, "\r\n"...)
	return m
}

// handle carries out a message, and reports whether the session goes on.
func (s *session) handle(m message) bool {
	switch strings.ToLower(m.name) {
	case "login":
		s.succeed(m, "Authentication accepted")
		return s.write([]byte("Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n")) && s.follow(m.mask)
	case "logoff":
		s.write([]byte("Response: Goodbye\r\n" + idLine(m.id) + "Message: Thanks for all the fish.\r\n\r\n"))
		return false
	case "events", "filter": // the mask is that of the login
		return s.succeed(m, "")
	}
	return s.relay(m)
}

// follow begins to write events, if there are any and the client wants some. It reports whether the session goes on.
func (s *session) follow(mask manager.Class) bool {
	f := s.caller.feed
	if f == nil || mask == 0 || s.out != nil {
		return true
	}
	var err error
	if s.out, err = f.join(s.node, mask); err != nil {
		return false
	}
	s.late.Go(func() {
		defer func() { _ = s.conn.Close() }()
		for {
			events, ok := s.out.take()
			if !ok || !s.write(events) {
				return
			}
		}
	})
	return true
}

// leave ends that.
func (s *session) leave() {
	if s.out != nil {
		s.caller.feed.leave(s.node, s.out)
	}
}

func idLine(id string) string {
	if id == "" {
		return ""
	}
	return "ActionID: " + id + "\r\n"
}

func (s *session) succeed(m message, text string) bool {
	if text != "" {
		text = "Message: " + text + "\r\n"
	}
	return s.write([]byte("Response: Success\r\n" + idLine(m.id) + text + "\r\n"))
}

// Times of a node without an owner.
const (
	ownerWait  = 4 * time.Second // for the next one; hot bridges that are taken for dead are replaced within three
	ownerEvery = 50 * time.Millisecond
	ownerTime  = 500 * time.Millisecond // for an answer who the owner is, and for how long it holds: one that dies is replaced later
)

// relay has the node's owner carry out an action, and passes the answer on. If there is none now, it waits a while for the next.
func (s *session) relay(m message) bool {
	if s.out != nil {
		s.out.hold()
		defer s.out.free(time.Time{})
	}
	begun, limit := time.Now(), max(s.caller.timeout, m.call)
	header := nats.Header{deadlineHeader: []string{begun.Add(limit).UTC().Format(time.RFC3339Nano)}}
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	for {
		r, later, err := s.try(ctx, m, header)
		if err == nil && later { // a call that is set up; nothing else waits for its end
			s.late.Go(func() {
				defer cancel()
				defer s.caller.forget(r.pending)
				for later && err == nil {
					later, err = s.pass(ctx, r)
				}
			})
			return true
		}
		if r.pending != nil {
			s.caller.forget(r.pending)
		}
		if (errors.Is(err, errNoOwner) || errors.Is(err, notBegunError(handedOn))) && time.Since(begun) < ownerWait {
			s.epoch = ""
			select {
			case <-time.After(ownerEvery):
				continue
			case <-ctx.Done():
			}
		}
		cancel()
		return err == nil || s.failed(m, err, r.parts)
	}
}

// try asks the owner, and passes on what is at hand of his answer.
func (s *session) try(ctx context.Context, m message, header nats.Header) (r *reply, later bool, err error) {
	r = &reply{}
	if s.epoch == "" || time.Since(s.known) > ownerTime {
		asking, cancel := context.WithTimeout(ctx, ownerTime)
		defer cancel()
		owner, err := s.caller.owner(asking, s.node)
		switch {
		case err != nil && asking.Err() != nil && ctx.Err() == nil:
			return r, false, errNoOwner // he stands still, or has just gone
		case err != nil:
			return r, false, err
		}
		s.epoch, s.known = owner.Header.Get(ownerHeader), time.Now()
	}
	header.Set(ownerHeader, s.epoch)
	if r.pending, err = s.caller.ask(subject.Action(s.caller.cluster, s.node, s.caller.user, m.name), header, m.packet); err != nil {
		return r, false, err
	}
	later, err = s.pass(ctx, r)
	return r, later, err
}

// failed tells the client of an answer that is not whole, and reports whether the session goes on.
func (s *session) failed(m message, err error, parts int) bool {
	switch {
	case (errors.Is(err, errNoOwner) || errors.As(err, new(*unaskedError))) && s.out != nil: // nobody says any more what happens at the node
		s.refuse(m, err, ami.SentNo)
		return false
	case errors.Is(err, errLate):
		return false
	case errors.Is(err, errNoOwner), errors.As(err, new(*unaskedError)), errors.As(err, new(notBegunError)), errors.As(err, new(*RefusedError)):
		return s.refuse(m, err, ami.SentNo)
	case errors.Is(err, errNoPart) && parts == 0:
		return s.refuse(m, err, ami.SentMaybe)
	case errors.Is(err, errNoPart):
		return false // the client has the beginning of an answer that has no end
	}
	return s.ctx.Err() == nil // the client's own time is over
}

// A notBegunError is what a bridge says that has not begun.
type notBegunError string

func (e notBegunError) Error() string { return string(e) }

// A reply is what comes for a request.
type reply struct {
	*pending
	parts int // that came
}

// part waits for the next part.
func (r *reply) part(ctx context.Context) (*nats.Msg, error) {
	m, err := r.pending.part(ctx)
	if err != nil {
		return nil, err
	}
	if why := m.Header.Get(refusedHeader); why != "" {
		return nil, notBegunError(why)
	}
	if m.Header.Get(partHeader) != strconv.Itoa(r.parts+1) {
		return nil, errNoPart
	}
	r.parts++
	return m, nil
}

// pass writes the next packets of an answer, whole. later says that others come later.
func (s *session) pass(ctx context.Context, r *reply) (later bool, err error) {
	if s.out != nil && r.parts == 0 {
		return s.place(ctx, r)
	}
	m, err := r.part(ctx)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if _, err := s.conn.Write(m.Data); err != nil {
			return false, err
		}
		if more := m.Header.Get(moreHeader); more != morePart {
			return more == moreLater, nil
		}
		if m, err = r.part(ctx); err != nil {
			return false, err
		}
	}
}

// mostAnswer is how many bytes an answer may have that is put in its place among events.
const mostAnswer = 256 << 20

// errLate: an answer cannot be put in its place among the events, or took so long that it is too far ahead of those behind it.
var errLate = errors.New("bus: the answer is too late")

// place is pass for the first packets of an answer in a session with events: it writes them where they belong among these. The answer
// is gathered first, since other nodes' answers wait while a part of this one is not taken.
func (s *session) place(ctx context.Context, r *reply) (later bool, err error) {
	began := time.Now()
	var text []byte
	var behind uint64
	var taken time.Time
	for {
		m, err := r.part(ctx)
		if err != nil {
			return false, err
		}
		if r.parts == 1 { // of an older bridge there is neither: what came before the request was made is older in any case
			behind, _ = strconv.ParseUint(m.Header.Get(behindHeader), 10, 64)
			taken, _ = time.Parse(time.RFC3339Nano, m.Header.Get(takenHeader))
		}
		if text = append(text, m.Data...); len(text) > mostAnswer {
			return false, errLate
		}
		if more := m.Header.Get(moreHeader); more != morePart {
			later = more == moreLater
			break
		}
	}
	late := time.Since(began) > mostLead
	if !s.out.await(ctx, behind) {
		return false, errLate
	}
	if !s.write(text) || late {
		return false, errLate
	}
	if !taken.IsZero() {
		s.out.free(taken.Add(-mostLead))
	}
	return later, nil
}

// write writes packets, and reports whether the client is there.
func (s *session) write(packets []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.conn.Write(packets)
	return err == nil
}

// refuse answers for a bridge that does not.
func (s *session) refuse(m message, err error, sent ami.Sent) bool {
	return s.write(appendRefusal(nil, m.id, strings.TrimPrefix(err.Error(), "bus: "), sent))
}

// A queue of messages has no bound but what the client pipelines.
type queue struct {
	mu     sync.Mutex // guards what follows
	came   *sync.Cond
	list   []message
	closed bool
}

func newQueue() *queue {
	q := &queue{}
	q.came = sync.NewCond(&q.mu)
	return q
}

func (q *queue) put(m message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append(q.list, m)
	q.came.Signal()
}

// close says that nothing more comes, and that what is there is nobody's any more.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.came.Signal()
}

// take waits for the next message; ok is false when the queue is closed.
func (q *queue) take() (m message, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.list) == 0 && !q.closed {
		q.came.Wait()
	}
	if q.closed {
		return m, false
	}
	m, q.list = q.list[0], q.list[1:]
	return m, true
}
