// Package check has the subcommand check: a profile of checks for monitoring and CI.
package check
