// Package contexts has the subcommands context and config: what is in the configuration, where settings come from, and edits.
package contexts
