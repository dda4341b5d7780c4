// Package version has the subcommand version.
package version
