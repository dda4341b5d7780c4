// Package bench has the subcommand bench: flags and screens of the load generator in internal/bench.
package bench
