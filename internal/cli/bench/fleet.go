package bench

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/bench/fleet"
	"github.com/apntalk/amictl/internal/bench/report"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/loopback"
)

// needsBus reports whether the run needs a bus, which amictl does not link.
func (o *options) needsBus() bool {
	return o.form == formWorker || o.workers.Given || o.nats != "" || o.listen != ""
}

// away reports whether the workers are to come from elsewhere.
func (o *options) away() bool { return o.nats != "" || o.listen != "" }

// A fleetBus is a bus that is ready for runs.
type fleetBus struct {
	fleet.Bus
	addr  string // of the server in this process
	token string
}

// leaveWithin is how long children may take to end once the run is over.
const leaveWithin = 400 * time.Millisecond

// together runs the load with workers.
func together(ctx context.Context, r *run.Run, o *options, b *fleetBus, l *bench.Launch, live *live) (*bench.Result, error) {
	targets, err := fleetTargets(ctx, r, l.Targets)
	if err != nil {
		return nil, err
	}
	f := fleet.Options{
		Bus: b, Run: l.ID, Version: l.Version, Workers: o.workers.Value, Config: l.Config, Seed: l.Seed, Targets: targets,
		Live: live.whole, Say: func(text string) { say(r, text) },
	}
	if len(l.Targets) > 0 {
		f.HangUp = func(ctx context.Context) (int, error) { return bench.HangUpLeft(ctx, l.Targets, l.ID) }
	}
	if o.away() {
		say(r, "waiting for "+fail.Count(o.workers.Value, "worker"))
		return fleet.Coordinate(ctx, f)
	}
	names := make([]string, o.workers.Value)
	for i := range names {
		names[i] = fmt.Sprintf("w%0*d", len(fmt.Sprint(len(names))), i+1)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f.Children, err = fleet.StartChildren(names, func(name string) *exec.Cmd {
		args := []string{"bench", "worker", "--connect", b.addr, "--once", "--secret-stdin", "-q", "--connect-timeout", "2s", "--name", name}
		if o.here {
			args = append(args, "--in-process")
		}
		cmd := exec.Command(self, args...)
		cmd.Stdin, cmd.Stderr = strings.NewReader(b.token+"\n"), r.ChildStderr()
		return cmd
	})
	if err != nil {
		return nil, fmt.Errorf("bench: a worker cannot be started: %w", err)
	}
	defer f.Children.End(leaveWithin)
	return fleet.Coordinate(ctx, f)
}

// openBus makes the bus that the flags ask for: with a server of our own, or with one that is there.
func openBus(ctx context.Context, r *run.Run, o *options, token string) (*fleetBus, error) {
	t := o.transport
	if !o.away() {
		token = newToken()
		b, addr, err := t.Listen("127.0.0.1:0", token, nil)
		return &fleetBus{b, addr, token}, err
	}
	if o.nats != "" {
		b, err := dialBus(ctx, r, t, o.nats, token, 0)
		return &fleetBus{Bus: b}, err
	}
	var certificate *tls.Config
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return nil, fail.Config("--cert is a certificate chain and --key its private key, both PEM files", "the certificate: %v", err)
		}
		certificate = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	b, addr, err := t.Listen(o.listen, token, certificate)
	if err != nil {
		return nil, fail.Usage("is the address this host's, and the port free?", "--listen %s: %s", o.listen, strings.TrimPrefix(err.Error(), "bench: "))
	}
	say(r, "listening at "+addr)
	return &fleetBus{b, addr, token}, nil
}

// busToken is the secret that everybody on the bus has to know. It is taken away from the servers, whose secrets come from the
// configuration.
func busToken(ctx context.Context, r *run.Run) (string, error) {
	ask, err := target.TakeSecret(r)
	if err != nil || ask == nil {
		return "", err
	}
	secret, err := ask(ctx)
	if err != nil {
		return "", err
	}
	r.Redactor().AddSecret(secret)
	return secret.Reveal(), nil
}

