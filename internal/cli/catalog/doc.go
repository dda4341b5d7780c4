// Package catalog has the subcommands actions and events: what Asterisk is known to have, offline or of a live server.
package catalog
