package version

import (
	"context"
	"runtime"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/output"
)

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	return r.Tell(&cli.Command{
		Name:  "version",
		Usage: "show the version of amictl",
		Description: "Examples:\n  amictl version\n  amictl version --query version\n\n" +
			"Needs no configuration, and works even if it is broken.",
		Action: func(context.Context, *cli.Command) error { return version(r) },
	}, run.About{Config: run.ConfigMayBeBroken})
}

func version(r *run.Run) error {
	p, err := r.Printer(run.Records, false, false)
	if err != nil {
		return err
	}
	v, commit := run.BuildVersion()
	rec := output.Record{
		{Key: "type", Value: "version"},
		{Key: "version", Value: v},
		{Key: "commit", Value: run.OrAbsent(commit)},
		{Key: "go", Value: runtime.Version()},
		{Key: "platform", Value: runtime.GOOS + "/" + runtime.GOARCH},
	}
	if err := p.Record(rec); err != nil {
		return err
	}
	return p.Close()
}
