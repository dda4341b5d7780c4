// Package cli is the command line of amictl: the root command, its help, and the way from arguments to a subcommand.
// Each subcommand is a package below it; none imports another, and what two need is in run, target, act, call, held, replay,
// timeline, nagios, config, flags or fail.
package cli
