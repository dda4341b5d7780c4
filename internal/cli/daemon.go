package cli

import (
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/run"
)

// inDaemon are the subcommands that amictld alone has, by name and what they do. What they link would cost each start of
// amictl milliseconds and megabytes, so there they stand for amictld, which is the same command line with all of them.
var inDaemon = []struct{ Name, Usage string }{
	{"top", "watch calls, queues and what is down, on the whole terminal"},
	{"serve", "keep one session to each server, and serve metrics, state, events and actions"},
	{"bus", "inspect a cluster's events on NATS"},
}

// StandIns are the subcommands of amictld as amictl has them: each runs amictld.
func StandIns() (all []Subcommand) {
	for _, c := range inDaemon {
		all = append(all, func(r *run.Run) *cli.Command {
			return r.Tell(&cli.Command{Name: c.Name, Usage: c.Usage}, run.About{Daemon: true})
		})
	}
	return all
}
