// Package tail has the subcommands tail and wait: events as they come, from a recording, or until one comes.
package tail