// dialBus connects to a server of the bus. Where nobody answers yet it tries again for so long; less than 0: for good.
func dialBus(ctx context.Context, r *run.Run, t fleet.Transport, at, token string, patience time.Duration) (fleet.Bus, error) {
	if err := target.CheckBusURL(at); err != nil {
		return nil, err
	}
	var verify *tls.Config
	if r.Flags.CA != "" || r.Flags.TLSName != "" || strings.HasPrefix(at, "tls://") {
		var err error
		if verify, err = target.Verify(r); err != nil {
			return nil, err
		}
	}
	for start, told := time.Now(), false; ; told = true {
		b, err := t.Dial(at, token, verify)
		if err == nil {
			return b, nil
		}
		if !errors.Is(err, fleet.ErrAbsent) || patience >= 0 && time.Since(start) >= patience {
			return nil, busError(at, err)
		}
		if !told {
			say(r, "waiting for "+at+": "+busCause(err))
		}
		select {
		case <-time.After(busEvery):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// busEvery is how often a bus that does not answer is tried.
const busEvery = 300 * time.Millisecond

func busCause(err error) string { return strings.TrimPrefix(fail.Cause(err), "bench: ") }

// busError says why there is no bus, and what to do.
func busError(at string, err error) error {
	f := &fail.Error{
		Code: fail.CodeConnect, Message: at + ": " + busCause(err),
		Hint: "is that a coordinator or a NATS server? With --cert and --key it has TLS",
	}
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.Is(err, fleet.ErrToken):
		f.Code, f.Hint = fail.CodeLogin, "--secret-file is a file with the token that the coordinator has"
	case errors.As(err, &unknown):
		f.Hint = "--ca FILE trusts the coordinator's certificate: the file that it has as --cert"
	case errors.As(err, &name):
		f.Hint = "--tls-name NAME is the name in the coordinator's certificate"
	case errors.Is(err, fleet.ErrAbsent):
		f.Hint = "is the coordinator, or the NATS server, there, and no firewall in between?"
	}
	return f
}

// checkSecrecy refuses to send the secrets of real servers to workers in the clear. --listen beyond this host has TLS anyway.
func checkSecrecy(o *options, targets []bench.Target) error {
	if len(targets) == 0 {
		return nil
	}
	for at := range strings.SplitSeq(o.nats, ",") {
		u, err := url.Parse(strings.TrimSpace(at))
		if err == nil && u.Host != "" && u.Scheme != "tls" && u.Scheme != "wss" && !loopback.Host(u.Hostname()) {
			return fail.Usage("write tls:// where the bus has TLS, or use --listen with --cert and --key", "--nats %s is not encrypted, and the servers' secrets would go over it", at)
		}
	}
	return nil
}

// checkFleet refuses flags that do not go together.
func checkFleet(r *run.Run, o *options) error {
	switch {
	case o.workers.Value < 1:
		return fail.Usage("such as --workers 4", "--nats and --listen need --workers: how many take part")
	case o.nats != "" && o.listen != "":
		return fail.Usage("leave one of them out", "--nats and --listen do not go together")
	case (o.cert == "") != (o.key == ""):
		return fail.Usage("a certificate and its key go together", "one of --cert and --key is missing")
	case o.cert != "" && o.listen == "":
		return fail.Usage("leave them out", "--cert and --key are for --listen")
	case o.listen == "":
		return nil
	}
	if _, _, err := net.SplitHostPort(o.listen); err != nil {
		return fail.Usage("such as --listen :4222", "--listen %q is not HOST:PORT", o.listen)
	}
	if loopback.Addr(o.listen) {
		return nil
	}
	var missing []string
	if r.Settings.SecretFile == "" && !r.Flags.SecretStdin {
		missing = append(missing, "a token (--secret-file)")
	}
	if o.cert == "" {
		missing = append(missing, "--cert and --key")
	}
	if missing != nil {
		return fail.Usage("docs/bench.md has the two commands that make them; without them whoever connects could make the workers load servers", "--listen %s is open to other hosts, which needs %s", o.listen, strings.Join(missing, " and "))
	}
	return nil
}

// say tells people something, unless they want to hear nothing.
func say(r *run.Run, text string) {
	if !r.Flags.Quiet {
		fmt.Fprintln(r.Stderr, "bench: "+text)
	}
}

// fleetTargets are the targets as a worker is told of them, with their secrets.
func fleetTargets(ctx context.Context, r *run.Run, targets []bench.Target) ([]fleet.Target, error) {
	var all []fleet.Target
	for i := range targets {
		c := &targets[i].Config
		secret, err := c.Secret(ctx)
		if err != nil {
			return nil, err
		}
		t := fleet.Target{Node: targets[i].Node, Addr: c.Addr, Username: c.Username, Secret: secret.Reveal(), Auth: int(c.Auth), TLS: c.TLS != nil}
		if t.TLS {
			from := r.TLS[c.Fingerprint]
			t.Trust = fleet.Trust{Name: from.Name, Pin: from.Pin, CA: string(from.CA)}
		}
		all = append(all, t)
	}
	return all, nil
}

// whole reports a stretch of all workers.
func (l *live) whole(w *report.Whole, workers []fleet.Now) {
	var lag int64
	for i := range workers {
		lag = max(lag, workers[i].Lag)
	}
	l.show(&w.Interval, lag)
	if !l.run.Flags.Verbose || l.run.Flags.Quiet {
		return
	}
	if l.wrote {
		fmt.Fprintln(l.run.Stderr)
		l.wrote = false
	}
	for i := range workers {
		n := &workers[i]
		fmt.Fprintf(l.run.Stderr, "        %s  %.0f/s  p50 %s  p99 %s  failed %d  in flight %d  waiting %d  lag %s\n", n.Name, n.Rate,
			bench.FormatMicros(n.P50), bench.FormatMicros(n.P99), n.Failed, n.InFlight, n.Backlog, bench.FormatMicros(n.Lag))
	}
}

// newToken is long enough that nobody guesses it.
func newToken() string {
	var b [24]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// fleetError makes errors of the workers errors of the command line.
func fleetError(err error, quiet bool) error {
	var (
		lost    *fleet.LostError
		refused *fleet.RefusedError
		away    *fleet.TurnedAwayError
		cannot  *fleet.CannotError
	)
	switch {
	case errors.As(err, &cannot):
		return usage(cannot.Err)
	case errors.As(err, &refused):
		code := fail.Code(refused.Code)
		if _, known := fail.ExitOf[code]; !known {
			code = fail.CodeUsage
		}
		return &fail.Error{Code: code, Message: "worker " + refused.Worker + ": " + refused.Message, Hint: refused.Hint}
	case errors.Is(err, fleet.ErrEnded) && quiet: // the coordinator says why
		return fail.Silent(fail.ExitOf[fail.CodeInvalid])
	case errors.As(err, &lost), errors.Is(err, fleet.ErrAlone), errors.Is(err, fleet.ErrEnded):
		return &fail.Error{Code: fail.CodeInvalid, Message: strings.ReplaceAll(err.Error(), "bench: ", ""), Hint: "the run was ended everywhere"}
	case errors.As(err, &away):
		return fail.Usage("the same amictl must run on both sides", "%s", strings.TrimPrefix(err.Error(), "bench: "))
	}
	return err
}
