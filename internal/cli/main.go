package cli

import (
	"context"
	"os"

	"github.com/apntalk/amictl/internal/cli/run"
)

// Main runs the process's own command line and ends the process with its exit status.
func Main() {
	r := run.New(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)
	ctx, stop := run.WatchSignals(context.Background(), os.Stdout, &r.Patience)
	status := Execute(ctx, r)
	if sig := stop(); sig != nil {
		run.DieBySignal(sig) // after the clean-up, as whoever waits for the process expects
	}
	os.Exit(status)
}
