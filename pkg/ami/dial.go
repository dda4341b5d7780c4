package ami

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"
)

// dialTransport opens the connection and, if asked, TLS on it, within ctx. A name is resolved in here, so that a slow
// resolver costs this node alone.
func dialTransport(ctx context.Context, cfg *Config, addr string) (raw, nc net.Conn, err error) {
	dial := cfg.Dial
	if dial == nil {
		dial = dialTCP
	}
	conn, err := dial(ctx, "tcp", addr)
	if err != nil {
		return nil, nil, &OpError{Op: OpDial, Node: cfg.Name, Err: inWords(err)}
	}
	opened := false
	defer func() {
		if !opened { // Wrap may have panicked
			_ = conn.Close()
		}
	}()
	if cfg.TLS == nil {
		nc = cfg.wrap(conn)
		opened = true
		return conn, nc, nil
	}
	tc := cfg.TLS.Clone()
	if tc.ServerName == "" {
		tc.ServerName, _, _ = net.SplitHostPort(cfg.Addr)
	}
	if tc.MinVersion == 0 {
		tc.MinVersion = tls.VersionTLS12
	}
	c := tls.Client(conn, tc)
	if err := c.HandshakeContext(ctx); err != nil {
		var plain tls.RecordHeaderError
		if errors.As(err, &plain) {
			err = fmt.Errorf("%w: the port does not speak TLS", ErrTLS)
		} else {
			err = fmt.Errorf("%w: %w", ErrTLS, inWords(err))
		}
		return nil, nil, &OpError{Op: OpTLS, Node: cfg.Name, Err: err}
	}
	nc = cfg.wrap(c)
	opened = true
	return conn, nc, nil
}

// A dead host is found in this time while data is unacknowledged; keepalive Pings see to it that some is.
const tcpUserTimeout = 30 * time.Second

// dialTCP dials with TCP keepalive and TCP_USER_TIMEOUT. Nagle's algorithm is off (the net package's default): the
// writer coalesces already.
func dialTCP(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
		Control:         setUserTimeout,
	}
	return d.DialContext(ctx, network, addr)
}
