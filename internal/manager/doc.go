// Package manager is what Asterisk's manager.c does with what clients send: lines become messages, classes and masks decide
// who sees an event, filters which of them. The simulator and the daemon's AMI door both stand on it. It does no I/O.
package manager
