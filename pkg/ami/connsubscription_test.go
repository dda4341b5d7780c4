package ami_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A session's own subscription hands out what came, then the gap, and ends: no other session will ever feed it.
func TestConnSubscriptionEndsWithItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, s, cfg := simulate(t)
		cfg.Events = "on"
		c := mustDial(t, cfg)
		sub, err := c.Subscribe(ami.SubscribeOptions{Events: []string{"Tick"}})
		if err != nil {
			t.Fatal(err)
		}
		waiting, err := c.Subscribe(ami.SubscribeOptions{Events: []string{"Never"}})
		if err != nil {
			t.Fatal(err)
		}
		over := make(chan int)
		go func() {
			gaps := 0
			for ev, err := range waiting.All(t.Context()) {
				if err != nil && !errors.Is(err, ami.ErrDisconnected) {
					t.Errorf("the stream ended with %v", err)
				}
				if ev.Gap != nil {
					gaps++
				}
			}
			over <- gaps
		}()
		s.Emit(ticks(3, 10)...)
		synctest.Wait()
		n.Reset(s.Name())
		mustDie(t, c)
		for range 3 {
			if ev, err := sub.Next(t.Context()); err != nil || ev.Gap != nil {
				t.Errorf("%+v, %v", ev, err)
			}
		}
		if ev, err := sub.Next(t.Context()); err != nil || ev.Gap == nil || ev.Gap.Reason != ami.GapDisconnect {
			t.Errorf("no gap at the end: %+v, %v", ev, err)
		}
		if _, err := sub.Next(t.Context()); !errors.Is(err, ami.ErrDisconnected) {
			t.Errorf("behind the end: %v", err)
		}
		if gaps := <-over; gaps != 1 {
			t.Errorf("%d gaps", gaps)
		}
		if _, err := c.Subscribe(ami.SubscribeOptions{}); !errors.Is(err, ami.ErrDisconnected) {
			t.Errorf("a dead session takes a subscription: %v", err)
		}
	})
}

// A subscription made in OnReady is that session's alone: the node's next session has its own.
func TestSubscriptionOfANodesSessionEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, ami.ClusterConfig{})
		defer f.close()
		srv := f.serve("pbx")
		var subs []*ami.Subscription
		f.add("pbx", func(c *ami.Config) {
			c.OnReady = func(_ context.Context, c *ami.Conn) error {
				s, err := c.Subscribe(ami.SubscribeOptions{Events: []string{"Tick"}})
				subs = append(subs, s)
				return err
			}
		})
		f.ready(time.Second)
		srv.Emit(ticks(2, 10)...)
		synctest.Wait()
		f.net.Reset("pbx")
		time.Sleep(time.Minute)
		f.ready(time.Second)
		srv.Emit(ticks(3, 10)...)
		synctest.Wait()
		if len(subs) != 2 {
			t.Fatalf("%d sessions became ready", len(subs))
		}
		first := 0
		for ev, err := range subs[0].All(t.Context()) {
			if err == nil && ev.Gap == nil {
				first++
			}
		}
		if second := len(drain(subs[1])); first != 2 || second != 3 {
			t.Errorf("the first session's subscription got %d events, the second's %d; want 2 and 3", first, second)
		}
	})
}
