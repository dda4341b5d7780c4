package run

import (
	"context"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
)

// Rounds are the flags of a subcommand that looks once, or with --watch again and again.
type Rounds struct {
	Watch bool
	Every flags.Duration
	Most  flags.Count
}

// defaultEvery is the time between two looks.
const defaultEvery = 10 * time.Second

// Flags returns --watch, --every and --rounds.
func (o *Rounds) Flags() []cli.Flag {
	o.Every.Value = defaultEvery
	return []cli.Flag{
		&cli.BoolFlag{Name: "watch", Usage: "keep looking until stopped", Destination: &o.Watch},
		&cli.GenericFlag{Name: "every", Usage: "with --watch: look every `TIME` (10s)", Value: &o.Every},
		&cli.GenericFlag{Name: "rounds", Usage: "with --watch: end after looking `N` times", Value: &o.Most},
	}
}

// Check refuses flags that do not go together.
func (o *Rounds) Check() error {
	if !o.Watch && (o.Every.Given || o.Most.Given) {
		return fail.Usage("such as --watch --every 15s --rounds 4", "--every and --rounds go with --watch")
	}
	return nil
}

// Last reports whether a round, counted from 1, is the last.
func (o *Rounds) Last(round int) bool { return !o.Watch || round == o.Most.Value }

// Wait waits for the next round.
func (o *Rounds) Wait(ctx context.Context) error {
	next := time.NewTimer(o.Every.Value)
	defer next.Stop()
	select {
	case <-next.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
