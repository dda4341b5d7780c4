package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/pkg/ami"
)

// A Caller asks the owners of nodes for actions. It is safe for concurrent use.
type Caller struct {
	conn    *nats.Conn
	cluster string
	user    string
	timeout time.Duration // for an action
	inbox   string        // what answers to all requests begin with
	answers *nats.Subscription

	feed     *feed // nil: sessions have no events
	unfollow func()

	mu      sync.Mutex // guards what follows
	next    uint64
	pending map[string]*pending // by the last token of the inbox
	broken  *RefusedError       // the bus has refused the inbox
}

// A pending request has answers to come.
type pending struct {
	subject string
	token   string
	parts   chan *nats.Msg
	refused chan *RefusedError // gets one if the bus refuses the request
	done    chan struct{}      // closed by whoever waits no more
}

// NewCaller returns a caller on a connection that is its own: it takes over its errors.
func NewCaller(conn *nats.Conn, cluster, user string, timeout time.Duration) (*Caller, error) {
	c := &Caller{conn: conn, cluster: cluster, user: user, timeout: timeout, inbox: conn.NewInbox(), pending: make(map[string]*pending)}
	before := conn.ErrorHandler()
	conn.SetErrorHandler(func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if refused := refusal(err); refused == nil || !c.refused(refused) {
			before(nc, sub, err)
		}
	})
	var err error
	if c.answers, err = conn.Subscribe(c.inbox+".*", c.take); err == nil {
		err = conn.Flush() // a bus that refuses the inbox says so now
	}
	return c, wrap("listen for answers", err)
}

// refused ends the requests that the bus has refused, and reports whether there were any. Without its inbox a caller is of no use.
func (c *Caller) refused(why *RefusedError) (found bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if strings.Contains(why.What, c.inbox) {
		c.broken, found = why, true
	}
	for token, p := range c.pending {
		if c.broken != nil || strings.Contains(why.What, `"`+p.subject+`"`) {
			p.refused <- why
			delete(c.pending, token)
			found = true
		}
	}
	return found
}

// take hands a part of an answer to who waits for it.
func (c *Caller) take(m *nats.Msg) {
	_, token, _ := cutLast(m.Subject)
	c.mu.Lock()
	p := c.pending[token]
	c.mu.Unlock()
	if p == nil {
		return // nobody waits any more
	}
	select {
	case p.parts <- m:
	case <-p.done:
	}
}

// ask sends a request.
func (c *Caller) ask(subj string, header nats.Header, data []byte) (*pending, error) {
	c.mu.Lock()
	c.next++
	p := &pending{subject: subj, token: fmt.Sprint(c.next), parts: make(chan *nats.Msg, 16), refused: make(chan *RefusedError, 1), done: make(chan struct{})}
	c.pending[p.token] = p
	broken := c.broken
	c.mu.Unlock()
	if broken != nil {
		c.forget(p)
		return nil, &unaskedError{broken}
	}
	err := c.conn.PublishMsg(&nats.Msg{Subject: subj, Reply: c.inbox + "." + p.token, Header: header, Data: data})
	if err != nil {
		c.forget(p)
		return nil, &unaskedError{wrap("ask for an action", err)}
	}
	return p, nil
}

// An unaskedError is why nobody was asked: the bus is away, or does not allow it.
type unaskedError struct{ error }

func (e *unaskedError) Unwrap() error { return e.error }

// forget ends the waiting for a request.
func (c *Caller) forget(p *pending) {
	c.mu.Lock()
	delete(c.pending, p.token)
	c.mu.Unlock()
	close(p.done)
}

// Why a request has no answer.
var (
	errNoOwner = errors.New("no bridge that takes actions owns it now")
	errNoPart  = errors.New("a part of the answer was lost")
)

// part waits for the next part of an answer.
func (p *pending) part(ctx context.Context) (*nats.Msg, error) {
	select {
	case m := <-p.parts:
		if m.Header.Get("Status") == "503" {
			return nil, errNoOwner
		}
		return m, nil
	case why := <-p.refused:
		return nil, why
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Node is how the engine has a session to a node: its actions go over the bus, and it has events if the caller follows them.
func (c *Caller) Node(name string) ami.Config {
	return ami.Config{
		Name: name, Addr: "bus:5038", Username: c.user, Secret: ami.StaticSecret("bus"), Auth: ami.AuthPlain, Events: "off",
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx, name) },
	}
}

// owner asks the owner of a node who he is.
func (c *Caller) owner(ctx context.Context, node string) (*nats.Msg, error) {
	p, err := c.ask(subject.Owner(c.cluster, node), nil, nil)
	if err != nil {
		return nil, err
	}
	defer c.forget(p)
	return p.part(ctx)
}

// dial makes the connection of a session to a node.
func (c *Caller) dial(ctx context.Context, node string) (net.Conn, error) {
	if c.feed != nil {
		if err := c.feed.ended(); err != nil {
			return nil, err
		}
	}
	m, err := c.owner(ctx, node)
	if err != nil {
		return nil, err
	}
	if away := m.Header.Get(awayHeader); away != "" {
		return nil, errors.New("its bridge has no session to it: " + away)
	}
	ours, theirs := net.Pipe()
	s := newSession(c, node, theirs)
	s.epoch, s.known = m.Header.Get(ownerHeader), time.Now()
	go s.run(string(m.Data))
	return ours, nil
}

// Close ends the caller, and its connection.
func (c *Caller) Close() {
	if c.feed != nil {
		c.unfollow()
	}
	c.conn.Close()
}
