package check

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/call"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/cond"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

// A checker runs a profile on one node, on one session.
type checker struct {
	run     *run.Run
	profile *profile
	node    ami.Config
	conn    *ami.Conn
	results []result
	expiry  time.Time // of the certificate, zero without TLS
}

// all makes all checks. Without a session the later ones are skipped.
func (c *checker) all(ctx context.Context) {
	c.connect(ctx)
	steps := c.steps()
	if c.conn == nil {
		for _, s := range steps {
			c.results = append(c.results, result{node: c.node.Name, check: s.name, at: time.Now(), skipped: true, detail: "no session"})
		}
		return
	}
	defer target.Leave(ctx, c.conn)
	for _, s := range steps {
		start := time.Now()
		detail, err := s.do(ctx)
		if errors.Is(err, errNotAllowed) {
			c.results = append(c.results, result{node: c.node.Name, check: s.name, at: time.Now(), skipped: true, detail: err.Error()})
			continue
		}
		c.add(s.name, start, time.Now(), detail, err)
	}
	c.run.NoteSent(c.conn.Stats().Ledger.Accepted)
}

// errNotAllowed is of a check that the user's rights leave open, without being wrong for that.
var errNotAllowed = errors.New("the user may not ask: that needs system or reporting in write=")

func (c *checker) add(check string, start, end time.Time, detail string, err error) {
	r := result{node: c.node.Name, check: check, at: end, took: end.Sub(start), detail: detail, err: err, inSession: c.conn != nil}
	if err != nil {
		r.detail = strings.TrimPrefix(fail.Classify(err).Message, c.node.Name+": ")
	}
	c.results = append(c.results, r)
}

// connect dials and logs in, and books how far that went: connection, banner and login are checks of their own.
func (c *checker) connect(ctx context.Context) {
	cfg := c.node
	if c.profile.Call != nil {
		cfg.Events = "call"
	}
	if cfg.TLS != nil {
		cfg.TLS = c.seeCertificate(cfg.TLS)
	}
	noted := watchDial(&cfg)
	conn, err := target.Dial(ctx, c.run, cfg)
	times := append(*noted, time.Now())
	var op *ami.OpError
	stage := "login"
	if errors.As(err, &op) {
		stage = cmp.Or(map[ami.Op]string{ami.OpDial: "connect", ami.OpTLS: "connect", ami.OpBanner: "banner"}[op.Op], "login")
	}
	last := len(times) - 1
	for i, step := range []string{"connect", "banner", "login"} {
		start, end := times[min(i, last)], times[min(i+1, last)]
		if err != nil && step == stage {
			c.add(step, start, times[last], "", err)
			return
		}
		switch {
		case step == "banner" && conn != nil && !c.profile.banner.MatchString(conn.Banner()):
			c.add(step, start, end, "", failedCheck("the banner %q does not match %s", conn.Banner(), c.profile.banner))
		case step == "banner" && conn != nil:
			c.add(step, start, end, conn.Banner(), nil)
		default:
			c.add(step, start, end, "", nil)
		}
	}
	c.conn = conn
}

// watchDial notes when a dial begins, when it is connected (TLS included), and when the server has greeted: only then
// is the secret asked for.
func watchDial(cfg *ami.Config) *[]time.Time {
	times := &[]time.Time{time.Now()}
	note := func() { *times = append(*times, time.Now()) }
	wrap, ask := cfg.Wrap, cfg.Secret
	cfg.Wrap = func(nc net.Conn) net.Conn {
		note()
		if wrap == nil {
			return nc
		}
		return wrap(nc)
	}
	if ask != nil {
		cfg.Secret = func(ctx context.Context) (ami.Secret, error) {
			note()
			return ask(ctx)
		}
	}
	return times
}

// seeCertificate notes when the server's certificate ends.
func (c *checker) seeCertificate(from *tls.Config) *tls.Config {
	cfg := from.Clone()
	verify := cfg.VerifyConnection
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		for _, cert := range s.PeerCertificates {
			if c.expiry.IsZero() || cert.NotAfter.Before(c.expiry) {
				c.expiry = cert.NotAfter
			}
		}
		if verify != nil {
			return verify(s)
		}
		return nil
	}
	return cfg
}

func failedCheck(format string, args ...any) error {
	return &fail.Error{Code: fail.CodeCondition, Message: fmt.Sprintf(format, args...), Hint: "fix the server, or change what the profile asks of it"}
}

// A step is a check that needs a session. It returns what it found.
type step struct {
	name string
	do   func(ctx context.Context) (string, error)
}

func (c *checker) steps() (steps []step) {
	p := c.profile
	if c.node.TLS != nil {
		steps = append(steps, step{"certificate", c.certificate})
	}
	steps = append(steps, step{"ping", c.ping}, step{"booted", c.booted})
	if len(p.Classes)+len(p.Actions) > 0 {
		steps = append(steps, step{"rights", c.rights})
	}
	for _, m := range p.Modules {
		steps = append(steps, step{"module " + m, func(ctx context.Context) (string, error) { return c.module(ctx, m) }})
	}
	if len(p.Endpoints) > 0 {
		steps = append(steps, step{"endpoints", c.endpoints})
	}
	for _, q := range p.Queues {
		steps = append(steps, step{"queue " + q, func(ctx context.Context) (string, error) { return c.queue(ctx, q) }})
	}
	for i := range p.Commands {
		steps = append(steps, step{"command " + p.Commands[i].Run, func(ctx context.Context) (string, error) { return c.command(ctx, &p.Commands[i]) }})
	}
	if p.Call != nil {
		steps = append(steps, step{"call", c.call})
	}
	return steps
}

