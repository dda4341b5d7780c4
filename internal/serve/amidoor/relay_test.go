package amidoor_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/internal/serve/amidoor"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// An answer carries the client's own ActionID wherever the server puts one, and none where it gave none.
func TestActionIDs(t *testing.T) {
	long := strings.Repeat("x", 900)
	for _, id := range []string{"", "1", "1", "two words", "a:b", "ActionID", "\xff\xfe", "$1", long} {
		t.Run(fmt.Sprintf("%.10q", id), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, amidoor.Options{}, amitest.WithSetup(func(srv *amitest.Server) {
					srv.State().AddQueue(amitest.Queue{Name: "support", Strategy: "rrmemory"})
				}))
				header, line := "", ""
				if id != "" {
					header, line = "\nActionID: "+id, "\nActionID: "+id
				}
				p := s.login("root", "off")
				p.say("Action: QueueStatus%s\nQueue: support", header)
				p.answers("Response: Success" + line + "\nEventList: start\nMessage: Queue status will follow")
				params := p.hear("\r\n\r\n")
				if want := strings.ReplaceAll(line, "\n", "\r\n"); !strings.HasPrefix(params, "Event: QueueParams") || strings.Count(params, "ActionID") != strings.Count(want, "ActionID") || !strings.Contains(params, want) {
					t.Errorf("%q", params)
				}
				p.answers("Event: QueueStatusComplete" + line + "\nEventList: Complete\nListItems: 1")
				p.say("Action: Nonsense%s", header)
				p.hear("Response: Error" + strings.ReplaceAll(line, "\n", "\r\n") + "\r\nMessage: Invalid/unknown command: Nonsense.")
				p.hear("\r\n\r\n")
				p.say("Action: Ping%s", header)
				p.hear("Response: Success" + strings.ReplaceAll(line, "\n", "\r\n") + "\r\nPing: Pong\r\nTimestamp: ")
			})
		})
	}
}

// What the reader of a server refuses is refused here in its words, and what is behind it is no message of its own.
func TestMalformed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		p := s.login("root", "off")
		p.raw("Action: CoreStatus\r\nActionID: " + strings.Repeat("x", 10_000) + "\r\n\r\n")
		p.answers("Response: Error\nMessage: Failed to parse message: line too long")
		p.say("Action: CoreStatus\nActionID: 7%s", strings.Repeat("\nX: y", 127))
		p.answers("Response: Error\nActionID: 7\nMessage: Too many lines in message or allocation failure")
		p.raw("\r\n")
		p.answers("Response: Error\nMessage: Missing action in request")
		p.say("ActionID: 8\nFoo: bar")
		p.answers("Response: Error\nActionID: 8\nMessage: Missing action in request")
		p.say("Action:\nAction: Ping\nActionID: 9")
		p.hear("Response: Success\r\nActionID: 9\r\nPing: Pong\r\n")
		p.hear("\r\n\r\n")
		p.raw("action:PING\nACTIONID:  10\n\n")
		p.hear("Response: Success\r\nActionID: 10\r\nPing: Pong\r\n")
		p.hear("\r\n\r\n")
		p.raw("Action: Command\r\nCommand: core show\rversion\r\nActionID: 11\r\n\r\n")
		p.hear("Response: Error\r\nActionID: 11\r\nMessage: Failed to parse message: ")
		p.hear("\r\n\r\n")
		p.raw("Action: CoreStatus\x00Action: Reload\r\nActionID: 12\r\n\r\n")
		p.hear("Response: Success\r\nActionID: 12\r\nCoreStartupDate: ")
		p.hear("\r\n\r\n")
		p.say("Action: CoreStatus\nno header\n: no name\nSpace : x\nActionID: 13")
		p.hear("Response: Success\r\nActionID: 13\r\nCoreStartupDate: ")
		p.hear("\r\n\r\n")
		p.say("Action: UserEvent\nUserEvent: X\nno header\nActionID: 14")
		p.hear("Response: Error\r\nActionID: 14\r\nMessage: Failed to parse message: ")
	})
}

