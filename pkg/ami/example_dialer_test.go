package ami_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A dialer calls numbers over the servers of a cluster, with a bound on the calls in progress.
type dialer struct {
	cluster *ami.Cluster
	lines   chan struct{} // a token for each call in progress

	mu    sync.Mutex
	calls map[string]string // guarded by mu: channel id → its server, "" until that is known
}

func newDialer(cluster *ami.Cluster, lines int) *dialer {
	return &dialer{cluster: cluster, lines: make(chan struct{}, lines), calls: make(map[string]string)}
}

// call makes one call and returns how its attempt ended. The id is the dialer's own: it becomes the channel's Uniqueid,
// so the call's events are known even if the answer to the Originate is lost.
func (d *dialer) call(ctx context.Context, id, number string) (string, error) {
	select {
	case d.lines <- struct{}{}:
		defer func() { <-d.lines }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	d.note(id, "")
	action := ami.NewAction("Originate",
		"Channel", "Local/"+number+"@default", "ChannelId", id, "OtherChannelId", id+"-2",
		"Application", "Wait", "Data", "60", "Timeout", "20000", "Async", "true")
	action.AwaitOriginate = true      // end with the call's outcome, not with the acknowledgement
	action.Timeout = 30 * time.Second // more than the 20 s that it may ring
	reply, err := d.cluster.Via(ami.Route{Kind: ami.RouteLeastPending}).Do(ctx, action)
	var refused *ami.ResponseError
	var failed *ami.OpError
	switch {
	case err == nil:
		d.settle(id, reply.Node)
		return reply.Outcome().String(), nil
	case errors.As(err, &refused): // by the far end (busy, no-answer, …), or by the server: then the outcome is unknown
		d.forget(id)
		return cmp.Or(refused.Outcome, ami.OutcomeFailed).String(), nil
	case ami.SentState(err) == ami.SentNo:
		d.forget(id) // it never left the process: any number of tries more do no harm
		return "", fmt.Errorf("not called: %w", err)
	case errors.As(err, &failed):
		d.settle(id, failed.Node)
	}
	return "unknown", err // it may have run: watch or resync will tell; a second attempt could be a second call
}

func (d *dialer) note(id, node string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[id] = node
}

// settle says where a call is, unless its Hangup was quicker.
func (d *dialer) settle(id, node string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.calls[id]; ok {
		d.calls[id] = node
	}
}

func (d *dialer) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.calls, id)
}

func (d *dialer) up() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.calls)
}

// watch follows the ends of calls until ctx is done. Where events are missing, it asks the server what is really there.
func (d *dialer) watch(ctx context.Context, events *ami.Subscription) {
	for event, err := range events.All(ctx) {
		switch {
		case err != nil:
			return // ctx is done, or the cluster was closed
		case event.Gap == nil:
			d.forget(event.Get("Uniqueid"))
		case event.Gap.Reason == ami.GapOverflow || !event.Gap.Until.IsZero(): // the stream goes on
			if err := d.resync(ctx, event.Node); err != nil {
				slog.WarnContext(ctx, "resync", "node", event.Node, "err", err)
			}
		}
	}
}

// resync forgets the calls that are not on their server any more. Those whose Originate is not answered yet are left
// alone.
func (d *dialer) resync(ctx context.Context, node string) error {
	gone := d.on(node)
	reply, err := d.cluster.Via(ami.Route{Node: node}).Do(ctx, ami.NewAction("CoreShowChannels"))
	if err != nil {
		return err
	}
	for _, channel := range reply.Events {
		delete(gone, channel.Get("Uniqueid"))
	}
	for id := range gone {
		d.forget(id)
	}
	return nil
}

// on returns the calls that are known to be on a server.
func (d *dialer) on(node string) map[string]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	ids := make(map[string]bool)
	for id, on := range d.calls {
		if on == node {
			ids[id] = true
		}
	}
	return ids
}

// A program that makes calls around the clock: supervised sessions, outcomes, ends, gaps, and a graceful stop.
func Example_dialer() {
	cfg, server := exampleServer(amitest.WithCallTimes(time.Millisecond, time.Minute))
	defer server.Close()
	server.State().AddExtension(
		amitest.Extension{Context: "default", Exten: "100", Outcome: "answer"},
		amitest.Extension{Context: "default", Exten: "300", Outcome: "busy"})

	cfg.Events = "call" // OriginateResponse and Hangup are events of this class
	cluster := ami.NewCluster(ami.ClusterConfig{
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	defer cluster.Close()
	hangups, err := cluster.Subscribe(ami.SubscribeOptions{Events: []string{"Hangup"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	node, err := cluster.Add(cfg) // once for each server
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if err := node.WaitReady(ctx); err != nil {
		fmt.Println(err)
		return
	}

	d := newDialer(cluster, 20)
	var watching sync.WaitGroup
	watching.Go(func() { d.watch(ctx, hangups) })
	for i, number := range []string{"100", "300"} {
		outcome, err := d.call(ctx, fmt.Sprintf("dialer-%d", i), number)
		fmt.Println(number, outcome, err)
	}
	fmt.Println("up:", d.up())

	if err := cluster.Drain(ctx); err != nil { // finish what was begun, log off, close
		fmt.Println(err)
	}
	watching.Wait()
	fmt.Println("ledger exact:", cluster.Stats().Ledger.Exact())
	// Output:
	// 100 answered <nil>
	// 300 busy <nil>
	// up: 1
	// ledger exact: true
}
