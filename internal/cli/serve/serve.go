package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/serve"
)

// options are those of serve. What is not given is as the configuration says.
type options struct {
	http, users, cert, key, log, require, pprof string
	ami                                         flags.List
	grace                                       flags.Duration
	sim                                         flags.Count
	endpoints                                   bool
	bridge                                      bridgeOptions
}

const defaultGrace = 10 * time.Second

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name:        "serve",
		Usage:       "keep one session to each server, and serve metrics, state, events and actions",
		Description: description(),
		Flags: append([]cli.Flag{
			flags.Text("http", "", "serve HTTP at `ADDR`, such as 127.0.0.1:8080", &o.http),
			&cli.GenericFlag{Name: "ami", Usage: "serve AMI at `[NODE=]ADDR`, NODE where there are several; may repeat", Value: &o.ami},
			flags.Text("users", "", "`FILE` of users and their rights", &o.users),
			flags.Text("cert", "", "TLS certificate chain, a PEM `FILE`", &o.cert),
			flags.Text("key", "", "its private key, a PEM `FILE`", &o.key),
			flags.Text("require", "", "/readyz says 200 when `NUMBER` of nodes are ready, or all; 1 if absent", &o.require),
			&cli.BoolFlag{Name: "endpoint-metrics", Usage: "include each endpoint in /metrics", Destination: &o.endpoints},
			&cli.GenericFlag{Name: "grace", Usage: "`TIME` for actions in flight at the end; 10s if absent", Value: &o.grace},
			flags.Choice("log", "", "`FORMAT` of the log on standard error: text or json", &o.log, "text", "json"),
			flags.Text("pprof", "", "serve Go's profiles at the Unix `SOCKET`", &o.pprof),
			&cli.GenericFlag{Name: "sim", Usage: "serve `NUMBER` of simulated servers with calls on them, instead of real ones", Value: &o.sim},
		}, o.bridge.flags()...),
		Action: func(ctx context.Context, c *cli.Command) error { return daemon(ctx, r, o) },
	}, run.About{})
}

// daemon runs until a signal ends it.
func daemon(ctx context.Context, r *run.Run, o *options) error {
	if err := r.RefuseOutput("for the log's form there is --log"); err != nil {
		return err
	}
	p, err := newPlan(r, o)
	if err != nil {
		return err
	}
	end, err := p.servers(ctx)
	if err != nil {
		return err
	}
	defer end()
	d := serve.Options{
		Loaded: serve.Loaded{Nodes: p.nodes}, Log: p.log, Redactor: r.Redactor(), Grace: p.grace, Systemd: serve.Systemd{On: true},
		Load: p.reload,
	}
	if d.Users, err = p.loadUsers(ctx); err != nil {
		return err
	}
	if d.Listeners, err = p.listen(len(d.Users) > 0); err != nil {
		return err
	}
	if p.bridge != nil {
		work, end, err := p.bridge.start(p)
		if err != nil {
			return errors.Join(err, d.Listeners.Close())
		}
		defer end()
		d.Bridge = work
	}
	hangups := make(chan struct{}, 1)
	d.Reload = hangups
	r.OnHangup(func() {
		select {
		case hangups <- struct{}{}:
		default: // one waits, and will see what is new now
		}
	})
	r.Patience.Store(run.Indefinitely) // --grace bounds the end
	if err := p.profiles(ctx); err != nil {
		return errors.Join(err, d.Listeners.Close())
	}
	return serve.Serve(ctx, d)
}

// cannotListen is the error of an address that cannot be had: now, if it is taken or not there yet, which passes; or never.
func cannotListen(flag, addr string, err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL) {
		return &fail.Error{Code: fail.CodeConnect, Message: fmt.Sprintf("--%s %s: %v", flag, addr, err), Hint: "choose another address, or stop what listens there"}
	}
	return fail.Usage("choose another address, or stop what listens there", "--%s %s: %v", flag, addr, err)
}
