package bench

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/bench/fleet"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/loopback"
	"github.com/apntalk/amictl/pkg/ami"
)

// formWorker is the form of bench that takes part in others' runs.
const formWorker = "worker"

// worker takes part in runs.
func worker(ctx context.Context, r *run.Run, o *options, t fleet.Transport) error {
	if len(o.files) > 0 {
		return fail.Usage("see `amictl bench --help`", "bench worker takes no argument %q", o.files[0])
	}
	allow, err := allowed(o.allow)
	if err != nil {
		return err
	}
	url := o.nats
	switch {
	case (o.nats == "") == (o.connect == ""):
		return fail.Usage("--connect HOST:PORT of a coordinator's --listen, or --nats URL", "bench worker needs to know where its coordinator is")
	case o.connect != "":
		if _, _, err := net.SplitHostPort(o.connect); err != nil {
			return fail.Usage("such as --connect bench.example.com:4222", "--connect %q is not HOST:PORT", o.connect)
		}
		if url = "tls://" + o.connect; loopback.Addr(o.connect) && r.Flags.CA == "" && r.Flags.TLSName == "" {
			url = "nats://" + o.connect
		}
	}
	token, err := busToken(ctx, r)
	if err != nil {
		return err
	}
	patience := time.Duration(-1)
	if o.once {
		patience = cmp.Or(r.Settings.ConnectTimeout, meetWithin)
	}
	bus, err := dialBus(ctx, r, t, url, token, patience)
	if err != nil {
		return err
	}
	defer bus.Close()
	say(r, "waiting for a run at "+url)
	r.Patience.Store(run.WhileRead) // it hangs up the calls that it made
	host, _ := os.Hostname()
	v := run.ThisBuild().Version
	w := &fleet.Worker{
		Bus: bus, Name: cmp.Or(o.name, host, "worker"), Version: v, Once: o.once, Refuse: refusal, Say: func(text string) { say(r, text) },
		Launch: func(ctx context.Context, _ bench.Config, targets []fleet.Target) (bench.Launch, error) {
			return launchOf(ctx, o, allow, targets)
		},
	}
	if err := w.Work(ctx); err != nil {
		return usage(fleetError(err, r.Flags.Quiet))
	}
	return nil
}

// meetWithin is how long a worker that leaves after one run waits for its coordinator to be there.
const meetWithin = time.Minute

// allowed reads --allow.
func allowed(list []string) (nets []netip.Prefix, err error) {
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fail.Usage("such as --allow 10.1.0.0/16; it may repeat", "--allow %q is no network", text)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		nets = append(nets, p.Masked())
	}
	return nets, nil
}

// launchOf makes a launch against the servers that the coordinator names, if this worker may load them.
func launchOf(ctx context.Context, o *options, allow []netip.Prefix, targets []fleet.Target) (bench.Launch, error) {
	l := bench.Launch{Simulator: simulator(o.here)}
	for i := range targets {
		t := &targets[i]
		host, port, err := net.SplitHostPort(t.Addr)
		if err != nil {
			return l, fail.Usage("the coordinator has to name it as HOST:PORT", "%s: %v", t.Node, err)
		}
		c := ami.Config{Name: t.Node, Addr: t.Addr, Username: t.Username, Secret: ami.StaticSecret(t.Secret), Auth: ami.AuthMethod(t.Auth)}
		if t.TLS {
			if c.TLS, err = target.VerifyBy(t.Node, []byte(t.CA), cmp.Or(t.Name, host), t.Pin); err != nil {
				return l, err
			}
		}
		if len(allow) > 0 {
			if c.Addr, err = permitted(ctx, host, port, allow); err != nil {
				return l, err
			}
		}
		l.Targets = append(l.Targets, bench.Target{Node: t.Node, Config: c})
	}
	return l, nil
}

// permitted returns the address to dial, which is in one of the networks: a name may mean another one a moment later.
func permitted(ctx context.Context, host, port string, allow []netip.Prefix) (string, error) {
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", err
	}
	for _, a := range found {
		for _, p := range allow {
			if p.Contains(a.Unmap()) {
				return net.JoinHostPort(a.Unmap().String(), port), nil
			}
		}
	}
	return "", fail.Usage("its --allow names the networks that it may", "this worker may not load %s", host)
}

// refusal says why a load cannot be, to the coordinator.
func refusal(err error) fleet.Refusal {
	f := fail.Classify(usage(err))
	return fleet.Refusal{Code: string(f.Code), Message: strings.TrimPrefix(f.Message, "bench: "), Hint: f.Hint}
}
