package ami_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
)

// originate calls an extension of the lab's dialplan and waits for the outcome.
func originate(t *testing.T, c *ami.Conn, exten string) (*ami.Reply, error) {
	t.Helper()
	a := ami.NewAction("Originate", "Channel", "Local/"+exten+"@default", "Context", "default", "Exten", "201", "Priority", "1", "Timeout", "2000", "Async", "true")
	a.AwaitOriginate, a.Timeout = true, 15*time.Second
	return c.Do(t.Context(), a)
}

func TestInteropOriginate(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		cfg := l.config("admin")
		cfg.Events = "call"
		c := mustDial(t, cfg)
		r, err := originate(t, c, "201")
		if err != nil || r.End.Get("Response") != "Success" || r.Outcome() != ami.OutcomeAnswered {
			t.Errorf("answered: %v %v", r, err)
		}
		for _, tt := range []struct {
			name, exten string
			outcome     ami.Outcome
		}{
			{"busy", "300", ami.OutcomeBusy},
			{"congestion", "301", ami.OutcomeCongestion},
			{"no answer", "302", ami.OutcomeNoAnswer},
			{"hung up", "303", ami.OutcomeFailed},
			{"missing", "999", ami.OutcomeFailed},
		} {
			r, err := originate(t, c, tt.exten)
			var refused *ami.ResponseError
			if r == nil || r.Success() || !errors.As(err, &refused) || refused.Outcome != tt.outcome {
				t.Errorf("%s: %v %v, want %s", tt.name, r, err, tt.outcome)
			}
		}
		_, err = c.Do(t.Context(), ami.NewAction("Originate", "Channel", "Local/300@default", "Application", "Wait", "Data", "1"))
		if !errors.As(err, new(*ami.ResponseError)) {
			t.Errorf("a synchronous call to a busy extension: %v", err)
		}
		exact(t, c.Stats())
	})
}

// A user whose read= lacks "call" is told Events: On and never sees OriginateResponse.
func TestInteropOriginateWithoutCallClass(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		cfg := l.config("nocall")
		cfg.Events = "on"
		c := mustDial(t, cfg)
		a := ami.NewAction("Originate", "Channel", "Local/201@default", "Application", "NoOp", "Async", "true")
		a.AwaitOriginate, a.Timeout = true, 3*time.Second
		_, err := c.Do(t.Context(), a)
		if oe := wantOp(t, err, "do", ami.ErrTimeout); oe.Sent != ami.SentYes {
			t.Errorf("sent %v, want yes: the call may have been made", oe.Sent)
		}
		if _, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil {
			t.Error(err)
		}
	})
}

// nextNamed takes events until one of that name comes.
func nextNamed(t *testing.T, s *ami.Subscription, name string) ami.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	for {
		ev, err := s.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for %s: %v", name, err)
		}
		if ev.Gap == nil && strings.EqualFold(ev.Name(), name) {
			return ev
		}
	}
}

func TestInteropEventsOfACall(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		cfg := l.config("admin")
		cfg.Events = "call"
		c := mustDial(t, cfg)
		sub, err := c.Subscribe(ami.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		mark := fmt.Sprintf("interop%d", time.Now().UnixNano())
		r, err := c.Do(t.Context(), ami.NewAction("Originate", "Channel", "Local/201@default", "CallerID", mark+" <1>", "Context", "default", "Exten", "201", "Priority", "1", "Async", "true"))
		if err != nil {
			t.Fatal(err)
		}
		// Asterisk promises no order between OriginateResponse and a channel's own events.
		missing := map[string]bool{"NewCallerid": true, "Newstate": true, "OriginateResponse": true, "Hangup": true}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		for last := uint64(0); len(missing) > 0; {
			ev, err := sub.Next(ctx)
			if err != nil {
				t.Fatalf("%v; still missing: %v", err, missing)
			}
			if ev.Gap != nil || !strings.Contains(ev.Text(), mark) { // somebody else's call
				continue
			}
			if ev.Get("Privilege") != "call,all" || ev.Seq <= last || ev.Session != r.Session || ev.Received.IsZero() {
				t.Errorf("%s: %+v", ev.Name(), ev)
			}
			last = ev.Seq
			delete(missing, ev.Name())
		}
		if n := c.Stats().ParseErrors; n != 0 {
			t.Errorf("%d parse errors", n)
		}
	})
}

func TestInteropFilters(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		cfg := l.config("admin")
		cfg.Events = "user"
		cfg.Filters = [][]ami.Field{{{Name: "Filter", Value: "UserEvent: InteropWanted"}}}
		c := mustDial(t, cfg)
		sub, err := c.Subscribe(ami.SubscribeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		for _, name := range []string{"InteropUnwanted", "InteropWanted"} {
			if _, err := c.Do(t.Context(), ami.NewAction("UserEvent", "UserEvent", name)); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if ev, err := sub.Next(ctx); err != nil || ev.Get("UserEvent") != "InteropWanted" {
			t.Errorf("first came %v %v", ev, err)
		}
		cfg.Filters = [][]ami.Field{{{Name: "Filter", Value: "["}}} // no regular expression
		if _, err := ami.Dial(t.Context(), cfg); err == nil || !errors.As(err, new(*ami.ResponseError)) {
			t.Errorf("a filter that the server refuses: %v", err)
		} else {
			wantOp(t, err, "setup", nil)
		}
	})
}

// What goes in as headers comes back as an event, byte for byte, in order, whatever it holds.
func TestInteropUserEventRoundTrip(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		cfg := l.config("admin")
		cfg.Events = "user"
		c := mustDial(t, cfg)
		sub, err := c.Subscribe(ami.SubscribeOptions{Events: []string{"UserEvent"}})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close()
		mark := fmt.Sprintf("Interop%d", time.Now().UnixNano())
		headers := []string{
			"UserEvent", mark, "Empty", "", "Colon", "a: b:c", "Inner", "two  spaces ", "UTF", "ü€😀", "Latin", "\xfc\xff",
			"Twice", "1", "Twice", "2", "Quote", `"\n\"`, "Long", strings.Repeat("x", 1000), "Comma", "a,b=c;d",
		}
		if _, err := c.Do(t.Context(), ami.NewAction("UserEvent", headers...)); err != nil {
			t.Fatal(err)
		}
		var got []string
		for {
			ev := nextNamed(t, sub, "UserEvent")
			if ev.Get("UserEvent") != mark {
				continue
			}
			for name, value := range ev.All() {
				if name != "Event" && name != "Privilege" && name != "ActionID" {
					got = append(got, name, value)
				}
			}
			break
		}
		if diff := cmp.Diff(headers, got); diff != "" {
			t.Errorf("round trip (-sent +came):\n%s", diff)
		}
	})
}
