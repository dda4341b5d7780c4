package bus

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
)

// act opens a bus for a subcommand that sends actions, or follows nodes.
func act(ctx context.Context, q run.BusQuery, timeout time.Duration) ([]ami.Config, error) {
	conn, err := bus.Dial(access(&q.BusAddress), q.Log)
	if err != nil {
		return nil, err
	}
	names, err := nodes(ctx, conn, &q)
	var events *bus.Consumer
	if err == nil && q.Events {
		events, err = bus.Read(ctx, conn, bus.ReadOptions{Cluster: q.Cluster, Nodes: q.Nodes})
	}
	var caller *bus.Caller
	if err == nil {
		caller, err = bus.NewCaller(conn, q.Cluster, q.User, timeout)
	}
	if err != nil {
		if events != nil {
			events.Close()
		}
		conn.Close()
		return nil, err
	}
	if events != nil {
		caller.Follow(events, func(err error) { q.Log.Error("bus", slog.Any("error", err)) })
	}
	context.AfterFunc(ctx, caller.Close)
	all := make([]ami.Config, 0, len(names))
	for _, name := range names {
		all = append(all, caller.Node(name))
	}
	return all, nil
}

// nodes are the names that are meant. Only for globs, and for all, the bus has to be asked, which not every user may.
func nodes(ctx context.Context, conn *nats.Conn, q *run.BusQuery) (names []string, err error) {
	if len(q.Nodes) > 0 && !slices.ContainsFunc(q.Nodes, ami.IsGlob) {
		return q.Nodes, nil
	}
	info, err := bus.Inspect(ctx, conn, q.Cluster)
	if err != nil {
		return nil, err
	}
	for i := range info.Nodes {
		name := info.Nodes[i].Node
		if len(q.Nodes) == 0 || slices.ContainsFunc(q.Nodes, func(glob string) bool { return ami.MatchGlob(glob, name) }) {
			names = append(names, name)
		}
	}
	return names, nil
}

// access is how a subcommand gets onto a bus.
func access(a *run.BusAddress) bus.Access {
	return bus.Access{URL: a.URL, Creds: a.Creds, NKey: a.NKey, CA: a.CA, Name: "amictl", User: a.User}
}
