// Package runtest is for tests of subcommands: a run with streams in memory, against simulated servers, without a process.
package runtest
