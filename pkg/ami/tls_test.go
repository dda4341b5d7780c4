package ami_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// tlsServer starts a simulated server that speaks TLS on a real socket and returns a config that trusts it.
func tlsServer(t *testing.T) (*amitest.Server, ami.Config) {
	t.Helper()
	s := amitest.NewServer(amitest.WithTLS(nil))
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	name := "127.0.0.1"
	if len(s.Certificate().IPAddresses) == 0 && len(s.Certificate().DNSNames) > 0 {
		name = s.Certificate().DNSNames[0]
	}
	return s, ami.Config{
		Addr: s.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
		TLS: &tls.Config{RootCAs: pool, ServerName: name, MinVersion: tls.VersionTLS12},
	}
}

func TestLoginOverTLS(t *testing.T) {
	_, cfg := tlsServer(t)
	c := mustDial(t, cfg)
	if _, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil {
		t.Error(err)
	}
}

func TestTLSIsVerified(t *testing.T) {
	_, trusted := tlsServer(t)
	for name, change := range map[string]func(*ami.Config){
		"unknown authority": func(c *ami.Config) { c.TLS = &tls.Config{ServerName: c.TLS.ServerName, MinVersion: tls.VersionTLS12} },
		"another name":      func(c *ami.Config) { c.TLS = c.TLS.Clone(); c.TLS.ServerName = "evil.example" },
	} {
		cfg := trusted
		change(&cfg)
		_, err := ami.Dial(t.Context(), cfg)
		wantOp(t, err, "tls", ami.ErrTLS)
		if name == "unknown authority" && !errors.As(err, new(*tls.CertificateVerificationError)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTLSToAPlainPort(t *testing.T) {
	s := amitest.NewServer()
	t.Cleanup(s.Close)
	cfg := ami.Config{Addr: s.Addr(), Username: "admin", Secret: ami.StaticSecret("secret"), TLS: &tls.Config{MinVersion: tls.VersionTLS12}}
	_, err := ami.Dial(t.Context(), cfg)
	wantOp(t, err, "tls", ami.ErrTLS)
	if l := s.Ledger(); l.Logins != 0 {
		t.Error("it fell back to plain")
	}
}

func TestPlainToATLSPort(t *testing.T) {
	s, cfg := tlsServer(t)
	cfg.TLS, cfg.Timeouts.Login = nil, 200*time.Millisecond
	_, err := ami.Dial(t.Context(), cfg)
	wantOp(t, err, "banner", ami.ErrTimeout)
	if !strings.Contains(err.Error(), "TLS") {
		t.Errorf("error %q has no hint at TLS", err)
	}
	if l := s.Ledger(); l.Logins != 0 {
		t.Error("logged in?")
	}
}

// recordTap passes bytes on and notes the size of each TLS application record that the client sends.
type recordTap struct {
	net.Conn
	mu    sync.Mutex
	buf   []byte
	sizes []int
}

func (r *recordTap) Write(b []byte) (int, error) {
	r.mu.Lock()
	r.buf = append(r.buf, b...)
	for len(r.buf) >= 5 {
		n := int(binary.BigEndian.Uint16(r.buf[3:5]))
		if len(r.buf) < 5+n {
			break
		}
		if r.buf[0] == 23 { // application data
			r.sizes = append(r.sizes, n)
		}
		r.buf = r.buf[5+n:]
	}
	r.mu.Unlock()
	return r.Conn.Write(b)
}

// Asterisk reads 1,024 bytes of a TLS record and leaves the rest until more comes (AMI.md §1), from the first byte on.
func TestTLSRecordsAreShort(t *testing.T) {
	_, cfg := tlsServer(t)
	var tap *recordTap
	cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		tap = &recordTap{Conn: c}
		return tap, err
	}
	c := mustDial(t, cfg)
	b := &ami.Batch[uint64]{}
	long := strings.Repeat("x", 900)
	const n = 500
	for i := range n {
		if err := b.Submit(t.Context(), c, ami.NewAction("Ping", "A", long, "B", long, "C", long), uint64(i)); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		if r, err := b.Next(t.Context()); err != nil || r.Err != nil {
			t.Fatal(err, r.Err)
		}
	}
	tap.mu.Lock()
	defer tap.mu.Unlock()
	most := 0
	for _, size := range tap.sizes {
		most = max(most, size)
	}
	if sealed := 1000 + 41; most > sealed || len(tap.sizes) < n {
		t.Errorf("%d records, the longest of %d bytes: over 1,000 and the seal", len(tap.sizes), most)
	}
}
