package bus

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/output"
)

const help = `Examples:
  amictl bus info --nats nats://127.0.0.1:4222 --cluster prod
  amictl -C prod bus verify && echo nothing is missing without a mark
  amictl -C prod bus move pbx1 b             # pbx1 goes to bridge b

info shows each node of a cluster on the bus: which bridge owns it and since when, how much of it is stored, and which bridges
stand by for it (serve --hot): those in step would go on without a gap if its owner died now, of the others it says why they would not;
and each durable of tail, with the number of batches that it has yet to acknowledge.
verify reads the whole stream and checks for each node that the packets of every session are in order, none twice, and
that no batch is missing; otherwise the status is 1. Gaps mark what is known to be missing, and are no fault.
move has the bridge that owns a node hand it over to another one, without a gap: the other reads the node already before the
first ends. If that cannot be within --timeout, the node stays where it is.
docs/bus.md explains bridges and what is promised.`

// Command makes the subcommand, and lets others read from a bus and act over it.
func Command(r *run.Run) *cli.Command {
	r.Bus, r.BusActor = read, act
	sub := func(name, usage string, do doing) *cli.Command {
		var b target.Bus
		return r.Tell(&cli.Command{
			Name: name, Usage: usage, Description: help, Flags: b.Flags(),
			Action: func(ctx context.Context, _ *cli.Command) error {
				if err := r.RefuseTimeout("--deadline"); err != nil {
					return err
				}
				return onBus(ctx, r, &b, do)
			},
		}, run.About{})
	}
	return r.Tell(&cli.Command{
		Name: "bus", Usage: "inspect a cluster's events on NATS", Description: help,
		Commands: []*cli.Command{
			sub("info", "show the nodes of a cluster on the bus, and who owns them", info),
			sub("verify", "check that nothing is missing, twice or out of order", verify),
			moveCommand(r),
		},
	}, run.About{})
}

// doing is what a subcommand does with a cluster on a bus.
type doing func(ctx context.Context, r *run.Run, conn *nats.Conn, cluster string) error

// onBus does something with a bus.
func onBus(ctx context.Context, r *run.Run, b *target.Bus, do doing) error {
	a, ok, err := b.Address(r)
	if err != nil {
		return err
	}
	if !ok {
		return fail.Usage("--nats URL --cluster NAME, or nats = and cluster = in the context", "no bus is given")
	}
	conn, err := bus.Dial(access(&a), r.Logger())
	if err == nil {
		defer conn.Close()
		err = do(ctx, r, conn, a.Cluster)
	}
	if err != nil && ctx.Err() == nil {
		return target.BusError(a.URL, err)
	}
	return err
}

func info(ctx context.Context, r *run.Run, conn *nats.Conn, cluster string) error {
	i, err := bus.Inspect(ctx, conn, cluster)
	if err != nil {
		return err
	}
	p, err := r.Printer(run.Records, false, true)
	if err != nil {
		return err
	}
	standbys, err := standbysOf(ctx, r, conn, cluster)
	if err != nil {
		return err
	}
	for _, n := range i.Nodes {
		if err := p.Record(nodeRecord(cluster, &n, standbys[n.Node])); err != nil {
			return err
		}
	}
	durables, err := bus.Durables(ctx, conn, cluster)
	switch {
	case errors.As(err, new(*bus.RefusedError)):
		r.Note("durables are not shown: the bus does not allow to list them")
	case err != nil:
		return err
	}
	for _, d := range durables {
		if err := p.Record(durableRecord(cluster, &d)); err != nil {
			return err
		}
	}
	r.Note("%s: %d batches, %.1f MiB of %s, from %s on, kept for %s, %d replicas", i.Stream, i.Messages, float64(i.Bytes)/(1<<20), limit(i.MaxBytes), stamp(i.First), i.Retain, i.Replicas)
	return p.Close()
}

