package bus

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/subject"
)

// Info is what a bus says about a cluster.
type Info struct {
	Stream   string
	Messages uint64 // batches
	Bytes    uint64
	First    time.Time // of the oldest batch
	Retain   time.Duration
	MaxBytes int64
	Replicas int
	Nodes    []NodeInfo // by name
}

// NodeInfo is what it says about a node.
type NodeInfo struct {
	Node    string
	Batches uint64
	Bridge  string    // that owns it; "" none
	Since   time.Time // it has
}

// Inspect asks a bus about a cluster.
func Inspect(ctx context.Context, conn *nats.Conn, cluster string) (*Info, error) {
	ctx, stop := UntilRefused(ctx, conn)
	defer stop()
	i, err := inspect(ctx, conn, cluster)
	return i, causeOf(ctx, err)
}

func inspect(ctx context.Context, conn *nats.Conn, cluster string) (*Info, error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	stream, err := js.Stream(ctx, eventStream(cluster))
	if err != nil {
		return nil, wrap("look for the stream of cluster "+cluster, err)
	}
	s, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject.AllEvents(cluster)))
	if err != nil {
		return nil, wrap("ask about the stream of cluster "+cluster, err)
	}
	i := &Info{
		Stream: s.Config.Name, Messages: s.State.Msgs, Bytes: s.State.Bytes, First: s.State.FirstTime,
		Retain: s.Config.MaxAge, MaxBytes: s.Config.MaxBytes, Replicas: s.Config.Replicas,
	}
	nodes := make(map[string]*NodeInfo)
	for subj, n := range s.State.Subjects {
		if name, err := subject.Node(subj); err == nil {
			nodes[name] = &NodeInfo{Node: name, Batches: n}
		}
	}
	if err := addOwners(ctx, js, cluster, nodes); err != nil {
		return nil, err
	}
	for _, n := range nodes {
		i.Nodes = append(i.Nodes, *n)
	}
	slices.SortFunc(i.Nodes, func(a, b NodeInfo) int { return strings.Compare(a.Node, b.Node) })
	return i, nil
}

// addOwners says of each node who has its lease.
func addOwners(ctx context.Context, js jetstream.JetStream, cluster string, nodes map[string]*NodeInfo) error {
	board, err := watchLeases(ctx, js, cluster)
	if err != nil {
		return err
	}
	board.stop()
	for key, l := range board.all() {
		if l.holder == "" {
			continue
		}
		if nodes[key] == nil {
			nodes[key] = &NodeInfo{Node: key}
		}
		nodes[key].Bridge, _, _ = strings.Cut(l.holder, "/")
		nodes[key].Since = l.held
	}
	return nil
}

// DurableInfo is what a bus says about a durable.
type DurableInfo struct {
	Name   string
	Nodes  []string // names and globs; none: all
	Behind uint64   // batches that are not acknowledged
}

// Durables are the durables of a cluster, by name. Consumers of other programs are not among them.
func Durables(ctx context.Context, conn *nats.Conn, cluster string) ([]DurableInfo, error) {
	ctx, stop := UntilRefused(ctx, conn)
	defer stop()
	all, err := durables(ctx, conn, cluster)
	return all, causeOf(ctx, err)
}

func durables(ctx context.Context, conn *nats.Conn, cluster string) (all []DurableInfo, err error) {
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	stream, err := js.Stream(ctx, eventStream(cluster))
	if err != nil {
		return nil, wrap("look for the stream of cluster "+cluster, err)
	}
	list := stream.ListConsumers(ctx)
	for c := range list.Info() {
		if nodes, ours := c.Config.Metadata[nodesKey]; ours {
			all = append(all, DurableInfo{Name: c.Name, Nodes: nodesOf(nodes), Behind: c.NumPending + uint64(c.NumAckPending)})
		}
	}
	slices.SortFunc(all, func(a, b DurableInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, wrap("list the durables of cluster "+cluster, list.Err())
}
