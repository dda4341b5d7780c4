package target

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// tlsConfig is how a node's certificate is verified: against the system's authorities or those of a file, or by a pin,
// which is the certificate's SHA-256 and replaces the authorities and the name.
func tlsConfig(r *run.Run, addr, ca, name, pin string) (*tls.Config, run.TLSFrom, error) {
	from := run.TLSFrom{Name: name, Pin: pin}
	if ca != "" {
		path, err := ExpandHome(r, ca)
		if err != nil {
			return nil, from, err
		}
		if from.CA, err = os.ReadFile(path); err != nil {
			return nil, from, fail.Config(fail.ReadHint, "the CA file cannot be read: %v", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(from.CA) {
			return nil, from, fail.Config("a PEM file begins with -----BEGIN CERTIFICATE-----", "the CA file %s holds no certificate", ca)
		}
	}
	c, err := VerifyBy(addr, from.CA, name, pin)
	return c, from, err
}

// mark gives a node the fingerprint of where its secret and its TLS come from, and notes the latter.
func mark(r *run.Run, cfg *ami.Config, secret string, from run.TLSFrom) {
	h := sha256.New()
	for _, part := range []string{secret, string(from.CA), from.Name, from.Pin} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	cfg.Fingerprint = hex.EncodeToString(h.Sum(nil))
	if cfg.TLS == nil {
		return
	}
	if r.TLS == nil {
		r.TLS = make(map[string]run.TLSFrom)
	}
	r.TLS[cfg.Fingerprint] = from
}

// Verify is how a server that is no node is verified: as --ca and --tls-name say.
func Verify(r *run.Run) (*tls.Config, error) {
	c, _, err := tlsConfig(r, "", r.Flags.CA, r.Flags.TLSName, "")
	return c, err
}

// VerifyBy makes the configuration that verifies a node's certificate by authorities in PEM (none: the system's), a name, and
// a pin.
func VerifyBy(node string, pem []byte, name, pin string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	if len(pem) > 0 {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM(pem)
	}
	if pin == "" {
		return c, nil
	}
	want, err := hex.DecodeString(strings.ReplaceAll(pin, ":", ""))
	if err != nil || len(want) != sha256.Size {
		return nil, fail.Config("openssl x509 -noout -fingerprint -sha256 -in CERT shows it", "%s: the pin is not a SHA-256 in hex", node)
	}
	c.InsecureSkipVerify = true
	c.VerifyConnection = func(s tls.ConnectionState) error {
		got := sha256.Sum256(s.PeerCertificates[0].Raw)
		if subtle.ConstantTimeCompare(got[:], want) != 1 {
			return errors.New("the certificate is not the pinned one; its SHA-256 is " + hex.EncodeToString(got[:]))
		}
		return nil
	}
	return c, nil
}
