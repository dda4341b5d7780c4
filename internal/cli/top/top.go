package top

import (
	"context"

	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/act"
	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami/state"
)

const help = `Examples:
  amictl top
  amictl top -C prod --label site=berlin
  amictl sim --calls-per-second 5 -- amictl top     a first look

Shows what the servers hold on the whole terminal, and keeps it up to date: calls by age with both ends, queues with the callers
in them, endpoints and registrations that are down, conferences, nodes with their rates. ? shows the keys: they sort, filter by
a condition, choose nodes, open a call's events or a queue's members, pause a member, hang up, kick.

With --nats and --cluster, or in a context that has a bus and no nodes, it follows the servers over the bus (docs/bus.md).

The names that it shows want quotes in a shell, for those of Local channels hold a ;.
It asks before it changes anything; in a protected context changes are refused unless --yes is given. The screen is drawn at
most ten times a second, and only the parts that changed are sent. q ends it, and so does a signal; the terminal is left as it was.`

// options are those of top.
type options struct {
	yes bool
	bus target.Bus
}

// Command makes the subcommand.
func Command(r *run.Run) *cli.Command {
	o := &options{}
	return r.Tell(&cli.Command{
		Name:        "top",
		Usage:       "watch calls, queues and what is down, on the whole terminal",
		Description: help,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "allow changes in a protected context; each still asks first", Destination: &o.yes},
		}, o.bus.Flags()...),
		Action: func(ctx context.Context, _ *cli.Command) error { return top(ctx, r, o) },
	}, run.About{})
}

func top(ctx context.Context, r *run.Run, o *options) error {
	if err := r.RefuseOutput("`amictl calls --live` and `amictl state` print what top shows"); err != nil {
		return err
	}
	screen, err := findScreen(r)
	if err != nil {
		return err
	}
	nodes, err := o.bus.Followed(ctx, r)
	if err != nil {
		return err
	}
	protected := func(string) string { return "" }
	if !o.yes {
		p := act.ProtectedBy(r, nodes)
		protected = func(node string) string {
			if why := p.Why(r, node); why != "" {
				return why + "; start top with --yes to change something"
			}
			return ""
		}
	}
	defer r.Mute()() // what would be said is drawn
	w, err := held.Follow(ctx, r, nodes, state.Options{Kinds: Kinds()})
	if err != nil {
		return err
	}
	defer w.Finish(ctx)
	if err := target.Await(ctx, r, w.Cluster, 1); err != nil {
		return err
	}
	if err := screen.Init(); err != nil {
		return err
	}
	t := newTerminal(screen)
	r.OnDeath(t.close)
	defer t.close()
	s := &shell{run: r, watch: w, model: NewModel(len(nodes), protected), term: t}
	return s.loop(ctx)
}
