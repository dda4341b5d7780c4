package serve

import (
	"crypto/tls"
	"sync/atomic"
)

// A Certificate is the daemon's own, which can be loaded anew while connections go on.
type Certificate struct {
	cert, key string // files
	current   atomic.Pointer[tls.Certificate]
}

// LoadCertificate reads a certificate chain and its key from PEM files.
func LoadCertificate(cert, key string) (*Certificate, error) {
	c := &Certificate{cert: cert, key: key}
	return c, c.Reload()
}

// Reload reads the files again; after an error the certificate stays what it was.
func (c *Certificate) Reload() error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.current.Store(&pair)
	}
	return err
}

// TLS is the configuration of a listener that shows the certificate.
func (c *Certificate) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}
