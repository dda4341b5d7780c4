package ami

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Defaults of [Config]. Durations are wall-clock.
const (
	DefaultDialTimeout     = 5 * time.Second  // name resolution, TCP and TLS handshake together
	DefaultLoginTimeout    = 10 * time.Second // banner to login answer
	DefaultActionTimeout   = 30 * time.Second
	DefaultKeepalive       = 15 * time.Second // silence after which a Ping is sent
	DefaultPingTimeout     = 10 * time.Second // for a Ping's answer, counted from when the actions ahead of it are due
	DefaultKeepaliveMisses = 3
	DefaultBackoffMin      = 100 * time.Millisecond
	DefaultBackoffMax      = 30 * time.Second
	DefaultBreakerAfter    = 30 * time.Second // without a session: before, redials are 2 s apart at most; then the backoff grows
	DefaultLoginBackoffMin = 30 * time.Second // after a refused login
	DefaultLoginBackoffMax = 10 * time.Minute
	DefaultStableAfter     = 10 * time.Second // a session this old was a success: the backoff starts anew
	DefaultPending         = 4096             // actions in flight a node
	DefaultWriteBuffer     = 1 << 20          // bytes not yet handed to the network, a node
	DefaultListItems       = 100_000
	DefaultListBytes       = 64 << 20
	DefaultUnauthorized    = 64 << 10 // bytes a server may send before the login is answered
	DefaultRingEvents      = 8192     // events a subscription and node
	DefaultRingBytes       = 8 << 20
)

// AuthMethod says how a session proves who it is.
type AuthMethod uint8

const (
	// AuthAuto sends the secret itself over TLS and to a loopback address, and answers an MD5 challenge elsewhere.
	AuthAuto AuthMethod = iota
	// AuthMD5 always answers an MD5 challenge; a refused Challenge does not fall back to AuthPlain.
	AuthMD5
	// AuthPlain always sends the secret itself.
	AuthPlain
)

// A DialFunc opens a transport connection. Name resolution is part of it.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Config describes one server and the sessions to it. Zero fields take the documented defaults.
type Config struct {
	Name     string // unique in a cluster; Addr if empty
	Addr     string // host:port; an IPv6 literal in brackets
	Username string
	Secret   SecretProvider // asked at each login
	Auth     AuthMethod
	TLS      *tls.Config       // nil: in the clear. ServerName is taken from Addr if empty
	Labels   map[string]string // for selection; not interpreted
	// Fingerprint says where Secret and TLS come from, for whoever compares configurations: neither can be compared. Not
	// interpreted.
	Fingerprint string

	// Events is the session's event mask as in the Login header Events: "on", "off" (the default) or class names
	// joined by commas.
	Events string
	// Filters are added to every new session before it is ready, each a list of headers of a Filter action beside
	// Operation, such as {Filter, "Event: Hangup"}. They need the class "system".
	Filters [][]Field
	// OnReady runs on every new session before it counts as ready, to bring the caller's state up to date. Its error ends
	// the session. It must use the Conn that it is given, and like Dial, Wrap and Secret it must not remove its node, or
	// close or drain its cluster, because those wait for it: a separate goroutine may.
	OnReady func(ctx context.Context, c *Conn) error

	Dial DialFunc // nil: net.Dialer with TCP_USER_TIMEOUT and TCP keepalive
	// Wrap wraps the session's connection, on top of TLS: a place to trace the wire. nil: nothing.
	Wrap func(net.Conn) net.Conn

	Timeouts  Timeouts
	Keepalive Keepalive
	Redial    Redial
	Limits    Limits
}

// Timeouts bound what a session waits for.
type Timeouts struct {
	Dial   time.Duration // name resolution, TCP and TLS handshake together; 0: DefaultDialTimeout
	Login  time.Duration // banner to login answer; 0: DefaultLoginTimeout
	Action time.Duration // an action's complete answer, if the action says nothing; 0: DefaultActionTimeout
}

// Keepalive says how a session detects that the server no longer answers.
type Keepalive struct {
	// Interval is the silence after which a Ping is sent; 0: DefaultKeepalive. Negative: no Ping is sent, unless unanswered
	// actions fill the table.
	Interval time.Duration
	Timeout  time.Duration // for a Ping's answer, counted from when the actions ahead of it are due; 0: DefaultPingTimeout
	Misses   int           // in a row, at which the session is given up; 0: DefaultKeepaliveMisses
}

// Redial says when a node tries again after its session was lost or could not be made. Dial, which makes one session,
// ignores it.
type Redial struct {
	BackoffMin time.Duration // 0: DefaultBackoffMin
	BackoffMax time.Duration // 0: DefaultBackoffMax

	// BreakerAfter is how long a server may be away before the breaker opens: until then a node tries again at least every 2
	// s; from then on its backoff grows to BackoffMax and calls fail at once. 0: DefaultBreakerAfter.
	BreakerAfter time.Duration

	LoginBackoffMin time.Duration // after a refused login; 0: DefaultLoginBackoffMin
	LoginBackoffMax time.Duration // 0: DefaultLoginBackoffMax

	// StableAfter is the age at which a session was a success: the backoff starts anew. 0: DefaultStableAfter.
	StableAfter time.Duration
}

