// Package schema has the subcommand schema: the JSON Schemas of everything that is printed.
package schema
