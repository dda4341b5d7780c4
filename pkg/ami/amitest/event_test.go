package amitest

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// mem starts a server and a logged-in client on an in-memory network.
func mem(t *testing.T, events string, opts ...Option) (*Server, *client) {
	t.Helper()
	n := NewNetwork()
	s := NewServer(append([]Option{WithNetwork(n), WithName("pbx1")}, opts...)...)
	t.Cleanup(s.Close)
	c := wrap(t, dialMem(t, n, "pbx1:5038"))
	c.line()
	c.login(events)
	return s, c
}

func TestEventsWaitForTheAction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := mem(t, "call", WithEventNumbers())
		s.Handle("Slow", func(_ *Request, w *ResponseWriter) {
			w.ListStart("slow")
			s.EmitEvent("Hangup", "Channel", "x")
			w.Sleep(time.Second)
			w.Item("Thing", "A", "b")
			w.ListEnd("SlowComplete")
		})
		var got []string
		for range 4 {
			first, _, _ := strings.Cut(c.ask("Action: Slow\nActionID: 1"), "\n")
			got = append(got, first)
			for range 3 {
				first, _, _ := strings.Cut(c.packet(), "\n")
				got = append(got, first)
			}
		}
		want := []string{"Response: Success", "Event: Thing", "Event: SlowComplete", "Event: Hangup"}
		if diff := cmp.Diff(append(append(append(want, want...), want...), want...), got); diff != "" {
			t.Error(diff)
		}
		synctest.Wait()
		l := s.Ledger()
		// The login emitted number 1, which its mask kept out.
		if diff := cmp.Diff([]Range{{2, 5}}, l.BySession[0].Written); diff != "" {
			t.Error(diff)
		}
		if l.EventsWritten != 4 || l.EventsEmitted != 5 || l.RepliesSent != 5 || l.ItemsSent != 4 {
			t.Errorf("ledger: %+v", l)
		}
	})
}

func TestMaskAndFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := mem(t, "call,user")
		c.ask("Action: Filter\nOperation: Add\nFilter: !Secret")
		c.ask("Action: Filter\nOperation: Add\nMatchCriteria: name(Hangup),header(Cause),method(exact)\nFilter: 16")
		c.ask("Action: Filter\nOperation: Add\nFilter: Event: UserEvent")
		s.EmitEvent("Hangup", "Cause", "17")                // not included
		s.EmitEvent("Hangup", "Cause", "16", "X", "Secret") // excluded
		s.EmitEvent("FullyBooted", "Cause", "16")           // not in the mask
		s.EmitEvent("Hangup", "Cause", "16")
		s.EmitEvent("UserEvent", "UserEvent", "Foo")
		want := "Event: Hangup\nPrivilege: call,all\nCause: 16"
		if diff := cmp.Diff(want, c.packet()); diff != "" {
			t.Error(diff)
		}
		if got := c.packet(); !strings.HasPrefix(got, "Event: UserEvent\nPrivilege: user,all\nUserEvent: Foo") {
			t.Errorf("got %q", got)
		}
	})
}

func TestOriginateLife(t *testing.T) {
	for _, tt := range []struct {
		name, channel, want string
	}{
		{"answered", "Local/200@default", "Response: Success"},
		{"busy", "Local/300@default", "Reason: 5"},
		{"nobody answers", "Local/302@default", "Reason: 3"},
		{"no such technology", "Bogus/1", "Reason: 0"},
		{"no such extension", "Local/999@default", "Reason: 0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := mem(t, "call")
				s.State().AddExtension(
					Extension{Context: "default", Exten: "200"},
					Extension{Context: "default", Exten: "300", Outcome: "busy"},
					Extension{Context: "default", Exten: "302", Outcome: "noanswer"})
				got := c.ask("Action: Originate\nChannel: " + tt.channel + "\nApplication: Wait\nData: 1\nAsync: true\nActionID: o")
				if want := "Response: Success\nActionID: o\nMessage: Originate successfully queued"; got != want {
					t.Fatalf("got %q", got)
				}
				for !strings.HasPrefix(got, "Event: OriginateResponse\nPrivilege: call,all\nActionID: o\n") {
					if got = c.packet(); strings.HasSuffix(got, "EOF") {
						t.Fatal(got)
					}
				}
				if !strings.Contains(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				time.Sleep(time.Minute)
				if left := s.State().Channels(); len(left) != 0 {
					t.Errorf("channels left: %v", left)
				}
			})
		})
	}
}

func TestSynchronousOriginateBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c := mem(t, "off", WithCallTimes(3*time.Second, time.Second))
		start := time.Now()
		c.send("Action: Originate\r\nChannel: PJSIP/1\r\nApplication: Wait\r\nData: 1\r\nActionID: o\r\n\r\nAction: Ping\r\nActionID: p\r\n\r\n")
		if got := c.packet(); !strings.HasPrefix(got, "Response: Success\nActionID: o") || time.Since(start) != 3*time.Second {
			t.Errorf("after %v: %q", time.Since(start), got)
		}
		if got := c.packet(); !strings.HasPrefix(got, "Response: Success\nActionID: p\nPing: Pong") {
			t.Errorf("got %q", got)
		}
	})
}
