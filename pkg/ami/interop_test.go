package ami_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami"
)

// A lab is a real Asterisk, described by what `scripts/asterisk-lab env VERSION` prints into the environment.
type lab struct{ version string }

func (l lab) env(name string) string { return os.Getenv("AMICTL_LAB_" + l.version + "_" + name) }

// config reaches the lab as one of its users.
func (l lab) config(user string) ami.Config {
	return ami.Config{
		Name: "lab" + l.version, Addr: l.env("ADDR"), Username: user,
		Secret: ami.StaticSecret(l.env("SECRET_" + strings.ToUpper(user))),
	}
}

// tls is config over TLS, trusting the lab's authority alone.
func (l lab) tls(t *testing.T, user string) ami.Config {
	t.Helper()
	pem, err := os.ReadFile(l.env("CA"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("no certificate in %s", l.env("CA"))
	}
	cfg := l.config(user)
	cfg.Addr, cfg.TLS = l.env("TLS_ADDR"), &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return cfg
}

// script runs scripts/asterisk-lab on this lab and returns what it prints.
func (l lab) script(t *testing.T, command string, args ...string) string {
	t.Helper()
	path := os.Getenv("AMICTL_LAB_SCRIPT")
	if path == "" {
		path = "../../scripts/asterisk-lab"
	}
	out, err := exec.CommandContext(t.Context(), path, append([]string{command, l.version}, args...)...).Output()
	if err != nil {
		t.Fatalf("%s %s %s: %v", path, command, l.version, err)
	}
	return string(out)
}

// eachLab runs f against every real Asterisk that there is. Where there is none the test is skipped.
func eachLab(t *testing.T, f func(*testing.T, lab)) {
	t.Helper()
	for _, version := range []string{"22", "16"} {
		t.Run("asterisk "+version, func(t *testing.T) {
			l := lab{version: version}
			if l.env("ADDR") == "" {
				skip.Loudly(t, fmt.Sprintf("no real Asterisk %s: eval \"$(scripts/asterisk-lab env %s)\" exports AMICTL_LAB_%s_ADDR", version, version, version))
			}
			f(t, l)
		})
	}
}

func TestInteropLogin(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		md5 := l.config("md5")
		md5.Auth = ami.AuthMD5
		tlsMD5 := l.tls(t, "md5")
		tlsMD5.Auth = ami.AuthMD5
		for name, cfg := range map[string]ami.Config{"plain": l.config("admin"), "md5": md5, "tls": l.tls(t, "admin"), "md5 over tls": tlsMD5} {
			c, err := ami.Dial(t.Context(), cfg)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if !strings.HasPrefix(c.Banner(), "Asterisk Call Manager/") {
				t.Errorf("%s: banner %q", name, c.Banner())
			}
			if r, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil || r.Get("Ping") != "Pong" {
				t.Errorf("%s: Ping: %v %v", name, r, err)
			}
			if err := c.Drain(t.Context()); err != nil {
				t.Errorf("%s: Drain: %v", name, err)
			}
		}
		for name, change := range map[string]func(*ami.Config){
			"wrong secret":         func(c *ami.Config) { c.Secret = ami.StaticSecret("wrong") },
			"wrong secret, md5":    func(c *ami.Config) { c.Secret, c.Auth = ami.StaticSecret("wrong"), ami.AuthMD5 },
			"no such user":         func(c *ami.Config) { c.Username = "nobody" },
			"refused by the ACL":   func(c *ami.Config) { *c = l.config("denied") },
			"an empty secret":      func(c *ami.Config) { c.Secret = ami.StaticSecret("") },
			"somebody else's word": func(c *ami.Config) { c.Username = "readonly" },
		} {
			cfg := l.config("admin")
			change(&cfg)
			start := time.Now()
			_, err := ami.Dial(t.Context(), cfg)
			if !errors.Is(err, ami.ErrUnauthorized) || !strings.Contains(fmt.Sprint(err), "Authentication failed") {
				t.Errorf("%s: %v after %v", name, err, time.Since(start))
			}
		}
		cfg := l.tls(t, "admin")
		cfg.Addr = l.env("ADDR")
		_, err := ami.Dial(t.Context(), cfg)
		wantOp(t, err, "tls", ami.ErrTLS)
	})
}

// pipeline sends n Pings through a batch and wants every one of them answered, in order.
func pipeline(t *testing.T, cfg ami.Config, n int) {
	t.Helper()
	cfg.Timeouts.Action = 2 * time.Minute
	c := mustDial(t, cfg)
	b := &ami.Batch[uint64]{}
	refused := make(chan error, 1)
	go func() {
		for i := range n {
			if err := b.Submit(t.Context(), c, ami.NewAction("Ping"), uint64(i)); err != nil {
				refused <- err
				return
			}
		}
		refused <- nil
	}()
	for i := range n {
		r, err := b.Next(t.Context())
		if err != nil || r.Err != nil || r.Value != uint64(i) || r.Reply.Get("Ping") != "Pong" {
			t.Fatalf("of %d Pings number %d: %v %+v", n, i, err, r)
		}
	}
	if err := <-refused; err != nil {
		t.Error(err)
	}
	st := c.Stats()
	exact(t, st)
	if l := st.Ledger; l.Submitted != uint64(n) || l.Replied != uint64(n) || st.Late+st.Duplicate+st.Foreign+st.Unmatched+st.ParseErrors != 0 {
		t.Errorf("ledger %+v, strays %+v", l, st)
	}
	if err := c.Drain(t.Context()); err != nil {
		t.Error(err)
	}
}

// Asterisk stalls on TLS records over 1,024 bytes; all of these must go through.
func TestInteropPipelineOverTLS(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) { pipeline(t, l.tls(t, "admin"), 20_000) })
}

func TestInteropPipeline(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) { pipeline(t, l.config("admin"), 100_000) })
}

func TestInteropPermissionDenied(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		c := mustDial(t, l.config("readonly"))
		_, err := c.Do(t.Context(), ami.NewAction("Originate", "Channel", "Local/201@default", "Application", "NoOp"))
		var refused *ami.ResponseError
		if !errors.As(err, &refused) || refused.Message != "Permission denied" {
			t.Errorf("%v", err)
		}
		_, err = c.Do(t.Context(), ami.NewAction("NoSuchAction"))
		if !errors.As(err, &refused) || !strings.HasPrefix(refused.Message, "Invalid/unknown command: NoSuchAction") {
			t.Errorf("%v", err)
		}
	})
}
