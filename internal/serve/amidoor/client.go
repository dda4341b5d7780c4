package amidoor

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/internal/manager"
	"github.com/apntalk/amictl/internal/serve/relay"
	"github.com/apntalk/amictl/internal/serve/users"
)

// doorName is the door's in logs and figures.
const doorName = "ami"

// A client is one connection.
type client struct {
	door   *Door
	conn   net.Conn
	tls    bool
	addr   netip.Addr
	from   netip.Prefix               // what it is counted by
	peer   string                     // its address as text
	number uint64                     // in the order in which they came
	seat   string                     // whose clients it counts among, "" nobody's; under the door's mu
	user   atomic.Pointer[users.User] // nil: not logged in
	closed chan struct{}              // by close
	once   sync.Once

	// Of the goroutine that reads.
	in        manager.Input
	buf       []byte // what was read is buf[r:w]
	r, w      int
	out       []byte // answers that were not handed to the writer yet
	challenge string
	view      view
	writer    *writer // from the login on
	deadline  bool    // reads have one
	since     time.Time
}

// readSize is the read buffer, in bytes. It holds more than one line, so that a partial one always leaves room.
const readSize = 4 * manager.MaxLine

// flushSize is how many bytes of answers are gathered at most before they are written.
const flushSize = 64 << 10

func newClient(d *Door, conn net.Conn) *client {
	c := &client{door: d, conn: conn, peer: conn.RemoteAddr().String(), since: time.Now(), buf: make([]byte, readSize), closed: make(chan struct{})}
	if at, err := netip.ParseAddrPort(c.peer); err == nil {
		c.addr = at.Addr().Unmap()
		c.from = users.Network(c.addr)
	}
	return c
}

// run serves the client until it leaves, is cut off, or ctx is done and the action under way is answered. work is the context
// of actions.
func (c *client) run(ctx, work context.Context) {
	defer c.end()
	if !c.shakeHands(ctx) {
		return
	}
	c.greet()
	if !c.flush() {
		return
	}
	for c.fill(ctx) && c.consume(ctx, work) {
		c.in.Shrink()
	}
}

// shakeHands does TLS's part, if there is one. It counts for the login.
func (c *client) shakeHands(ctx context.Context) bool {
	conn, ok := c.conn.(*tls.Conn)
	if !ok {
		return true
	}
	c.tls = true
	shaking, cancel := context.WithDeadline(ctx, c.since.Add(c.door.o.AuthTimeout))
	defer cancel()
	return conn.HandshakeContext(shaking) == nil
}

// end closes the connection once all was written.
func (c *client) end() {
	c.flush()
	if c.writer != nil {
		close(c.writer.turns)
		<-c.writer.done
	}
	c.close()
	c.door.gone(c)
	if u := c.user.Load(); u != nil {
		c.log(slog.LevelInfo, "logged off", slog.String("user", u.Name()), slog.Duration("after", time.Since(c.since).Round(time.Millisecond)))
	}
}

// close cuts the client off. It may be called at any time, by anybody.
func (c *client) close() {
	c.once.Do(func() { close(c.closed) })
	_ = c.conn.Close()
}

// wake ends a wait for the client's next bytes.
func (c *client) wake() { _ = c.conn.SetReadDeadline(time.Unix(1, 0)) }

// fill reads once, and reports whether the session goes on. Before the login there is a limit to it all.
func (c *client) fill(ctx context.Context) bool {
	var until time.Time
	if c.user.Load() == nil {
		until = c.since.Add(c.door.o.AuthTimeout)
	}
	if !until.IsZero() || c.deadline {
		c.deadline = !until.IsZero()
		_ = c.conn.SetReadDeadline(until)
	}
	if ctx.Err() != nil { // it is looked at behind the deadline, which wake may have set before
		return false
	}
	n, err := c.conn.Read(c.buf[c.w:])
	c.w += n
	return n > 0 || err == nil
}

// consume carries out every whole message of what was read, and reports whether the session goes on.
func (c *client) consume(ctx, work context.Context) bool {
	for ctx.Err() == nil {
		n, v := c.in.Feed(c.buf[c.r:c.w])
		c.r += n
		if v == manager.NeedMore {
			c.w = copy(c.buf, c.buf[c.r:c.w])
			c.r = 0
			return c.flush()
		}
		if !c.message(ctx, work, v) || len(c.out) >= flushSize && !c.flush() {
			return false
		}
	}
	return false
}

