package version

import (
	"context"
	"runtime"
	"strconv"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/output"
)

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	return r.Tell(&cli.Command{
		Name:  "version",
		Usage: "show the version of amictl",
		Description: "Examples:\n  amictl version\n  amictl version --query version\n" +
			"  amictl version --query 'modules.#.path'\n\n" +
			"Tells the release, its commit and the time of that, the compiler, and the modules that are linked in, with their hashes as in\n" +
			"go.sum. Needs no configuration, and works even if it is broken.",
		Action: func(context.Context, *cli.Command) error { return version(r) },
	}, run.About{Config: run.ConfigMayBeBroken, Prints: true})
}

func version(r *run.Run) error {
	p, err := r.Printer(run.Records, false, false)
	if err != nil {
		return err
	}
	b := run.ThisBuild()
	rec := output.Record{
		{Key: "type", Value: "version"},
		{Key: "version", Value: b.Version},
		{Key: "commit", Value: run.OrAbsent(b.Commit)},
		{Key: "date", Value: run.OrAbsent(b.Date)},
		{Key: "go", Value: runtime.Version()},
		{Key: "platform", Value: runtime.GOOS + "/" + runtime.GOARCH},
		{Key: "modules", Value: modules(b), Text: strconv.Itoa(len(b.Modules)), Look: output.Minor},
	}
	if err := p.Record(rec); err != nil {
		return err
	}
	return p.Close()
}

func modules(b run.Build) []output.Record {
	all := make([]output.Record, len(b.Modules))
	for i, m := range b.Modules {
		all[i] = output.Record{{Key: "path", Value: m.Path}, {Key: "version", Value: m.Version}, {Key: "sum", Value: run.OrAbsent(m.Sum)}}
	}
	return all
}
