package ami_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func TestListsOnTheSimulator(t *testing.T) {
	for _, v := range []amitest.Version{amitest.Version22, amitest.Version13} {
		t.Run(v.AMI, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, s, cfg := simulate(t, amitest.WithVersion(v))
				for i := range 50 {
					s.State().AddQueue(amitest.Queue{Name: fmt.Sprint("q", i)})
				}
				c := mustDial(t, cfg)
				r, err := c.Do(t.Context(), ami.NewAction("QueueStatus"))
				if err != nil || len(r.Events) != 50 || r.End.Name() != "QueueStatusComplete" {
					t.Fatalf("%v: %d items, end %q", err, len(r.Events), r.End.Name())
				}
				for i, ev := range r.Events {
					if ev.Name() != "QueueParams" || ev.Get("Queue") != fmt.Sprint("q", i) {
						t.Fatalf("item %d is %s", i, ev.Text())
					}
				}
				b := &ami.Batch[uint64]{Items: true}
				if err := b.Submit(t.Context(), c, ami.NewAction("QueueStatus"), 9); err != nil {
					t.Fatal(err)
				}
				for i := range 51 {
					res, err := b.Next(t.Context())
					if err != nil || res.Value != 9 || (res.Item != nil) != (i < 50) {
						t.Fatalf("result %d: %+v %v", i, res, err)
					}
					if i == 50 && (res.Err != nil || len(res.Reply.Events) != 0) {
						t.Errorf("the end: %+v", res)
					}
				}
				if b.Outstanding() != 0 {
					t.Errorf("outstanding %d", b.Outstanding())
				}
			})
		})
	}
}

func TestDoDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, cfg := stalledPeer(t)
		cfg.Timeouts.Action, cfg.Keepalive.Interval = 9*time.Second, -1
		c := mustDial(t, cfg)
		for _, tt := range []struct {
			name              string
			ctx, action, want time.Duration
		}{
			{"the node's", 0, 0, 9 * time.Second},
			{"the action's", 0, 2 * time.Second, 2 * time.Second},
			{"a longer action's", 0, 40 * time.Second, 40 * time.Second},
			{"the context's", time.Second, 5 * time.Second, time.Second},
			{"the action's before the context's", 5 * time.Second, time.Second, time.Second},
		} {
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if tt.ctx > 0 {
				ctx, cancel = context.WithTimeout(ctx, tt.ctx)
			}
			start := time.Now()
			_, err := c.Do(ctx, ami.Action{Name: "Ping", Timeout: tt.action})
			cancel()
			if d := time.Since(start); d < tt.want || d > tt.want+100*time.Millisecond || !errors.Is(err, ami.ErrTimeout) {
				t.Errorf("%s: %v after %v, want a timeout after %v", tt.name, err, d, tt.want)
			}
		}
		close(s.resume)
		synctest.Wait()
		if l := c.Stats().Ledger; l.TimedOut != 5 || l.Cancelled != 0 {
			t.Errorf("ledger %+v", l)
		}
	})
}

