package bus

import (
	"context"
	"errors"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/output"
)

// moveCommand makes `bus move`.
func moveCommand(r *run.Run) *cli.Command {
	var b target.Bus
	return r.Tell(&cli.Command{
		Name: "move", Usage: "have a bridge hand a node over to another one, without a gap", ArgsUsage: "NODE BRIDGE", Description: help, Flags: b.Flags(),
		Action: func(ctx context.Context, c *cli.Command) error {
			if c.Args().Len() != 2 {
				return fail.Usage("such as `amictl bus move pbx1 b`; `amictl bus info` shows which bridge has which node", "bus move needs a node and a bridge")
			}
			node, bridge := c.Args().Get(0), c.Args().Get(1)
			return onBus(ctx, r, &b, func(ctx context.Context, r *run.Run, conn *nats.Conn, cluster string) error {
				return move(ctx, r, conn, cluster, node, bridge)
			})
		},
	}, run.About{Args: run.Words{Kind: run.NodeName}})
}

func move(ctx context.Context, r *run.Run, conn *nats.Conn, cluster, node, bridge string) error {
	p, err := r.Printer(run.Records, false, true)
	if err != nil {
		return err
	}
	moved, err := bus.Move(ctx, conn, cluster, node, bridge, r.Settings.Timeout)
	var why *bus.MoveError
	switch {
	case errors.As(err, &why):
		return notMoved(why, node, bridge)
	case err != nil:
		return err
	}
	if err := p.Record(moveRecord(cluster, moved)); err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return err
	}
	if !moved.Whole {
		return &fail.Error{Code: fail.CodeGap, Message: node + " was moved to " + bridge + ", with a gap", Hint: "the logs of both bridges say why"}
	}
	return nil
}

// notMoved says why, and what to do: a name that is wrong is a mistake of the command line, and the rest may pass.
func notMoved(why *bus.MoveError, node, bridge string) error {
	code, hint := fail.CodeConnect, "the node is where it was; the log of the bridge that owns it says more"
	switch why.Reason {
	case bus.MoveNoNode:
		return fail.Usage(fail.NearHint(node, why.Names, "`amictl bus info` lists the nodes"), "%s", why.What)
	case bus.MoveNoBridge:
		otherwise := "no other bridge of the cluster is alive"
		if len(why.Names) > 0 {
			otherwise = "there is " + strings.Join(why.Names, ", ")
		}
		return fail.Usage(fail.NearHint(bridge, why.Names, otherwise), "%s", why.What)
	case bus.MoveThere:
		return fail.Usage("`amictl bus info` shows which bridge has which node", "%s", why.What)
	case bus.MoveUnknown:
		code, hint = fail.CodeTimeout, "`amictl bus info` shows which bridge has it"
	case bus.MoveNoOwner:
		hint = "a bridge takes it within seconds, if one runs that has it in its configuration"
	case bus.MoveAway, bus.MoveBusy, bus.MoveFailed:
	}
	return &fail.Error{Code: code, Message: why.What, Hint: hint}
}

// moveRecord is a move as an object.
func moveRecord(cluster string, m *bus.Moved) output.Record {
	return output.Record{
		{Key: "type", Value: "bus-move"},
		{Key: "cluster", Value: cluster},
		{Key: "node", Value: m.Node},
		{Key: "from", Value: m.From},
		{Key: "to", Value: m.To},
		{Key: "whole", Value: m.Whole, Tone: run.GoodIf(m.Whole)},
		{Key: "move_us", Value: m.Took.Microseconds(), Text: output.Duration(m.Took)},
	}
}
