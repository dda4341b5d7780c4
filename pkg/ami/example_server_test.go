package ami_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A test of a program of yours: a server that has what you give it, says what you let it say, and fails as you wish.
func Example_server() {
	server := amitest.NewServer()
	defer server.Close()
	server.State().AddQueue(amitest.Queue{Name: "support"})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := ami.Dial(ctx, ami.Config{
		Name: "pbx1", Addr: server.Addr(),
		Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()

	reply, err := conn.Do(ctx, ami.NewAction("QueueStatus"))
	fmt.Println(reply.Events[0].Get("Queue"), err)

	server.Kick() // a lost connection; server.InjectText("stall for=2s") is one of many faults
	_, err = conn.Do(ctx, ami.NewAction("Ping"))
	fmt.Println("lost:", errors.Is(err, ami.ErrDisconnected) || errors.Is(err, ami.ErrClosed))
	// Output:
	// support <nil>
	// lost: true
}
