package state_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// What is up right now, and every change from then on.
func Example() {
	server := amitest.NewServer() // a simulated Asterisk; a real one is reached in the same way
	defer server.Close()
	alice := server.Dial("", amitest.Channel{Name: "PJSIP/alice", CallerIDNum: "100", Exten: "200"})
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()

	cluster := ami.NewCluster(ami.ClusterConfig{})
	defer cluster.Close()
	_, err := cluster.Add(ami.Config{
		Name: "pbx1", Addr: server.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
		Events: "call,agent,system,dialplan", // what is followed beyond the lists
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	watcher, err := state.Follow(ctx, cluster, state.Options{Kinds: []state.Kind{state.KindCall, state.KindRecord}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer watcher.Close()
	for change, err := range watcher.Changes(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		switch o := change.Object.(type) {
		case *state.Node:
			if change.Op == state.OpSynced { // now all is known that there is
				bob := server.Dial(alice.Name, amitest.Channel{Name: "PJSIP/bob", CallerIDNum: "200"})
				server.Answer(bob.Name)
				server.Hangup(bob.Name, 16)
				server.Hangup(alice.Name, 16)
			}
		case *state.Call:
			if change.Op == state.OpAdd || slices.Contains(change.Changed, "state") {
				fmt.Println(o.State, o.Caller.Number, o.Callee.Number)
			}
		case *state.Record:
			fmt.Println(o.Outcome, "ended by", o.By, "legs", len(o.Legs))
			return
		}
	}
	// Output:
	// dialing 100 200
	// ringing 100 200
	// up 100 200
	// talking 100 200
	// up 100 200
	// answered ended by callee legs 2
}
