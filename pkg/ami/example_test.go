package ami_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// exampleServer is a simulated Asterisk; a real one is reached in the same way.
func exampleServer(opts ...amitest.Option) (ami.Config, *amitest.Server) {
	server := amitest.NewServer(opts...)
	return ami.Config{
		Name: "pbx1", Addr: server.Addr(),
		Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
	}, server
}

// One session, one action.
func ExampleDial() {
	cfg, server := exampleServer()
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	conn, err := ami.Dial(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	reply, err := conn.Do(ctx, ami.NewAction("Ping"))
	fmt.Println(conn.Banner(), reply.Get("Ping"), err)
	// Output: Asterisk Call Manager/11.0.0 Pong <nil>
}

// A list comes as one Reply with its items in Events.
func ExampleConn_Do() {
	cfg, server := exampleServer()
	defer server.Close()
	server.State().AddQueue(amitest.Queue{Name: "sales"}, amitest.Queue{Name: "support"})
	ctx := context.Background()
	conn, err := ami.Dial(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	reply, err := conn.Do(ctx, ami.NewAction("QueueStatus"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, item := range reply.Events {
		fmt.Println(item.Name(), item.Get("Queue"))
	}
	// Output:
	// QueueParams sales
	// QueueParams support
}

// A server's refusal is an error and a Reply; an error says whether the action may have run.
func ExampleOpError() {
	cfg, server := exampleServer()
	defer server.Close()
	ctx := context.Background()
	conn, err := ami.Dial(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	_, err = conn.Do(ctx, ami.NewAction("Hangup", "Channel", "PJSIP/none"))
	var refused *ami.ResponseError
	if errors.As(err, &refused) {
		fmt.Println("the server said:", refused.Message)
	}
	_, err = conn.Do(ctx, ami.NewAction("Setvar", "Variable", "X", "Value", "1\r\nAction: Logoff"))
	fmt.Println("sent:", ami.SentState(err))
	// Output:
	// the server said: No such channel
	// sent: no
}

// Many actions in flight at once, their ends gathered in one place, each with the value that it was given.
func ExampleBatch() {
	cfg, server := exampleServer()
	defer server.Close()
	ctx := context.Background()
	conn, err := ami.Dial(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	var batch ami.Batch[string]
	for _, seat := range []string{"1A", "1B", "2A"} {
		action := ami.NewAction("DBPut", "Family", "seats", "Key", seat, "Val", "free")
		if err := batch.Submit(ctx, conn, action, seat); err != nil {
			fmt.Println(err)
		}
	}
	for batch.Outstanding() > 0 {
		result, err := batch.Next(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(result.Value, result.Reply.Get("Message"), result.Err)
	}
	// Output:
	// 1A Updated database successfully <nil>
	// 1B Updated database successfully <nil>
	// 2A Updated database successfully <nil>
}

// An Originate that ends with what became of the call.
func ExampleAction_awaitOriginate() {
	cfg, server := exampleServer()
	defer server.Close()
	server.State().AddExtension(amitest.Extension{Context: "default", Exten: "300", Outcome: "busy"})
	cfg.Events = "call" // OriginateResponse is an event of this class
	ctx := context.Background()
	conn, err := ami.Dial(ctx, cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	action := ami.NewAction("Originate",
		"Channel", "Local/300@default", "Application", "Wait", "Data", "1", "Timeout", "20000", "Async", "true")
	action.AwaitOriginate, action.Timeout = true, 30*time.Second
	reply, err := conn.Do(ctx, action)
	var refused *ami.ResponseError
	if errors.As(err, &refused) {
		fmt.Println(reply.End.Get("Response"), refused.Outcome)
	}
	// Output: Failure busy
}

// Supervised nodes and one stream of their events.
func ExampleCluster() {
	cfg, server := exampleServer()
	defer server.Close()
	cfg.Events = "user"
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	cluster := ami.NewCluster(ami.ClusterConfig{})
	defer cluster.Close()
	events, err := cluster.Subscribe(ami.SubscribeOptions{Events: []string{"UserEvent"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	node, err := cluster.Add(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := node.WaitReady(ctx); err != nil {
		fmt.Println(err)
		return
	}
	_, err = cluster.Via(ami.Route{Node: "pbx1"}).Do(ctx, ami.NewAction("UserEvent", "UserEvent", "Greeting", "Text", "hello"))
	if err != nil {
		fmt.Println(err)
		return
	}
	event, err := events.Next(ctx)
	fmt.Println(event.Node, event.Get("UserEvent"), event.Get("Text"), err)
	// Output: pbx1 Greeting hello <nil>
}
