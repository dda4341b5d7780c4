// Package drain has the subcommand drain: a server without calls, and what is to be done to it then.
package drain
