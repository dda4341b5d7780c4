// Package natsbus is a fleet's bus over NATS core: of servers that are there, or of one in this process.
package natsbus

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bench/fleet"
	"github.com/apntalk/amictl/internal/natsserver"
)

// Transport makes buses over NATS.
type Transport struct{}

const (
	dialWithin = 5 * time.Second
	redialEach = 200 * time.Millisecond
	// What is published while there is no connection waits; a run is over long before this is full.
	waitBytes = 16 << 20
	pingEach  = 5 * time.Second
)

// Dial connects to a server of a URL, such as nats://host:4222 or tls://host:4222. A lost connection is made again for as long
// as the bus is not closed.
func (Transport) Dial(url, token string, verify *tls.Config) (fleet.Bus, error) {
	options := []nats.Option{
		nats.Name("amictl bench"), nats.Timeout(dialWithin), nats.MaxReconnects(-1), nats.ReconnectWait(redialEach), nats.ReconnectJitter(redialEach, redialEach),
		nats.ReconnectBufSize(waitBytes), nats.PingInterval(pingEach), nats.IgnoreAuthErrorAbort(),
	}
	if token != "" {
		options = append(options, nats.Token(token))
	}
	if verify != nil {
		options = append(options, nats.Secure(verify))
	}
	conn, err := nats.Connect(url, options...)
	var lookup *net.DNSError
	var op *net.OpError
	switch {
	case err == nil:
		return &bus{conn: conn}, nil
	case errors.Is(err, nats.ErrNoServers): // which it says for connections that are refused alone
		return nil, fmt.Errorf("%w: connection refused", fleet.ErrAbsent)
	case errors.As(err, &lookup), errors.As(err, &op) && op.Op == "dial", errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET): // a tunnel's end, too
		return nil, fmt.Errorf("%w: %w", fleet.ErrAbsent, err)
	case errors.Is(err, nats.ErrAuthorization):
		return nil, fleet.ErrToken
	}
	return nil, fmt.Errorf("bench: %w", err)
}

// Listen starts a server at HOST:PORT and connects to it. addr is where it listens.
func (t Transport) Listen(at, token string, certificate *tls.Config) (_ fleet.Bus, addr string, err error) {
	server, err := natsserver.Start(natsserver.Options{Addr: at, Token: token, TLS: certificate})
	if err != nil {
		return nil, "", fmt.Errorf("bench: %w", err)
	}
	var own *tls.Config
	if certificate != nil { // it is this process
		own = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the server is this process
	}
	b, err := t.Dial(server.URL(), token, own)
	if err != nil {
		server.Close()
		return nil, "", err
	}
	b.(*bus).server = server
	return b, server.Addr(), nil
}

type bus struct {
	conn   *nats.Conn
	server *natsserver.Server // nil: somebody else's
}

// Publish implements fleet.Bus.
func (b *bus) Publish(subject string, data []byte) error {
	if err := b.conn.Publish(subject, data); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// Subscribe implements fleet.Bus. A server that is there knows of it when it returns.
func (b *bus) Subscribe(subject string, f func([]byte)) (stop func(), err error) {
	s, err := b.conn.Subscribe(subject, func(m *nats.Msg) { f(m.Data) })
	if err == nil && b.conn.IsConnected() {
		_ = b.conn.FlushTimeout(dialWithin) // a lost connection is told of it when it is made again
	}
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return func() { _ = s.Unsubscribe() }, nil
}

// MaxPayload implements fleet.Bus.
func (b *bus) MaxPayload() int { return int(b.conn.MaxPayload()) }

// Connected implements fleet.Bus.
func (b *bus) Connected() bool { return b.conn.IsConnected() }

// Close implements fleet.Bus. What was published goes out first, if that is quick.
func (b *bus) Close() {
	_ = b.conn.FlushTimeout(closeWithin)
	b.conn.Close()
	if b.server != nil {
		b.server.Close()
	}
}

const closeWithin = 200 * time.Millisecond