func TestAwaitOriginate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		s.State().AddExtension(amitest.Extension{Context: "default", Exten: "200"},
			amitest.Extension{Context: "default", Exten: "300", Outcome: "busy"},
			amitest.Extension{Context: "default", Exten: "301", Outcome: "congestion"})
		cfg.Events = "call"
		c := mustDial(t, cfg)
		sub, err := c.Subscribe(ami.SubscribeOptions{Events: []string{"OriginateResponse"}})
		if err != nil {
			t.Fatal(err)
		}
		a := ami.NewAction("Originate", "Channel", "Local/200@default", "Context", "default", "Exten", "200", "Priority", "1", "Async", "true")
		r, err := c.Do(t.Context(), a)
		if err != nil || r.End.Len() != 0 || !r.Success() {
			t.Errorf("by the acknowledgement: %v %v", r, err)
		}
		if _, err := sub.Next(t.Context()); err != nil {
			t.Error(err)
		}
		a.AwaitOriginate = true
		r, err = c.Do(t.Context(), a)
		if err != nil || r.End.Name() != "OriginateResponse" || r.End.Get("Response") != "Success" || r.Get("Message") == "" {
			t.Errorf("awaited: %v %v", r, err)
		}
		if ev, err := sub.Next(t.Context()); err != nil || ev.Name() != "OriginateResponse" {
			t.Errorf("it is news for the subscribers as well: %v %v", ev, err)
		}
		for channel, outcome := range map[string]ami.Outcome{
			"Local/300@default": ami.OutcomeBusy, "Local/301@default": ami.OutcomeCongestion, "Local/999@default": ami.OutcomeFailed,
		} {
			a.Fields[0].Value = channel
			r, err = c.Do(t.Context(), a)
			var refused *ami.ResponseError
			if r == nil || r.Success() || !errors.As(err, &refused) || refused.Outcome != outcome || r.Outcome() != outcome || r.End.Get("Response") != "Failure" {
				t.Errorf("%s: %+v %v, want a call that ended as %s", channel, refused, err, outcome)
			}
		}
		exact(t, c.Stats())
	})
}

func TestAwaitOriginateWithoutTheEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, cfg := simulate(t) // Events: off
		c := mustDial(t, cfg)
		a := ami.NewAction("Originate", "Channel", "Local/200@default", "Context", "default", "Exten", "200", "Priority", "1", "Async", "true")
		a.AwaitOriginate, a.Timeout = true, 5*time.Second
		_, err := c.Do(t.Context(), a)
		if oe := wantOp(t, err, "do", ami.ErrTimeout); oe.Sent != ami.SentYes {
			t.Errorf("sent %v, want yes", oe.Sent)
		}
		// Its slot is not lost for ever: nobody will answer.
		for range 5 {
			if _, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * time.Second)
		}
		synctest.Wait()
		if st := c.Stats(); st.Pending != 0 {
			t.Errorf("%d slots are taken at rest", st.Pending)
		}
	})
}

// Replies and events carry their place in the session's stream.
func TestSequence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			for i := 0; ; i++ {
				a, ok := p.action()
				if !ok {
					return
				}
				p.send("Event: Before\nPrivilege: call,all\nN: %d\n\nResponse: Success\nActionID: %s\n\nEvent: After\nPrivilege: call,all\nN: %d\n\n", i, a["ActionID"], i)
			}
		})
		c := mustDial(t, cfg)
		sub, err := c.Subscribe(ami.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		last := uint64(0)
		for range 10 {
			r, err := c.Do(t.Context(), ami.NewAction("Ping"))
			if err != nil {
				t.Fatal(err)
			}
			before, _ := sub.Next(t.Context())
			after, _ := sub.Next(t.Context())
			if before.Name() != "Before" || after.Name() != "After" || before.Seq <= last || r.Seq <= before.Seq || after.Seq <= r.Seq {
				t.Errorf("%s %d, reply %d, %s %d: not in order", before.Name(), before.Seq, r.Seq, after.Name(), after.Seq)
			}
			last = after.Seq
		}
	})
}

// AwaitOriginate is for an asynchronous Originate; elsewhere no OriginateResponse comes, and the reply is the end.
func TestAwaitOriginateIsForAsyncOriginate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, cfg := simulate(t)
		cfg.Events = "call"
		c := mustDial(t, cfg)
		for _, a := range []ami.Action{
			{Name: "Ping"},
			{Name: "QueueStatus"},
			ami.NewAction("Originate", "Channel", "Local/200@default", "Application", "Wait", "Data", "1"),
			ami.NewAction("Originate", "Channel", "Local/200@default", "Application", "Wait", "Data", "1", "Async", "false"),
		} {
			a.AwaitOriginate = true
			if _, err := c.Do(t.Context(), a); err != nil {
				t.Errorf("%v", err)
			}
		}
	})
}
