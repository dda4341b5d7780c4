// Package send has the subcommand send: an action from the command line, or many from lines of standard input.
package send
