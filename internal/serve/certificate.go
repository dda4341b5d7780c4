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
	show, err := c.Read()
	if err == nil {
		show()
	}
	return c, err
}

// Read reads the files again. show has new connections get what they hold; until then the certificate stays what it was.
func (c *Certificate) Read() (show func(), err error) {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	return func() { c.current.Store(&pair) }, err
}

// TLS is the configuration of a listener that shows the certificate.
func (c *Certificate) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}
