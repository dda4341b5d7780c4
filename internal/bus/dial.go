package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/pkg/ami"
)

// Access is how a client gets onto a bus.
type Access struct {
	URL   string // nats://HOST:PORT or tls://…, several joined by commas
	Creds string // a file of credentials, as `nsc` makes it; "": none
	NKey  string // a file with the seed of an nkey; "": none
	CA    string // a PEM file of authorities to trust alone; "": the system's
	Name  string // that the server's admin sees
	User  string // whose inbox answers go to, _INBOX.USER.>, so that others need not be let into it; "": _INBOX.>
}

// A RefusedError is what the bus does not let a user do.
type RefusedError struct{ What string } // such as: Publish to "ami.act.c.pbx.me.Ping"

func (e *RefusedError) Error() string { return "Permission denied: the bus does not allow " + e.What }

// Is reports whether target is ami.ErrUnauthorized: that is what it comes to for who asks for a session.
func (e *RefusedError) Is(target error) bool { return target == ami.ErrUnauthorized }

// refusal returns what the bus has refused, nil if that is not what err says. The client has it in a text alone.
func refusal(err error) *RefusedError {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil
	}
	_, what, ok := strings.Cut(err.Error(), "Permissions Violation for ")
	if !ok {
		what = err.Error()
	}
	return &RefusedError{strings.TrimSpace(what)}
}

// isOfEnd reports whether the bus has refused to end a consumer, which the client asks for by itself and nobody waits for: the server ends
// it as well when nobody reads. Our readers are not allowed to end consumers, for that would be those of others, too.
func isOfEnd(err error) bool {
	refused := refusal(err)
	return refused != nil && strings.Contains(refused.What, jetstream.DefaultAPIPrefix+"CONSUMER.DELETE.")
}

// UntilRefused returns a context that ends with a *RefusedError as its cause when the bus refuses something on a connection: to the
// request itself there would be no answer until its time is over. Where no context has been made so, a refusal is logged.
func UntilRefused(ctx context.Context, conn *nats.Conn) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	before := conn.ErrorHandler()
	conn.SetErrorHandler(func(c *nats.Conn, s *nats.Subscription, err error) {
		if refused := refusal(err); refused != nil && !isOfEnd(err) {
			cancel(refused)
			return
		}
		before(c, s, err)
	})
	return ctx, func() {
		conn.SetErrorHandler(before)
		cancel(nil)
	}
}

// causeOf returns what ended ctx, if that is why err came.
func causeOf(ctx context.Context, err error) error {
	var refused *RefusedError
	if err != nil && errors.As(context.Cause(ctx), &refused) {
		return refused
	}
	return err
}

const (
	dialTime = 5 * time.Second
	// A connection on which nothing comes back is given up after three times as long: a firewall that has forgotten it does not say
	// so, and the client's own two minutes would keep a bridge away for as many.
	pingEvery = 3 * time.Second
)

// Dial connects to a bus, and stays connected as far as it can: the connection is made again whenever it is lost. Without any
// server there it fails at once.
func Dial(a Access, log *slog.Logger) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name(a.Name), nats.Timeout(dialTime), nats.MaxReconnects(-1), nats.ReconnectWait(100 * time.Millisecond), nats.ReconnectJitter(100*time.Millisecond, time.Second),
		nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(2),
		nats.IgnoreAuthErrorAbort(), // a bus that is being set up refuses for a while
		nats.ReconnectBufSize(-1),   // what is not on the wire is not sent: nothing may go out late
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: we have closed the connection
				log.Warn("the bus is away", slog.Any("cause", err))
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { log.Info("the bus is back", slog.String("at", c.ConnectedAddr())) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if !isOfEnd(err) {
				log.Error("bus", slog.Any("error", err))
			}
		}),
	}
	if a.User != "" {
		options = append(options, nats.CustomInboxPrefix(nats.InboxPrefix+subject.Token(a.User)))
	}
	if a.Creds != "" {
		options = append(options, nats.UserCredentials(a.Creds))
	}
	if a.NKey != "" {
		key, err := nats.NkeyOptionFromSeed(a.NKey)
		if err != nil {
			return nil, fmt.Errorf("bus: the nkey: %w", err)
		}
		options = append(options, key)
	}
	if a.CA != "" {
		options = append(options, nats.RootCAs(a.CA))
	}
	c, err := nats.Connect(a.URL, options...)
	return c, wrap("connect", err)
}
