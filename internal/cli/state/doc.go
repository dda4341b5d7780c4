// Package state has the subcommand state: what servers hold now, and what becomes of it.
package state
