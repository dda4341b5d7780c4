package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/redact"
	"github.com/apntalk/amictl/pkg/output"
)

// watched puts what --trace and --verbose need around a node's sessions. Every secret that is handed out becomes known
// to the redactor first, so that it is hidden wherever it shows up.
func (a *app) watched(cfg *ami.Config) {
	if ask := cfg.Secret; ask != nil {
		cfg.Secret = func(ctx context.Context) (ami.Secret, error) {
			s, err := ask(ctx)
			if err == nil {
				a.redactor().AddSecret(s)
			}
			return s, err
		}
	}
	if !a.flags.trace && !a.flags.verbose {
		return
	}
	node := cfg.Name
	cfg.Wrap = func(c net.Conn) net.Conn {
		w := &watchedConn{Conn: c}
		if a.flags.verbose {
			a.logger().Info("connected", slog.String("node", node), slog.String("peer", c.RemoteAddr().String()))
			w.closed = func() { a.logger().Info("connection closed", slog.String("node", node)) }
		}
		if a.flags.trace {
			w.in = &tracer{app: a, node: node, mark: '<', banner: true}
			w.out = &tracer{app: a, node: node, mark: '>'}
		}
		return w
	}
}

// redactor hides secrets, and what the configuration's patterns match, in what the run shows or records.
func (a *app) redactor() *redact.Redactor {
	a.hideOnce.Do(func() {
		cfg := redact.Config{}
		if a.settings != nil {
			cfg.Patterns = a.settings.config.Redact
		}
		r, err := redact.New(cfg)
		if err != nil {
			panic(err) // loadConfig has tried the patterns
		}
		a.hide = r
	})
	return a.hide
}

// logger is where --verbose says what connections do.
func (a *app) logger() *slog.Logger {
	a.logOnce.Do(func() {
		a.log = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{ReplaceAttr: a.redactor().Attr}))
	})
	return a.log
}

// A watchedConn shows what goes through a connection.
type watchedConn struct {
	net.Conn
	in, out *tracer // nil: not traced
	closed  func()
	once    sync.Once
}

func (c *watchedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.in != nil {
		c.in.take(b[:n])
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) { // the engine closes the socket itself, below TLS and this
		c.end()
	}
	return n, err
}

func (c *watchedConn) Write(b []byte) (int, error) {
	if c.out != nil {
		c.out.take(b)
	}
	return c.Conn.Write(b)
}

func (c *watchedConn) Close() error {
	err := c.Conn.Close()
	c.end()
	return err
}

// end shows what is left, once.
func (c *watchedConn) end() {
	c.once.Do(func() {
		if c.in != nil {
			c.in.rest()
			c.out.rest()
		}
		if c.closed != nil {
			c.closed()
		}
	})
}

// longestTraced is how much of a packet without an end is kept to be redacted as a whole.
const longestTraced = 1 << 20

// A tracer writes one direction of a connection to standard error, a line each, packet by packet: a secret may be cut
// in two by the network, and what a value means may stand on another line of its packet.
type tracer struct {
	app    *app
	node   string
	mark   byte
	banner bool // the greeting, a line by itself, is still to come

	mu   sync.Mutex
	held []byte // guarded by mu: the beginning of a packet
}

var packetEnd = []byte("\r\n\r\n")

func (t *tracer) take(b []byte) {
	if len(b) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	from := max(0, len(t.held)-len(packetEnd)+1)
	t.held = append(t.held, b...)
	shown := 0
	if t.banner {
		i := bytes.IndexByte(t.held, '\n')
		if i < 0 {
			return
		}
		t.banner = false
		shown = i + 1
		t.show(t.held[:shown])
		from = shown
	}
	for {
		i := bytes.Index(t.held[from:], packetEnd)
		if i < 0 {
			break
		}
		end := from + i + len(packetEnd)
		t.show(t.held[shown:end])
		shown, from = end, end
	}
	if len(t.held)-shown > longestTraced { // whole lines of it: no secret is longer than its line
		if i := bytes.LastIndexByte(t.held, '\n'); i >= shown {
			t.show(t.held[shown : i+1])
			shown = i + 1
		}
	}
	t.held = append(t.held[:0], t.held[shown:]...)
	if cap(t.held) > longestTraced/16 && len(t.held) == 0 {
		t.held = nil // a long packet's room
	}
}

// rest shows what is left when the connection is closed.
func (t *tracer) rest() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.held) > 0 {
		t.show(t.held)
		t.held = nil
	}
}

// show writes lines in one piece, so that nodes do not mix within a packet. Called under mu.
func (t *tracer) show(packet []byte) {
	safe := t.app.redactor().Text(string(packet))
	stamp := time.Now().Format("15:04:05.000000")
	var out []byte
	for line := range bytes.Lines([]byte(safe)) {
		line = bytes.TrimRight(line, "\r\n")
		out = append(append(out, stamp...), ' ')
		out = append(output.AppendSafe(out, t.node), ' ', t.mark)
		if len(line) > 0 {
			out = output.AppendSafe(append(out, ' '), string(line))
		}
		out = append(out, '\n')
	}
	_, _ = t.app.stderr.Write(out)
}
