// Package upstream is what the daemon's doors have in common: one event session and one action session to each server, the
// window of events, the state, and the one way in which a client's action reaches a server.
package upstream