// standbysOf are the bridges that stand by for each node, by name.
func standbysOf(ctx context.Context, r *run.Run, conn *nats.Conn, cluster string) (map[string][]bus.Standby, error) {
	all, silent, err := bus.Standbys(ctx, conn, cluster)
	if errors.As(err, new(*bus.RefusedError)) {
		r.Note("standbys are not shown: the bus does not allow to ask for them")
		err = nil
	}
	if len(silent) > 0 {
		r.Note("bridges that have not said for which nodes they stand by: %s", strings.Join(silent, ", "))
	}
	byNode := make(map[string][]bus.Standby)
	for _, s := range all {
		byNode[s.Node] = append(byNode[s.Node], s)
	}
	for _, of := range byNode {
		slices.SortFunc(of, func(a, b bus.Standby) int { return strings.Compare(a.Bridge, b.Bridge) })
	}
	return byNode, err
}

// nodeRecord is a node as an object.
func nodeRecord(cluster string, n *bus.NodeInfo, standbys []bus.Standby) output.Record {
	record := output.Record{
		{Key: "type", Value: "bus-node"},
		{Key: "cluster", Value: cluster},
		{Key: "node", Value: n.Node},
		{Key: "bridge"},
		{Key: "since"},
		{Key: "batches", Value: n.Batches},
		{Key: "standbys"},
	}
	if n.Bridge != "" {
		record[3].Value, record[4].Value = n.Bridge, n.Since
	}
	if len(standbys) > 0 {
		record[6] = standbysPair(standbys)
	}
	return record
}

// standbysPair are the bridges that stand by for a node: for people their names, and what is wrong with them.
func standbysPair(standbys []bus.Standby) output.Pair {
	var objects []output.Record
	var words []string
	well := true
	for _, s := range standbys {
		object, word := output.Record{{Key: "bridge", Value: s.Bridge}, {Key: "in_step", Value: s.Why == ""}, {Key: "since"}, {Key: "reason", Value: run.OrAbsent(s.Why)}}, s.Bridge
		if !s.Since.IsZero() {
			object[2].Value = s.Since
		}
		if s.Why != "" {
			word, well = word+" (out of step: "+s.Why+")", false
		}
		objects, words = append(objects, object), append(words, word)
	}
	return output.Pair{Key: "standbys", Value: objects, Text: strings.Join(words, ", "), Look: output.Prose, Tone: run.GoodIf(well)}
}

// durableRecord is a durable as an object.
func durableRecord(cluster string, d *bus.DurableInfo) output.Record {
	return output.Record{
		{Key: "type", Value: "bus-durable"},
		{Key: "cluster", Value: cluster},
		{Key: "durable", Value: d.Name},
		{Key: "nodes", Value: append([]string{}, d.Nodes...), Text: cmp.Or(strings.Join(d.Nodes, ", "), "all")},
		{Key: "behind", Value: d.Behind},
	}
}

func limit(bytes int64) string {
	if bytes < 0 {
		return "any number"
	}
	return strconv.FormatFloat(float64(bytes)/(1<<20), 'f', 0, 64) + " MiB"
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "now"
	}
	return t.Format(time.RFC3339)
}

func verify(ctx context.Context, r *run.Run, conn *nats.Conn, cluster string) error {
	ledgers, err := bus.Verify(ctx, conn, cluster)
	if err != nil {
		return err
	}
	p, err := r.Printer(run.Records, false, true)
	if err != nil {
		return err
	}
	faults := 0
	for _, l := range ledgers {
		faults += len(l.Faults)
		if err := p.Record(ledgerRecord(cluster, l)); err != nil {
			return err
		}
	}
	if err := p.Close(); err != nil {
		return err
	}
	if faults > 0 {
		return fail.Silent(fail.ExitFailed)
	}
	return nil
}

// ledgerRecord is a node's ledger as an object.
func ledgerRecord(cluster string, l *bus.Ledger) output.Record {
	return output.Record{
		{Key: "type", Value: "bus-ledger"},
		{Key: "cluster", Value: cluster},
		{Key: "node", Value: l.Node},
		{Key: "batches", Value: l.Batches},
		{Key: "packets", Value: l.Packets},
		{Key: "sessions", Value: l.Sessions},
		{Key: "owners", Value: l.Owners},
		{Key: "gaps", Value: l.Gaps},
		{Key: "dropped", Value: l.Dropped},
		{Key: "faults", Value: append([]string{}, l.Faults...), Text: strings.Join(l.Faults, "; "), Look: output.Prose, Tone: run.GoodIf(len(l.Faults) == 0)},
	}
}
