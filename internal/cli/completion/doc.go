// Package completion has the subcommand completion: a script for each shell, and the candidates that it asks for.
package completion
