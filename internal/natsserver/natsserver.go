// Package natsserver runs a NATS server within this process: for a first look at the bus, for load from several hosts, and for
// tests. A bus that matters has servers of its own.
package natsserver

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
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
type Server struct{ server *server.Server }

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
	own, err := server.NewServer(s)
	if err != nil {
		return nil, err
	}
	own.Start()
	if !own.ReadyForConnections(readyTime) {
		own.Shutdown()
		return nil, errors.New("the NATS server does not take clients; its port may be taken")
	}
	return &Server{own}, nil
}

// URL is where clients find it.
func (s *Server) URL() string { return s.server.ClientURL() }

// Addr is HOST:PORT of that.
func (s *Server) Addr() string { return s.server.Addr().String() }

// Close ends the server, and waits until it has ended.
func (s *Server) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}
