// Package command has the subcommand command: console commands, as `asterisk -rx` runs them.
package command
