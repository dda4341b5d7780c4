// Package amidoor is the daemon's AMI door: an AMI server for clients that know nothing of it. To them it is Asterisk, as
// manager.c has it; behind it, all of them share the daemon's two sessions.
//
// A client is two goroutines. One reads, and carries out one action after the other, as Asterisk does; the other alone writes:
// answers, and events from the window. Between them there is a turn at a time and no queue, so that a client which does not
// read, or sends much, holds up itself and TCP.
package amidoor