// Nothing that a client writes in a value becomes a header or an action of its own on the server.
func TestInjection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		s := open(t, amidoor.Options{}, amitest.WithSetup(func(srv *amitest.Server) {
			srv.Handle("Echo", func(r *amitest.Request, w *amitest.ResponseWriter) {
				for _, h := range r.Headers() {
					if h.Name != "ActionID" {
						got = append(got, h.Name+"="+h.Value)
					}
				}
				w.Ack("ok")
			})
			srv.Handle("Evil", func(*amitest.Request, *amitest.ResponseWriter) { got = append(got, "EVIL") })
		}))
		p := s.login("root", "off")
		for _, value := range []string{"a\rAction: Evil", "a\r\rAction: Evil", "a\x00Action: Evil", "a\vAction: Evil", "a\u2028Action: Evil", "a\x85Action: Evil"} {
			p.raw("Action: Echo\r\nX: " + value + "\r\nAction: Evil\r\nActionID: 1\r\nActionID: 2\r\n\r\n")
			p.hear("ActionID: 1\r\n")
			p.hear("\r\n\r\n")
		}
		want := "Action=Echo X=a Action=Echo X=a\vAction: Evil Action=Echo X=a\u2028Action: Evil Action=Echo X=a\x85Action: Evil"
		if text := strings.Join(got, " "); text != want {
			t.Errorf("the server got %q, not %q", text, want)
		}
	})
}

func TestRightsAtTheDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		wall, dialer, root := s.login("wall", "on"), s.login("dialer", "off"), s.login("root", "off")
		wall.hear("Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 1\r\nLastReload: 1\r\nStatus: Fully Booted\r\n\r\n")
		before := s.up.ActionStats().Ledger.Submitted
		for _, action := range []string{
			"CoreStatus", "Reload", "Command\nCommand: core stop now", "UserEvent\nUserEvent: x", "Originate\nChannel: Local/1@internal\nContext: default\nExten: 1\nPriority: 1",
			"Originate\nChannel: PJSIP/a\nApplication: System\nData: reboot", "Nonsense",
		} {
			for _, p := range []*peer{wall, dialer} {
				p.say("Action: %s\nActionID: 1", action)
				p.answers("Response: Error\nActionID: 1\n" + denied)
			}
		}
		root.say("Action: Command\nCommand: module load x\nActionID: 1")
		root.answers("Response: Error\nActionID: 1\n" + denied)
		if after := s.up.ActionStats().Ledger.Submitted; after != before {
			t.Errorf("%d actions reached the server", after-before)
		}
		root.say("Action: Command\nCommand: core show uptime\nActionID: 1")
		root.hear("Response: Success\r\nActionID: 1\r\nMessage: Command output follows\r\nOutput: ")
		log := s.log.String()
		for _, want := range []string{`the action Reload`, `core stop now`, `user=wall`, `door=ami`} {
			if !strings.Contains(log, want) {
				t.Errorf("%q is not in the log", want)
			}
		}
		s.server.EmitEvent("QueueMemberStatus", "Queue", "a")
		s.server.EmitEvent("Newchannel", "Channel", "a")
		s.server.EmitEvent("QueueMemberPause", "Queue", "b")
		wall.answers("Event: QueueMemberStatus\nPrivilege: agent,all\nQueue: a")
		wall.answers("Event: QueueMemberPause\nPrivilege: agent,all\nQueue: b")
		wall.quiet(time.Second)
		dialer.say("Action: Events\nEventMask: on")
		dialer.answers("Response: Success\nEvents: On")
		s.server.EmitEvent("Newchannel", "Channel", "a")
		dialer.quiet(time.Second)
	})
}

// A client is told of its own actions, those of the server that it may do, and no others.
func TestListCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		dialer, root := s.login("dialer", "off"), s.login("root", "off")
		dialer.say("Action: ListCommands\nActionID: l")
		dialer.hear("Response: Success\r\nActionID: l\r\n")
		list := dialer.hear("\r\n\r\n")
		for name, want := range map[string]bool{"Originate": true, "Ping": true, "Logoff": true, "Reload": false, "Command": false, "CoreStatus": false} {
			if strings.Contains("\r\n"+list, "\r\n"+name+": ") != want {
				t.Errorf("%s: %v in %q", name, !want, list)
			}
		}
		root.say("Action: ListCommands")
		root.hear("Response: Success\r\n")
		if n, all := strings.Count(list, "\r\n"), strings.Count(root.hear("\r\n\r\n"), "\r\n"); all < 50 || n > 20 {
			t.Errorf("%d for one, %d for all", n, all)
		}
	})
}

