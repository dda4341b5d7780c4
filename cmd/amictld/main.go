// Command amictld is amictl with the subcommands that run for months: the same command line, and serve.
package main

import (
	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/serve"
)

func main() { cli.Main(subcommands...) }

var subcommands = []cli.Subcommand{serve.Command}
