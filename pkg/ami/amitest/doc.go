// Package amitest is a simulated Asterisk, to the Asterisk Manager Interface what
// net/http/httptest is to HTTP.
//
//	srv := amitest.NewServer()
//	defer srv.Close()
//	// connect to srv.Addr() as "admin" with secret "secret"
//
// A server answers on real sockets or, with WithNetwork, on an in-memory Network
// that works inside testing/synctest. It behaves as manager.c does, the odd ways
// included: the limits of its input, strictly serial sessions, events that wait for
// the running action, the one-second punishment of a bad login, the silent
// authlimit and authtimeout, and the clients that are dropped because they do not
// read. What it claims is compared with real servers by TestConformance; series 13
// is written from its source and unverified. An action that it does not claim is
// answered as by a server whose module is not loaded.
//
// Faults make it misbehave on purpose. They are data, with a text form that scenario
// files and the control lines of amictl sim use, too: see Fault. Traffic and Replay
// produce events, and Ledger tells what the server received and sent.
package amitest
