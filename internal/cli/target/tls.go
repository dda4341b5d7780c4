package target

import (
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"os"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

// tlsConfig is how a node's certificate is verified: against the system's authorities or those of a file, or by a pin,
// which is the certificate's SHA-256 and replaces the authorities and the name.
func tlsConfig(r *run.Run, addr, ca, name, pin string) (*tls.Config, error) {
	var pem []byte
	if ca != "" {
		path, err := ExpandHome(r, ca)
		if err != nil {
			return nil, err
		}
		if pem, err = os.ReadFile(path); err != nil {
			return nil, fail.Config(fail.ReadHint, "the CA file cannot be read: %v", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return nil, fail.Config("a PEM file begins with -----BEGIN CERTIFICATE-----", "the CA file %s holds no certificate", ca)
		}
	}
	c, err := VerifyBy(addr, pem, name, pin)
	if err == nil {
		if r.TLS == nil {
			r.TLS = make(map[*tls.Config]run.TLSFrom)
		}
		r.TLS[c] = run.TLSFrom{CA: pem, Name: name, Pin: pin}
	}
	return c, err
}

// Verify is how a server that is no node is verified: as --ca and --tls-name say.
func Verify(r *run.Run) (*tls.Config, error) {
	return tlsConfig(r, "", r.Flags.CA, r.Flags.TLSName, "")
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
