package ami

import (
	"context"
	"crypto/tls"
	"errors"
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

	// Events is the session's event mask as in the Login header Events: "on", "off" (the default) or class names
	// joined by commas.
	Events string
	// Filters are added to every new session before it is ready, each a list of headers of a Filter action beside
	// Operation, such as {Filter, "Event: Hangup"}. They need the class "system".
	Filters [][]Field
	// OnReady runs on every new session before it counts as ready, to bring the caller's state up to date. Its error
	// ends the session. It must use the Conn it is given, and like Dial, Wrap and Secret not remove its node or close or
	// drain its cluster, which wait for it: a goroutine of its own may.
	OnReady func(ctx context.Context, c *Conn) error

	Dial DialFunc // nil: net.Dialer with TCP_USER_TIMEOUT and TCP keepalive
	// Wrap is put between the session and its connection, on top of TLS: a place to trace the wire. nil: nothing.
	Wrap func(net.Conn) net.Conn

	DialTimeout     time.Duration
	LoginTimeout    time.Duration
	ActionTimeout   time.Duration
	Keepalive       time.Duration // negative: none, but for a Ping behind a table full of what is never answered
	PingTimeout     time.Duration
	KeepaliveMisses int
	BackoffMin      time.Duration
	BackoffMax      time.Duration
	BreakerAfter    time.Duration
	LoginBackoffMin time.Duration
	LoginBackoffMax time.Duration
	StableAfter     time.Duration

	Limits       wire.Limits
	Pending      int
	WriteBuffer  int
	ListItems    int
	ListBytes    int
	Unauthorized int // bytes before the login is answered
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
	for _, d := range []struct {
		field *time.Duration
		def   time.Duration
	}{
		{&c.DialTimeout, DefaultDialTimeout},
		{&c.LoginTimeout, DefaultLoginTimeout},
		{&c.ActionTimeout, DefaultActionTimeout},
		{&c.Keepalive, DefaultKeepalive},
		{&c.PingTimeout, DefaultPingTimeout},
		{&c.BackoffMin, DefaultBackoffMin},
		{&c.BackoffMax, DefaultBackoffMax},
		{&c.BreakerAfter, DefaultBreakerAfter},
		{&c.LoginBackoffMin, DefaultLoginBackoffMin},
		{&c.LoginBackoffMax, DefaultLoginBackoffMax},
		{&c.StableAfter, DefaultStableAfter},
	} {
		if *d.field == 0 {
			*d.field = d.def
		}
	}
	for _, n := range []struct {
		field *int
		def   int
	}{
		{&c.KeepaliveMisses, DefaultKeepaliveMisses},
		{&c.Pending, DefaultPending},
		{&c.WriteBuffer, DefaultWriteBuffer},
		{&c.ListItems, DefaultListItems},
		{&c.ListBytes, DefaultListBytes},
		{&c.Unauthorized, DefaultUnauthorized},
	} {
		if *n.field == 0 {
			*n.field = n.def
		}
	}
	return c, c.validate()
}

func (c *Config) wrap(nc net.Conn) net.Conn {
	if c.Wrap == nil {
		return nc
	}
	return c.Wrap(nc)
}

// validate refuses what contradicts itself.
func (c *Config) validate() error {
	switch {
	case c.BackoffMin > c.BackoffMax:
		return fmt.Errorf("ami: node %s: BackoffMin %v is over BackoffMax %v", c.Name, c.BackoffMin, c.BackoffMax)
	case c.LoginBackoffMin > c.LoginBackoffMax:
		return fmt.Errorf("ami: node %s: LoginBackoffMin %v is over LoginBackoffMax %v", c.Name, c.LoginBackoffMin, c.LoginBackoffMax)
	case c.Pending < 1 || c.Pending > maxPending:
		return fmt.Errorf("ami: node %s: Pending %d is not in 1…%d", c.Name, c.Pending, maxPending)
	case c.WriteBuffer < minWriteBuffer:
		return fmt.Errorf("ami: node %s: WriteBuffer %d is under %d, the size of the largest action", c.Name, c.WriteBuffer, minWriteBuffer)
	case c.KeepaliveMisses < 1:
		return errors.New("ami: KeepaliveMisses needs at least 1")
	case c.ListItems < 1 || c.ListBytes < 1 || c.Unauthorized < 1:
		return errors.New("ami: ListItems, ListBytes and Unauthorized need at least 1")
	}
	for _, filter := range c.Filters {
		if err := wire.CheckAction("Filter", append([]Field{{Name: "Operation", Value: "Add"}}, filter...)); err != nil {
			return fmt.Errorf("ami: node %s: filter: %w", c.Name, err)
		}
	}
	for _, d := range []time.Duration{c.DialTimeout, c.LoginTimeout, c.ActionTimeout, c.PingTimeout, c.BackoffMin, c.BreakerAfter, c.LoginBackoffMin, c.StableAfter} {
		if d < 0 {
			return fmt.Errorf("ami: node %s: a negative duration (%v)", c.Name, d)
		}
	}
	return nil
}
