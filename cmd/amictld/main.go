// Command amictld is amictl with what is too heavy for a command that is started thousands of times: the same command line,
// top, serve, the bus, and load from several machines.
package main

import (
	"github.com/apntalk/amictl/internal/bench/fleet/natsbus"
	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/bench"
	"github.com/apntalk/amictl/internal/cli/bus"
	"github.com/apntalk/amictl/internal/cli/serve"
	"github.com/apntalk/amictl/internal/cli/top"
)

func main() { cli.Main(subcommands...) }

var subcommands = []cli.Subcommand{top.Command, serve.Command, bus.Command, bench.With(natsbus.Transport{})}
