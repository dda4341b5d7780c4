// Package health has the subcommand health: can each node be reached, and how does it do.
package health
