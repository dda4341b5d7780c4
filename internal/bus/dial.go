package bus

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

// Access is how a client gets onto a bus.
type Access struct {
	URL   string // nats://HOST:PORT or tls://…, several joined by commas
	Creds string // a file of credentials, as `nsc` makes it; "": none
	NKey  string // a file with the seed of an nkey; "": none
	CA    string // a PEM file of authorities to trust alone; "": the system's
	Name  string // that the server's admin sees
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
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Error("bus", slog.Any("error", err)) }),
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
