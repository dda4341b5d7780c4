// Command amictl is a scriptable toolkit for the Asterisk Manager Interface: it sends actions, follows events and
// checks health, over one Asterisk or a cluster of them.
package main

import (
	"context"
	"os"
)

func main() {
	a := newApp(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv)
	ctx, stop := watchSignals(context.Background(), os.Stdout, &a.patience)
	status := a.run(ctx)
	if sig := stop(); sig != nil {
		dieBySignal(sig) // after the clean-up, as whoever waits for the process expects
	}
	os.Exit(status)
}
