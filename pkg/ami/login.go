package ami

import (
	"context"
	"crypto/md5" //nolint:gosec // the protocol knows no other digest
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// login takes a fresh connection through banner and login. Events that arrive behind the answer stay in the decoder
// for the reader: none is dropped.
func (c *Conn) login(ctx context.Context) error {
	deadline := time.Now().Add(c.cfg.Timeouts.Login)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	ctx, cancel := context.WithDeadline(ctx, deadline) // the secret's provider is bounded too
	defer cancel()
	_ = c.raw.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { _ = c.raw.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	m, err := c.readUntil(func(m *wire.Message) bool { return m.Kind() == wire.Banner })
	if err != nil {
		return c.loginFailed(OpBanner, ctx, err)
	}
	_, c.banner = m.Line(0)
	if err := c.authenticate(ctx); err != nil {
		return c.loginFailed(OpLogin, ctx, err)
	}
	if !stop() {
		return c.loginFailed(OpLogin, ctx, contextCause(ctx.Err()))
	}
	_ = c.raw.SetDeadline(time.Time{})
	return nil
}

// loginFailed names the real cause: a deadline on the socket is the login's own, or the caller's.
func (c *Conn) loginFailed(op Op, ctx context.Context, err error) error {
	var timeout net.Error
	late := errors.Is(err, ErrDisconnected) && errors.As(err, &timeout) && timeout.Timeout() // not the secret's provider
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		err = ErrCancelled
	case late && op == OpBanner:
		err = fmt.Errorf("%w: the server did not greet; it may speak another protocol or want TLS", ErrTimeout)
	case late:
		err = fmt.Errorf("%w: the login was not answered", ErrTimeout)
	case op == "banner" && errors.Is(err, ErrDisconnected):
		err = fmt.Errorf("%w; a server whose authlimit (manager.conf) is reached ends connections before the banner", err)
	}
	return &OpError{Op: op, Node: c.cfg.Name, Err: err}
}

// authenticate sends Login, behind a Challenge if the method wants one, and waits for the answer.
func (c *Conn) authenticate(ctx context.Context) error {
	if c.cfg.Secret == nil {
		return errors.New("no secret is configured")
	}
	secret, err := c.cfg.Secret(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", ErrTimeout, err)
		}
		return fmt.Errorf("secret: %w", err)
	}
	proof := []Field{{Name: "Username", Value: c.cfg.Username}, {Name: "Secret", Value: secret.Reveal()}}
	if c.cfg.Auth == AuthMD5 || c.cfg.Auth == AuthAuto && c.cfg.TLS == nil && !c.onLoopback() {
		answer, err := c.ask("Challenge", []Field{{Name: "AuthType", Value: "MD5"}})
		if err != nil {
			return err
		}
		challenge := answer.Get("Challenge")
		if !wire.EqualFold(answer.Name(), "Success") || challenge == "" {
			return fmt.Errorf("no MD5 challenge: %w", c.refusedLogin(&answer, secret))
		}
		sum := md5.Sum([]byte(challenge + secret.Reveal())) //nolint:gosec // the protocol's own
		proof = []Field{{Name: "AuthType", Value: "MD5"}, {Name: "Username", Value: c.cfg.Username}, {Name: "Key", Value: hex.EncodeToString(sum[:])}}
	}
	answer, err := c.ask("Login", append(proof, Field{Name: "Events", Value: c.cfg.Events}))
	if err != nil {
		return err
	}
	if !wire.EqualFold(answer.Name(), "Success") {
		return c.refusedLogin(&answer, secret)
	}
	return nil
}

// refusedLogin says what a server's refusal of a login means. One that is stopping refuses everything; one that allows a
// user one session (manager.c, process_message) may still hold an earlier one of ours, whose end it has not seen yet.
func (c *Conn) refusedLogin(answer *wire.Message, secret Secret) error {
	message := answer.Get("Message")
	switch {
	case isStopping(message):
		return fmt.Errorf("%w: %s", ErrStopping, message)
	case message == "Login Already In Use" && c.stats.sessions.Load() > 0:
		return fmt.Errorf("%s: %w; the other session may be an earlier one of ours", message, ErrLoginInUse)
	case message == "Login Already In Use":
		return fmt.Errorf("%w: %s: %w", ErrUnauthorized, message, ErrLoginInUse)
	}
	return fmt.Errorf("%w: %s", ErrUnauthorized, without(message, secret))
}

// without hides the secret in a server's words, in case it repeats what it was sent.
func without(text string, secret Secret) string {
	if secret.Reveal() == "" {
		return text
	}
	return strings.ReplaceAll(text, secret.Reveal(), secret.String())
}

// onLoopback reports whether the peer is this host. With a Dial of the caller's it may be a proxy on this host, and the
// server anywhere: the configured address must say so too.
func (c *Conn) onLoopback() bool {
	a, ok := c.raw.RemoteAddr().(*net.TCPAddr)
	if !ok || !a.IP.IsLoopback() {
		return false
	}
	host, _, _ := net.SplitHostPort(c.cfg.Addr)
	return c.cfg.Dial == nil || strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

// ask writes one action of the login and waits for its response. It is the only writer then.
func (c *Conn) ask(action string, fields []Field) (wire.Message, error) {
	id := c.calls.prefix + strings.ToLower(action)
	packet, err := wire.AppendAction(nil, action, []byte(id), fields)
	if err != nil {
		return wire.Message{}, err
	}
	c.stats.internalAccepted.Add(1)
	defer c.stats.internalEnded.Add(1)
	n, err := c.writeAll(packet)
	c.stats.bytesOut.Add(uint64(n))
	if err != nil {
		return wire.Message{}, fmt.Errorf("%w during the login: %w", ErrDisconnected, inWords(err))
	}
	return c.readUntil(func(m *wire.Message) bool {
		// Before the login a server may answer without an ActionID; there is nothing else it could answer.
		return m.Kind() == wire.Response && (m.Get("ActionID") == id || m.Get("ActionID") == "")
	})
}

// readUntil reads packets until one is wanted, which is returned owned. What a server may send before it has
// accepted the login is bounded.
func (c *Conn) readUntil(want func(*wire.Message) bool) (wire.Message, error) {
	for {
		m, err := c.dec.Next()
		if errors.Is(err, wire.ErrMore) {
			if c.unauthorized > c.cfg.Limits.Unauthorized {
				return wire.Message{}, fmt.Errorf("%w: over %d bytes before the login was answered", ErrProtocol, c.cfg.Limits.Unauthorized)
			}
			n, err := c.nc.Read(c.dec.Space())
			c.dec.Wrote(n)
			c.unauthorized += n
			c.stats.bytesIn.Add(uint64(n))
			if err != nil && n == 0 {
				return wire.Message{}, fmt.Errorf("%w during the login: %w", ErrDisconnected, inWords(err))
			}
			continue
		}
		if err != nil {
			return wire.Message{}, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		c.seq++
		if want(&m) {
			return m.Clone(), nil
		}
		c.stats.unmatched.Add(1) // nobody may speak before the login: no subscriber should believe it
	}
}