// The actions of one client are answered in their order; those of others do not wait for them, and its Pings are not the
// server's at all.
func TestLongActionHoldsNobodysPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{}, amitest.WithSetup(func(srv *amitest.Server) {
			srv.Handle("Slow", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(20 * time.Second); w.Ack("at last") })
		}))
		one, other := s.login("root", "off"), s.login("root", "user")
		start := time.Now()
		one.raw("Action: Slow\r\nActionID: 1\r\n\r\nAction: Ping\r\nActionID: 2\r\n\r\nAction: Nonsense\r\nActionID: 3\r\n\r\n")
		other.say("Action: Ping\nActionID: p")
		other.hear("Response: Success\r\nActionID: p\r\nPing: Pong\r\n")
		s.server.EmitEvent("UserEvent", "UserEvent", "meanwhile")
		other.hear("Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: meanwhile\r\n\r\n")
		other.say("Action: CoreStatus\nActionID: waits")
		s.server.EmitEvent("UserEvent", "UserEvent", "soon")
		other.hear("UserEvent: soon\r\n\r\n")
		if took := time.Since(start); took > time.Second {
			t.Errorf("others waited %v", took)
		}
		one.answers("Response: Success\nActionID: 1\nMessage: at last")
		one.hear("Response: Success\r\nActionID: 2\r\nPing: Pong\r\n")
		one.hear("\r\n\r\n")
		one.hear("Response: Error\r\nActionID: 3\r\n")
		other.hear("Response: Success\r\nActionID: waits\r\n")
		if took := time.Since(start); took < 20*time.Second || took > 21*time.Second {
			t.Errorf("after %v", took)
		}
	})
}

// The output of a Command comes whole and byte for byte, however long it is and takes (astmanproxy #7, #11).
func TestLongCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := make([]amitest.Header, 0, 30_000)
		lines = append(lines, amitest.Header{Name: "Message", Value: "Command output follows"})
		for i := range cap(lines) - 1 {
			lines = append(lines, amitest.Header{Name: "Output", Value: fmt.Sprintf("  %d: \xff %s", i, strings.Repeat("=", i%80))})
		}
		s := open(t, amidoor.Options{}, amitest.WithSetup(func(srv *amitest.Server) {
			srv.Handle("Command", func(_ *amitest.Request, w *amitest.ResponseWriter) {
				w.Sleep(100 * time.Second)
				w.Reply("Success", lines...)
			})
		}))
		one, other := s.login("root", "off"), s.login("root", "off")
		one.say("Action: Command\nCommand: core show everything\nActionID: long")
		other.say("Action: Ping")
		other.hear("Ping: Pong")
		one.hear("Response: Success\r\nActionID: long\r\n")
		var want strings.Builder
		for _, l := range lines {
			want.WriteString(l.Name + ": " + l.Value + "\r\n")
		}
		if got := one.hear("\r\n\r\n") + "\r\n"; got != want.String() {
			t.Errorf("%d bytes, not %d", len(got), want.Len())
		}
	})
}

// A server that is away is said to be so at once; clients stay, and events come again with it.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		p := s.login("root", "user,system")
		p.hear("Status: Fully Booted\r\n\r\n")
		s.network.Partition("pbx")
		s.network.Reset("pbx")
		time.Sleep(10 * time.Second)
		start := time.Now()
		p.say("Action: CoreStatus\nActionID: 1")
		p.answers("Response: Error\nActionID: 1\nMessage: The server pbx is away\nRelay-Sent: no")
		p.say("Action: ListCommands\nActionID: 2")
		p.answers("Response: Error\nActionID: 2\nMessage: The server pbx is away\nRelay-Sent: no")
		if took := time.Since(start); took > 0 {
			t.Errorf("it took %v to say so", took)
		}
		late := s.login("root", "system")
		late.quiet(time.Second)
		s.network.Heal("pbx")
		for _, p := range []*peer{p, late} {
			p.hear("Event: FullyBooted\r\n")
			p.hear("\r\n\r\n")
		}
		time.Sleep(time.Second)
		p.say("Action: CoreStatus\nActionID: 3")
		p.hear("Response: Success\r\nActionID: 3\r\n")
		p.hear("\r\n\r\n")
		s.server.EmitEvent("UserEvent", "UserEvent", "again")
		p.hear("UserEvent: again\r\n")
	})
}

// An action whose server is lost before the answer may have run, and the client is told.
func TestLostOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{ActionTimeout: time.Minute}, amitest.WithSetup(func(srv *amitest.Server) {
			srv.Handle("Slow", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(20 * time.Second); w.Ack("at last") })
			srv.Handle("Half", func(_ *amitest.Request, w *amitest.ResponseWriter) {
				w.ListStart("Things will follow")
				w.Item("Thing", "N", "1")
				w.Sleep(2 * time.Minute)
				w.ListEnd("HalfComplete")
			})
		}))
		p := s.login("root", "off")
		p.say("Action: Slow\nActionID: 1")
		time.Sleep(time.Second)
		s.network.Reset("pbx")
		p.answers("Response: Error\nActionID: 1\nMessage: The server pbx is away; the action may have run\nRelay-Sent: yes")
		time.Sleep(5 * time.Second)
		p.say("Action: Half\nActionID: 2")
		p.answers("Response: Error\nActionID: 2\nMessage: The server pbx did not answer in time; the action may have run\nRelay-Sent: yes")
	})
}
