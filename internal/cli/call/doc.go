// Package call originates a call and follows it to its end. The subcommands that make calls share it.
package call
