package main

import (
	"cmp"
	"context"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/pkg/output"
)

// version is set by the release build.
var version = ""

func (a *app) versionCommand() *cli.Command {
	return a.tell(&cli.Command{
		Name:  "version",
		Usage: "show the version of amictl",
		Description: "Examples:\n  amictl version\n  amictl version --query version\n\n" +
			"Needs no configuration, and works while it is broken.",
		Action: func(_ context.Context, c *cli.Command) error {
			if err := noArguments(c); err != nil {
				return err
			}
			p, err := a.printer(records, false, false)
			if err != nil {
				return err
			}
			v, commit := buildVersion()
			rec := output.Record{
				{Key: "type", Value: "version"},
				{Key: "version", Value: v},
				{Key: "commit", Value: text0(commit)},
				{Key: "go", Value: runtime.Version()},
				{Key: "platform", Value: runtime.GOOS + "/" + runtime.GOARCH},
			}
			if err := p.Record(rec); err != nil {
				return err
			}
			return p.Close()
		},
	}, about{config: configMayBeBroken})
}

// buildVersion returns the release, or what the Go toolchain wrote into the binary.
func buildVersion() (v, commit string) {
	v = version
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(v, "unknown"), ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	return cmp.Or(v, info.Main.Version, "(devel)"), commit
}

func noArguments(c *cli.Command) error {
	if c.Args().Present() {
		return usageError("see `"+helpFor(c)+"`", "%s takes no arguments, and got %q", c.UsageText, c.Args().First())
	}
	return nil
}