// Limits bound what a session holds, and what it accepts from a server.
type Limits struct {
	Wire         wire.Limits // of one packet
	Pending      int         // actions in flight; 0: DefaultPending
	WriteBuffer  int         // bytes not yet handed to the network; 0: DefaultWriteBuffer
	ListItems    int         // of all lists that are being collected; 0: DefaultListItems
	ListBytes    int         // of the same; 0: DefaultListBytes
	Unauthorized int         // bytes before the login is answered; 0: DefaultUnauthorized
}

// withDefaults returns the config with every zero field set, or an error that says which field is wrong.
func (c Config) withDefaults() (Config, error) {
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return c, fmt.Errorf("ami: address %q: %w", c.Addr, err)
	}
	if c.Name == "" {
		c.Name = c.Addr
	}
	if err := wire.CheckField("Username", c.Username); err != nil {
		return c, fmt.Errorf("ami: node %s: %w", c.Name, err)
	}
	if c.Events == "" {
		c.Events = "off"
	}
	if err := wire.CheckField("Events", c.Events); err != nil || strings.Contains(c.Events, " ") {
		return c, fmt.Errorf("ami: node %s: event mask %q is not on, off or class names joined by commas", c.Name, c.Events)
	}
	for _, d := range c.durations() {
		if *d.field == 0 {
			*d.field = d.def
		}
	}
	for _, n := range c.numbers() {
		if *n.field == 0 {
			*n.field = n.def
		}
	}
	return c, c.validate()
}

// A setting is a field with its default. A negative one is refused.
type setting[T time.Duration | int] struct {
	name  string
	field *T
	def   T
}

func (c *Config) durations() []setting[time.Duration] {
	t, k, r := &c.Timeouts, &c.Keepalive, &c.Redial
	return []setting[time.Duration]{
		{"Timeouts.Dial", &t.Dial, DefaultDialTimeout},
		{"Timeouts.Login", &t.Login, DefaultLoginTimeout},
		{"Timeouts.Action", &t.Action, DefaultActionTimeout},
		{"Keepalive.Interval", &k.Interval, DefaultKeepalive},
		{"Keepalive.Timeout", &k.Timeout, DefaultPingTimeout},
		{"Redial.BackoffMin", &r.BackoffMin, DefaultBackoffMin},
		{"Redial.BackoffMax", &r.BackoffMax, DefaultBackoffMax},
		{"Redial.BreakerAfter", &r.BreakerAfter, DefaultBreakerAfter},
		{"Redial.LoginBackoffMin", &r.LoginBackoffMin, DefaultLoginBackoffMin},
		{"Redial.LoginBackoffMax", &r.LoginBackoffMax, DefaultLoginBackoffMax},
		{"Redial.StableAfter", &r.StableAfter, DefaultStableAfter},
	}
}

func (c *Config) numbers() []setting[int] {
	l := &c.Limits
	return []setting[int]{
		{"Keepalive.Misses", &c.Keepalive.Misses, DefaultKeepaliveMisses},
		{"Limits.Pending", &l.Pending, DefaultPending},
		{"Limits.WriteBuffer", &l.WriteBuffer, DefaultWriteBuffer},
		{"Limits.ListItems", &l.ListItems, DefaultListItems},
		{"Limits.ListBytes", &l.ListBytes, DefaultListBytes},
		{"Limits.Unauthorized", &l.Unauthorized, DefaultUnauthorized},
	}
}

func (c *Config) wrap(nc net.Conn) net.Conn {
	if c.Wrap == nil {
		return nc
	}
	return c.Wrap(nc)
}

// validate refuses what contradicts itself or cannot be honoured.
func (c *Config) validate() error {
	for _, d := range c.durations() {
		if *d.field < 0 && d.field != &c.Keepalive.Interval {
			return fmt.Errorf("ami: node %s: %s is negative (%v)", c.Name, d.name, *d.field)
		}
	}
	for _, n := range c.numbers() {
		if *n.field < 0 {
			return fmt.Errorf("ami: node %s: %s is negative (%d)", c.Name, n.name, *n.field)
		}
	}
	r, l := &c.Redial, &c.Limits
	switch {
	case r.BackoffMin > r.BackoffMax:
		return fmt.Errorf("ami: node %s: Redial.BackoffMin %v is over BackoffMax %v", c.Name, r.BackoffMin, r.BackoffMax)
	case r.LoginBackoffMin > r.LoginBackoffMax:
		return fmt.Errorf("ami: node %s: Redial.LoginBackoffMin %v is over LoginBackoffMax %v", c.Name, r.LoginBackoffMin, r.LoginBackoffMax)
	case l.Pending > maxPending:
		return fmt.Errorf("ami: node %s: Limits.Pending %d is over %d", c.Name, l.Pending, maxPending)
	case l.WriteBuffer < minWriteBuffer:
		return fmt.Errorf("ami: node %s: Limits.WriteBuffer %d is under %d, the size of the largest action", c.Name, l.WriteBuffer, minWriteBuffer)
	}
	if err := l.Wire.Check(); err != nil {
		return fmt.Errorf("ami: node %s: %w", c.Name, err)
	}
	for _, filter := range c.Filters {
		if err := wire.CheckAction("Filter", append([]Field{{Name: "Operation", Value: "Add"}}, filter...)); err != nil {
			return fmt.Errorf("ami: node %s: filter: %w", c.Name, err)
		}
	}
	return nil
}
