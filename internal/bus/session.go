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
	mu     sync.Mutex // held while something is written
}

func newSession(c *Caller, node string, conn net.Conn) *session {
	ctx, end := context.WithCancel(context.Background())
	return &session{caller: c, node: node, conn: conn, ctx: ctx, end: end}
}

// message is one action of the client's.
type message struct {
	name, id string
	packet   []byte
	call     time.Duration // that an Originate may take
}

// run serves the client until it leaves.
func (s *session) run(banner string) {
	defer s.late.Wait()
	defer s.end()
	defer func() { _ = s.conn.Close() }()
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
		return s.write([]byte("Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"))
	case "logoff":
		s.write([]byte("Response: Goodbye\r\n" + idLine(m.id) + "Message: Thanks for all the fish.\r\n\r\n"))
		return false
	case "events", "filter": // there are no events
		return s.succeed(m, "")
	}
	return s.relay(m)
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

// relay has the node's owner carry out an action, and passes the answer on.
func (s *session) relay(m message) bool {
	limit := max(s.caller.timeout, m.call)
	header := nats.Header{deadlineHeader: []string{time.Now().Add(limit).UTC().Format(time.RFC3339Nano)}}
	p, err := s.caller.ask(subject.Action(s.caller.cluster, s.node, s.caller.user, m.name), header, m.packet)
	if err != nil {
		return s.refuse(m, err, ami.SentNo)
	}
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	reply := reply{pending: p}
	later, err := s.pass(ctx, &reply)
	if err == nil && later { // a call that is set up; nothing else waits for its end
		s.late.Go(func() {
			defer cancel()
			defer s.caller.forget(p)
			for later && err == nil {
				later, err = s.pass(ctx, &reply)
			}
		})
		return true
	}
	defer cancel()
	defer s.caller.forget(p)
	return err == nil || s.failed(m, err, reply.parts)
}

// failed tells the client of an answer that is not whole, and reports whether the session goes on.
func (s *session) failed(m message, err error, parts int) bool {
	switch {
	case errors.Is(err, errNoOwner), errors.As(err, new(notBegunError)), errors.As(err, new(*RefusedError)):
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
