package tail

import (
	"context"
	"errors"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// findBus decides whether events come from a bus, and refuses what has no use there.
func (o *options) findBus(r *run.Run) (err error) {
	if len(o.from) > 0 {
		return nil
	}
	if o.address, o.onBus, err = o.bus.Address(r); err != nil || !o.onBus {
		const bus = "such as --nats nats://127.0.0.1:4222 --cluster prod"
		switch {
		case err != nil:
		case o.fromStart:
			err = fail.Usage(bus, "--from-start is for a bus")
		case o.durable != "":
			err = fail.Usage(bus, "--durable is for a bus")
		}
		return err
	}
	const servers = "`-C NAME` chooses a context without a bus, and -n ami://user@host a server"
	switch {
	case r.HasTo:
		return fail.Usage(servers, "an action after `--` needs a server, and events come from the bus here")
	case o.require != "", o.All, o.Route != "", o.Yes, o.DryRun:
		return fail.Usage(servers, "--require, --all, --route, --yes and --dry-run are for servers, and events come from the bus here")
	case o.fromStart && o.since != "":
		return fail.Usage("leave one of them out", "--from-start and --since cannot be combined")
	case o.durable != "" && o.stats:
		return fail.Usage("without --stats each event is acknowledged when it is printed", "--stats prints at the end alone, and does not go with --durable")
	case o.spool.Given:
		return fail.Usage("leave it out", "--spool is for servers: a bus keeps its events until they are read")
	}
	o.ofBus, err = o.bus.Nodes(r)
	return err
}

// fromBus follows the events of a bus.
func (t *tailer) fromBus(ctx context.Context) error {
	q := run.BusQuery{BusAddress: t.options.address, Since: t.options.span.since, All: t.options.fromStart, Nodes: t.options.ofBus, Durable: string(t.options.durable), Log: t.run.Logger()}
	events, err := target.OpenBus(ctx, t.run, q)
	if err != nil {
		return err
	}
	defer events.Close()
	if t.options.durable != "" {
		t.goOn(events)
	}
	if err := t.beginRecord(); err != nil {
		return err
	}
	limited, cancel := t.options.limit(ctx)
	defer cancel()
	sent := newSender(limited, t.run, nil, &t.options.Fanout, nil)
	nudge := sent.nudge
	t.nudge.Store(&nudge)
	defer t.watchStats(nudge)()
	err = t.follow(limited, &wanted{events, t}, sent)
	flushed := t.flush() // and acknowledged, also after a signal
	if !errors.Is(err, errEnough) && notOver(limited, err) != nil {
		return err
	}
	return flushed
}

// wanted is what is asked for of a stream, as a subscription would have it.
type wanted struct {
	run.EventStream
	t *tailer
}

func (w *wanted) PollBorrowed() (*ami.Event, bool) {
	for {
		ev, ok := w.EventStream.PollBorrowed()
		if !ok || w.meets(ev) {
			return ev, ok
		}
	}
}

func (w *wanted) NextBorrowed(ctx context.Context) (*ami.Event, error) {
	for {
		ev, err := w.EventStream.NextBorrowed(ctx)
		if err != nil || w.meets(ev) {
			return ev, err
		}
	}
}

func (w *wanted) meets(ev *ami.Event) bool {
	o := w.t.options
	if !o.span.since.IsZero() && ev.Received.Before(o.span.since) || !target.OfNodes(o.ofBus, ev.Node) {
		return false
	}
	switch {
	case ev.Gap != nil:
		return true
	case ev.Kind() != wire.Event:
		return o.packets && w.t.where.Match(ev.Node, &ev.Message)
	}
	return w.t.wantsName(ev.Name()) && w.t.where.Match(ev.Node, &ev.Message)
}
