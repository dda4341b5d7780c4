// Package calls has the subcommand calls: calls that end, those that are up, and the story of one.
package calls
