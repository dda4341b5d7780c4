// Command amictl is a scriptable toolkit for the Asterisk Manager Interface: it sends actions, follows events and
// checks health, over one Asterisk or a cluster of them.
package main

import "github.com/apntalk/amictl/internal/cli"

func main() { cli.Main(cli.StandIns()...) }
