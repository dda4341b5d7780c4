package fleet

import (
	"crypto/tls"
	"errors"
)

// Why a bus cannot be reached.
var (
	// ErrAbsent says that nobody answers there: that may change.
	ErrAbsent = errors.New("bench: nobody answers")
	// ErrToken says that the bus does not take the token.
	ErrToken = errors.New("bench: the token is not the right one")
)

// A Transport makes buses. It is what links the bus, so that a program without it can have the rest.
type Transport interface {
	// Dial connects to a server of a URL. verify is how its certificate is verified; nil: as the URL says. Its error may be
	// ErrAbsent or ErrToken.
	Dial(url, token string, verify *tls.Config) (Bus, error)
	// Listen starts a server in this process, and returns where it listens.
	Listen(at, token string, certificate *tls.Config) (_ Bus, addr string, err error)
}
