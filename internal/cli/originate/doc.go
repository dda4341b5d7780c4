// Package originate has the subcommand originate: a call, and what came of it.
package originate
