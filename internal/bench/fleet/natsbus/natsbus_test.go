package natsbus

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/bench/fleet"
)

// selfSigned is a certificate of this host's, and who trusts it.
func selfSigned(t *testing.T) (own, trust *tls.Config) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}},
		&tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
}

// closed is the address of who takes no connection, or closes each at once.
func closed(t *testing.T, refuses bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if refuses {
		_ = l.Close()
		return l.Addr().String()
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// Whoever has the token, and trusts the certificate, hears what others publish, in order; nobody else gets in.
func TestBus(t *testing.T) {
	own, trust := selfSigned(t)
	center, addr, err := Transport{}.Listen("127.0.0.1:0", "right", own)
	if err != nil {
		t.Fatal(err)
	}
	defer center.Close()
	for name, dial := range map[string]struct {
		url, token string
		verify     *tls.Config
		want       error // nil: any other
	}{
		"another token":            {"tls://" + addr, "wrong", trust, fleet.ErrToken},
		"no token":                 {"tls://" + addr, "", trust, fleet.ErrToken},
		"whom it does not trust":   {"tls://" + addr, "right", &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}, nil},
		"the system's authorities": {"tls://" + addr, "right", nil, nil},
		"nobody listens":           {"tls://" + closed(t, true), "right", trust, fleet.ErrAbsent},
		"nobody is behind a proxy": {"tls://" + closed(t, false), "right", trust, fleet.ErrAbsent},
		"there is no such host":    {"tls://nobody.invalid:4222", "right", trust, fleet.ErrAbsent},
	} {
		b, err := (Transport{}).Dial(dial.url, dial.token, dial.verify)
		if err == nil {
			b.Close()
			t.Errorf("%s: it got in", name)
		}
		for _, known := range []error{fleet.ErrToken, fleet.ErrAbsent} {
			if errors.Is(err, known) != (known == dial.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	side, err := Transport{}.Dial("tls://"+addr, "right", trust)
	if err != nil {
		t.Fatal(err)
	}
	defer side.Close()
	const many = 1000
	got := make(chan string, many)
	stop, err := center.Subscribe("a.b", func(data []byte) { got <- string(data) })
	if err != nil {
		t.Fatal(err)
	}
	for i := range many {
		if err := side.Publish("a.b", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	limit := time.After(30 * time.Second)
	for i := range many {
		select {
		case text := <-got:
			if text != fmt.Sprint(i) {
				t.Fatalf("message %d is %q", i, text)
			}
		case <-limit:
			t.Fatalf("%d of %d messages came", i, many)
		}
	}
	stop()
	if !side.Connected() || side.MaxPayload() < 64<<10 {
		t.Errorf("connected %v, at most %d bytes", side.Connected(), side.MaxPayload())
	}
}