func (c *checker) certificate(context.Context) (string, error) {
	days := int(time.Until(c.expiry).Hours() / 24)
	text := "valid until " + c.expiry.UTC().Format(time.DateOnly)
	if days < c.profile.TLSDays {
		return "", failedCheck("the certificate is %s, %s from now; the profile wants %d", text, fail.Count(days, "day"), c.profile.TLSDays)
	}
	return text, nil
}

func (c *checker) ping(ctx context.Context) (string, error) {
	r, err := c.conn.Do(ctx, ami.NewAction("Ping"))
	if err != nil {
		return "", err
	}
	return "answered in " + output.Duration(r.RTT), nil
}

// booted asks for CoreStatus, which a server that has not finished booting refuses. A user without rights cannot know.
func (c *checker) booted(ctx context.Context) (string, error) {
	r, err := c.conn.Do(ctx, ami.NewAction("CoreStatus"))
	switch {
	case fail.Classify(err).Code == fail.CodePermission:
		return "", errNotAllowed
	case err != nil:
		return "", err
	case r.Get("CoreStartupTime") == "":
		return "", failedCheck("the server has not finished booting")
	}
	return "since " + r.Get("CoreStartupDate") + " " + r.Get("CoreStartupTime") + ", its time", nil
}

// rights reads ListCommands, which shows each user only what that one may send: a class is there if an action is that
// needs this one alone.
func (c *checker) rights(ctx context.Context) (string, error) {
	r, err := c.conn.Do(ctx, ami.NewAction("ListCommands"))
	if err != nil {
		return "", err
	}
	held := make(map[string]bool)
	for name, text := range r.All() {
		if name == "" {
			continue
		}
		held["action "+strings.ToLower(name)] = true
		if classes := act.LiveClasses(text); len(classes) == 1 {
			held["class "+classes[0]] = true
		}
	}
	var missing []string
	for _, class := range c.profile.Classes {
		if !held["class "+strings.ToLower(class)] {
			missing = append(missing, "class "+class)
		}
	}
	for _, action := range c.profile.Actions {
		if !held["action "+strings.ToLower(action)] {
			missing = append(missing, "action "+action)
		}
	}
	if len(missing) > 0 {
		return "", failedCheck("the user lacks %s", strings.Join(missing, ", "))
	}
	return strconv.Itoa(len(c.profile.Classes)+len(c.profile.Actions)) + " held", nil
}

func (c *checker) module(ctx context.Context, name string) (string, error) {
	_, err := c.conn.Do(ctx, moduleCheck(name))
	var refused *ami.ResponseError
	if errors.As(err, &refused) && fail.Classify(err).Code == fail.CodeRefused {
		return "", failedCheck("not loaded: %s", refused.Message)
	}
	return "loaded", err
}

// endpoints wants PJSIP endpoints that can be called: DeviceState is "Unavailable" without a contact.
func (c *checker) endpoints(ctx context.Context) (string, error) {
	r, err := c.conn.Do(ctx, ami.NewAction("PJSIPShowEndpoints"))
	if err != nil && !(r != nil && cond.SaysEmpty(r)) {
		return "", err
	}
	states := make(map[string]string)
	for i := range r.Events {
		states[r.Events[i].Get("ObjectName")] = r.Events[i].Get("DeviceState")
	}
	var bad []string
	for _, name := range c.profile.Endpoints {
		state, known := states[name]
		switch {
		case !known:
			bad = append(bad, name+" is unknown")
		case slices.ContainsFunc([]string{"Unavailable", "Invalid", "Unknown"}, func(s string) bool { return wire.EqualFold(s, state) }):
			bad = append(bad, name+" is "+state)
		}
	}
	if len(bad) > 0 {
		return "", failedCheck("%s", strings.Join(bad, ", "))
	}
	return strconv.Itoa(len(c.profile.Endpoints)) + " reachable", nil
}

func (c *checker) queue(ctx context.Context, name string) (string, error) {
	r, err := c.conn.Do(ctx, queueStatus(name))
	if err != nil {
		return "", err
	}
	members, paused, found := 0, 0, false
	for i := range r.Events {
		ev := &r.Events[i]
		switch {
		case ev.Get("Queue") != name:
		case wire.EqualFold(ev.Name(), "QueueParams"):
			found = true
		case wire.EqualFold(ev.Name(), "QueueMember"):
			members++
			if ev.Get("Paused") == "1" {
				paused++
			}
		}
	}
	switch {
	case !found:
		return "", failedCheck("there is no such queue")
	case members == paused:
		return "", failedCheck("%s, %d paused", fail.Count(members, "member"), paused)
	}
	return fmt.Sprintf("%s, %d paused", fail.Count(members, "member"), paused), nil
}

func (c *checker) command(ctx context.Context, k *commandCheck) (string, error) {
	r, err := c.conn.Do(ctx, k.action())
	if err == nil {
		err = k.wanted.Check(c.node.Name, r)
	}
	return "", err
}

func (c *checker) call(ctx context.Context) (string, error) {
	action, err := c.profile.Call.action(c.run)
	if err != nil {
		return "", err
	}
	r, err := c.conn.Do(ctx, action)
	if err != nil {
		return "", call.Hint(err)
	}
	return r.Outcome().String(), nil
}
