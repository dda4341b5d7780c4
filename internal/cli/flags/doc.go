// Package flags has the kinds of values that flags take, and what the command line knows about flags.
package flags
