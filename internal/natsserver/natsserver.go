// Package natsserver runs a NATS server within this process: for a first look at the bus, for load from several hosts, and for
// tests. A bus that matters has servers of its own.
package natsserver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/apntalk/amictl/internal/filelock"
)

// Options say what a server offers.
type Options struct {
	Addr  string      // HOST:PORT; port 0 is any that is free; "": 127.0.0.1:0
	Dir   string      // of JetStream's files; "": no JetStream
	Token string      // that clients have to give; "": none
	TLS   *tls.Config // nil: in the clear
}

const (
	readyTime  = 10 * time.Second
	tlsSeconds = 5
)

// A Server is one that runs.
type Server struct {
	server *server.Server
	lock   *os.File // of its folder
}

// Start starts a server, and returns when it takes clients.
func Start(o Options) (*Server, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	host, text, err := net.SplitHostPort(o.Addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%q is not a port", text)
	}
	if host == "" {
		host = "0.0.0.0"
	}
	s := &server.Options{
		Host: host, Port: int(port), NoSigs: true, NoLog: true, JetStream: o.Dir != "", StoreDir: o.Dir, Authorization: o.Token, TLSConfig: o.TLS,
		TLSTimeout: tlsSeconds,
	}
	if port == 0 {
		s.Port = server.RANDOM_PORT
	}
	lock, err := lockFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	own, err := server.NewServer(s)
	if err == nil {
		own.Start()
		if own.ReadyForConnections(readyTime) {
			return &Server{own, lock}, nil
		}
		own.Shutdown()
		err = errors.New("the NATS server does not take clients; its port may be taken")
	}
	_ = lock.Close()
	return nil, err
}

// lockFolder keeps two servers from one folder: JetStream itself does not look. Without a folder there is nothing to lock.
func lockFolder(dir string) (*os.File, error) {
	if dir == "" {
		return nil, nil //nolint:nilnil // a nil file closes as well
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := filelock.Try(f); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another server uses %s: %w", dir, err)
	}
	return f, nil
}

// URL is where clients find it.
func (s *Server) URL() string { return s.server.ClientURL() }

// Addr is HOST:PORT of that.
func (s *Server) Addr() string { return s.server.Addr().String() }

// Close ends the server, and waits until it has ended.
func (s *Server) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	_ = s.lock.Close()
}