// message carries out one message (process_message in manager.c), and reports whether the session goes on.
func (c *client) message(ctx, work context.Context, v manager.Verdict) bool {
	action := c.in.First("Action", true)
	switch {
	case v == manager.GotTooMany:
		c.refuse(manager.TooManyText)
		return true
	case v == manager.GotTooLong:
		c.refuse(manager.TooLongText)
		return true
	case len(action) == 0:
		c.refuse(manager.NoActionText)
		return true
	}
	run, stranger := ownOf(string(action))
	u := c.user.Load()
	switch {
	case u == nil && !stranger:
		c.refuse(manager.DeniedText)
		return true
	case run == nil:
		return c.relay(work, u, string(action))
	}
	return run(c, ctx, work)
}

// flush writes the answers that were gathered, if there are any. It reports whether the client is still there.
func (c *client) flush() bool { return len(c.out) == 0 || c.send(turn{}) }

// send hands the answers that were gathered to the writer, with what else it is to know. It reports whether the client is still
// there.
func (c *client) send(t turn) bool {
	if c.writer == nil {
		err := c.write(c.out)
		c.out = c.out[:0]
		return err == nil
	}
	t.out, c.out = c.out, nil
	select {
	case c.writer.turns <- t:
		return true
	case <-c.writer.done:
		return false
	}
}

// write writes b. A client that takes no byte of it for the write timeout is cut off, in the middle of a packet if so it is, as
// Asterisk does.
func (c *client) write(b []byte) error {
	for len(b) > 0 {
		_ = c.conn.SetWriteDeadline(time.Now().Add(c.door.o.WriteTimeout))
		n, err := c.conn.Write(b[:min(len(b), flushSize)])
		b = b[n:]
		late := errors.Is(err, os.ErrDeadlineExceeded)
		if err == nil || late && n > 0 && !c.tls { // a record of TLS cannot be gone on with
			continue
		}
		if late {
			c.cutOff("it takes no bytes")
		}
		return err
	}
	return nil
}

// cutOff ends the session of a client that is too slow.
func (c *client) cutOff(why string) {
	c.door.up.AMI.CutOff.Add(1)
	c.log(slog.LevelWarn, "client cut off", slog.String("why", why))
	c.close()
}

func (c *client) log(level slog.Level, message string, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{slog.String("door", doorName), slog.String("node", c.door.o.Node), slog.String("client", c.peer)}, attrs...)
	c.door.up.Log.LogAttrs(context.Background(), level, message, attrs...)
}

// recheck gives the client the rights that its user has now, or cuts it off.
func (c *client) recheck() {
	u := c.user.Load()
	if u == nil {
		return
	}
	now := c.door.up.Users.Still(u)
	if now != nil && now.SeesNode(c.door.o.Node) {
		c.user.CompareAndSwap(u, now)
		return
	}
	c.log(slog.LevelWarn, "client cut off", slog.String("why", "the user is gone, or has another secret or no right to this node"), slog.String("user", u.Name()))
	c.close()
}

// id returns the client's ActionID, "" if there is none.
func (c *client) id() string { return string(c.in.First("ActionID", false)) }

// head begins an answer (astman_send_response_full in manager.c).
func (c *client) head(response string) {
	c.out = append(c.out, "Response: "...)
	c.out = append(c.out, response...)
	c.out = append(c.out, "\r\n"...)
	if id := c.in.First("ActionID", false); len(id) > 0 {
		c.out = append(c.out, "ActionID: "...)
		c.out = append(c.out, id...)
		c.out = append(c.out, "\r\n"...)
	}
}

// answer answers with one header more.
func (c *client) answer(response, header, value string) {
	c.head(response)
	c.out = append(c.out, header...)
	c.out = append(c.out, ": "...)
	c.out = append(c.out, value...)
	c.out = append(c.out, "\r\n\r\n"...)
}

// refuse answers Response: Error.
func (c *client) refuse(message string) { c.answer("Error", "Message", relay.OneLine(message)) }
