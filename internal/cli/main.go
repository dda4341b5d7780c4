package cli

import (
	"context"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/run"
)

// A Subcommand makes a subcommand of a run. It may tell the root more about itself with run.Tell.
type Subcommand func(r *run.Run) *cli.Command

// Main runs the process's own command line and ends the process with its exit status. A program with more subcommands than
// amictl gives them here.
func Main(more ...Subcommand) {
	run.DieOnCrash()
	r := run.New(os.Args[1:], os.Stdin, os.Stdout, run.Stderr(), os.LookupEnv)
	stop := func() *run.SignalError { return nil }
	status := execute(context.Background(), r, func(ctx context.Context) context.Context {
		ctx, stop = run.WatchSignals(ctx, os.Stdout, r) // two threads and 0.3 ms, which what only prints does without
		return ctx
	}, more)
	if sig := stop(); sig != nil {
		run.DieBySignal(sig) // after the clean-up, as whoever waits for the process expects
	}
	os.Exit(status)
}
