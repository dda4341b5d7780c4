package check

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
)

// A checker runs a profile on one node, on one session.
type checker struct {
	run     *run.Run
	profile *profile
	node    ami.Config
	conn    *ami.Conn
	acted   bool // calls and commands of the profile may have been made, by an earlier round
	results []result
	names   map[string]bool // of the results
	expiry  time.Time       // of the certificate, zero without TLS
	lists   lists
	held    map[string]*holding // what they hold, by the part
}

// all makes all checks. Without a session the later ones are skipped.
func (c *checker) all(ctx context.Context) {
	c.connect(ctx)
	steps := c.steps()
	if c.conn == nil {
		for _, s := range steps {
			c.add(s.name, time.Now(), time.Now(), finding{status: skipped, detail: "no session"})
		}
		return
	}
	defer target.Leave(ctx, c.conn)
	for _, s := range steps {
		start := time.Now()
		if s.several != nil {
			s.several(ctx)
			continue
		}
		found := s.one(ctx)
		c.add(s.name, start, time.Now(), found)
	}
	c.run.NoteSent(c.conn.Stats().Ledger.Accepted)
}

// notAllowed is the finding of a check that the user's rights leave open: it is skipped, unless the profile demands something.
func (c *checker) notAllowed(demanded bool, classes string) finding {
	why := "the user may not ask: that needs " + classes + " in write="
	if demanded {
		return finding{status: undecided, detail: why, err: failedCheck(fail.CodePermission, c.node.Name+": "+why)}
	}
	return finding{status: skipped, detail: why}
}

// add books a finding. No two checks of a node have one name: who reads them could not tell them apart.
func (c *checker) add(check string, start, end time.Time, found finding) {
	name := check
	for n := 2; c.names[name]; n++ {
		name = fmt.Sprintf("%s (%d)", check, n)
	}
	if c.names == nil {
		c.names = make(map[string]bool)
	}
	c.names[name] = true
	took := end.Sub(start)
	if found.status == skipped {
		took = 0
	}
	c.results = append(c.results, result{finding: found, node: c.node.Name, check: name, at: end, took: took, inSession: c.conn != nil, acted: c.acted})
}

// connect dials and logs in, and books how far that went: connection, banner and login are checks of their own.
func (c *checker) connect(ctx context.Context) {
	cfg := c.node
	if c.profile.call != nil {
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
			c.add(step, start, times[last], failing(c.node.Name, err))
			return
		}
		switch {
		case step == "banner" && conn != nil && !c.profile.banner.MatchString(conn.Banner()):
			c.add(step, start, end, unlike("the banner %q does not match %s", conn.Banner(), c.profile.banner))
		case step == "banner" && conn != nil:
			c.add(step, start, end, finding{detail: conn.Banner()})
		default:
			c.add(step, start, end, finding{})
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

// unlike is the finding of something that is not as the profile wants it.
func unlike(format string, args ...any) finding {
	text := fmt.Sprintf(format, args...)
	return finding{status: failed, detail: text, err: failedCheck(fail.CodeCondition, text)}
}
