package ami

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// TLSOptions makes a TLS configuration for the servers of this field, whose certificates are self-signed as a rule.
type TLSOptions struct {
	// CAFile is a PEM file of authorities to trust instead of the system's.
	CAFile string
	// ServerName is the name to verify instead of the address's host.
	ServerName string
	// Pin is the SHA-256 of the server's certificate (DER) in hexadecimal, colons allowed, as
	// "openssl x509 -fingerprint -sha256" prints it. A certificate that matches is trusted whoever signed it and
	// whatever its names and dates are; any other is refused.
	Pin string
}

// Config returns a configuration that verifies the server and speaks TLS 1.2 or newer.
func (o TLSOptions) Config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ami: TLS authorities: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ami: TLS authorities: no PEM certificate in %s", o.CAFile)
		}
	}
	if o.Pin == "" {
		return c, nil
	}
	pin, err := hex.DecodeString(strings.ReplaceAll(o.Pin, ":", ""))
	if err != nil || len(pin) != sha256.Size {
		return nil, errors.New("ami: TLS pin: it needs the 64 hexadecimal digits of a SHA-256")
	}
	c.InsecureSkipVerify = true // the pin is checked instead, on every handshake
	c.VerifyConnection = func(s tls.ConnectionState) error {
		got := sha256.Sum256(s.PeerCertificates[0].Raw)
		if string(got[:]) != string(pin) {
			return fmt.Errorf("the certificate does not match the pin; it is %x", got)
		}
		return nil
	}
	return c, nil
}
