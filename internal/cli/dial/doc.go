// Package dial has the subcommand dial: it calls a list of numbers. Its core, the scheduler and the journal's book, is pure;
// the dialer is the shell that has the clock, the file and the servers.
package dial
