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

// A session's mask and filters are its own, whatever form they have; events that came before a change are seen as before it.
func TestMasksAndFilters(t *testing.T) {
	emit := func(s *stage) {
		s.server.EmitEvent("UserEvent", "UserEvent", "A", "N", "1")
		s.server.EmitEvent("Newchannel", "Channel", "SIP/a", "N", "2")
		s.server.EmitEvent("Hangup", "Channel", "SIP/b", "Cause", "16", "N", "3")
		s.server.EmitEvent("AgentCalled", "Queue", "q", "N", "4")
		s.server.EmitRaw(amitest.ClassNone, []byte("Event: Bare\r\nN: 5\r\n\r\n"))
		s.server.EmitRaw(amitest.ParseClass("call"), []byte("Event: Two\r\nPrivilege: call,agent,all\r\nN: 6\r\n\r\n"))
		s.server.EmitRaw(amitest.ParseClass("user"), []byte("Event: Bytes\r\nPrivilege: user,all\r\nX: \xff\xfe:  y \nN: 7\r\n\r\n"))
	}
	for _, c := range []struct {
		name, login, say string
		want             string // the Ns that come
	}{
		{"everything", "on", "", "1234567"},
		{"nothing", "off", "", ""},
		{"a class", "call", "", "235"},
		{"two classes", "call,agent", "", "23456"},
		{"a class that is none", "bogus", "", ""},
		{"bits", "64", "", "157"},
		{"no Events header", "", "", "1234567"},
		{"off later", "on", "Action: Events\nEventMask: off", ""},
		{"on later", "off", "Action: Events\nEventMask: on", "1234567"},
		{"another later", "call", "Action: Events\nEventMask: user", "157"},
		{"a mask that is none changes nothing", "call", "Action: Events", "235"},
		{"legacy filter", "on", "Action: Filter\nOperation: Add\nFilter: Event: (Hangup|UserEvent)", "13"},
		{"legacy filter over lines", "on", "Action: Filter\nOperation: Add\nFilter: ^Event: H.*Cause: 16", "3"},
		{"black list", "on", "Action: Filter\nOperation: Add\nFilter: !Channel: SIP", "14567"},
		{"white and black", "on", "Action: Filter\nOperation: Add\nFilter: Channel: SIP\n\nAction: Filter\nOperation: Add\nFilter: !Cause", "2"},
		{"two white ones", "on", "Action: Filter\nOperation: Add\nFilter: Channel: SIP\n\nAction: Filter\nOperation: Add\nFilter: Queue", "234"},
		{"by name", "on", "Action: Filter\nOperation: Add\nMatchCriteria: name(hangup)", "3"},
		{"by header", "on", "Action: Filter\nOperation: Add\nMatchCriteria: action(exclude),header(Channel),method(ends_with)\nFilter: /b", "124567"},
		{"a filter that is none changes nothing", "on", "Action: Filter\nOperation: Add\nFilter: [", "1234567"},
		{"filter and mask", "user", "Action: Filter\nOperation: Add\nFilter: N: [1357]", "157"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, amidoor.Options{})
				p := s.login("root", c.login)
				if c.say != "" {
					p.say("%s", c.say)
				}
				p.say("Action: Ping\nActionID: ready")
				p.hear("ActionID: ready\r\n")
				p.hear("\r\n\r\n")
				emit(s)
				time.Sleep(time.Second)
				p.say("Action: Ping\nActionID: end")
				got := p.hear("Response: Success\r\nActionID: end")
				ns := ""
				for line := range strings.Lines(got) {
					if n, ok := strings.CutPrefix(line, "N: "); ok {
						ns += strings.TrimSpace(n)
					}
				}
				if ns != c.want {
					t.Errorf("%q, not %q", ns, c.want)
				}
				if bytes := "Event: Bytes\r\nPrivilege: user,all\r\nX: \xff\xfe:  y \nN: 7\r\n\r\n"; strings.Contains(c.want, "7") && !strings.Contains(got, bytes) {
					t.Errorf("%q is not in %q", bytes, got)
				}
			})
		})
	}
}

func TestEventsBeforeAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{WriteTimeout: time.Hour})
		s.network.SetBuffer(4 << 10)
		p := s.login("root", "user")
		for i := range 300 {
			s.server.EmitEvent("UserEvent", "UserEvent", "A", "N", fmt.Sprint(i), "Pad", strings.Repeat("x", 500))
		}
		time.Sleep(time.Second) // some are written, the others wait
		p.say("Action: Events\nEventMask: off")
		got := p.hear("Response: Success\r\nEvents: Off\r\n\r\n")
		if n := strings.Count(got, "Event: UserEvent"); n != 300 {
			t.Errorf("%d of 300 events before the change", n)
		}
	})
}

// Filters are bounded, where Asterisk has no bound.
func TestTooManyFilters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		p := s.login("root", "off")
		for range 64 {
			p.say("Action: Filter\nOperation: Add\nFilter: x")
			p.answers("Response: Success\nMessage: Success")
		}
		p.say("Action: Filter\nOperation: Add\nFilter: x\nActionID: 65")
		p.answers("Response: Error\nActionID: 65\nMessage: Too many filters")
	})
}

// A list is the asker's alone, and so is what ends an Originate; a UserEvent is everybody's, but the ActionID in it is not.
func TestWhoseAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		one, other := s.login("root", "call,user"), s.login("root", "call,user")
		one.say("Action: CoreShowChannels\nActionID: same")
		one.hear("Event: CoreShowChannelsComplete\r\nActionID: same\r\n")
		one.hear("\r\n\r\n")
		one.say("Action: Originate\nChannel: Local/100@default\nContext: default\nExten: 200\nPriority: 1\nAsync: true\nActionID: same")
		one.hear("Response: Success\r\nActionID: same\r\nMessage: Originate successfully queued\r\n\r\n")
		one.hear("Event: OriginateResponse\r\nPrivilege: call,all\r\nActionID: same\r\nResponse: Success\r\n")
		one.say("Action: UserEvent\nUserEvent: U\nActionID: same\nX: y")
		one.hear("Response: Success\r\nActionID: same\r\nMessage: Event Sent\r\n\r\n")
		one.hear("Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: U\r\nActionID: same\r\nX: y\r\n\r\n")
		one.say("Action: UserEvent\nUserEvent: V\nX: y")
		one.hear("Response: Success\r\nMessage: Event Sent\r\n\r\n")
		one.hear("Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: V\r\nX: y\r\n\r\n")
		got := other.hear("UserEvent: V\r\nX: y\r\n\r\n")
		for _, foreign := range []string{"ActionID", "OriginateResponse", "CoreShowChannels"} {
			if strings.Contains(got, foreign) {
				t.Errorf("%s is in what another client saw: %q", foreign, got)
			}
		}
		if !strings.Contains(got, "UserEvent: U\r\nX: y\r\n\r\n") {
			t.Errorf("another's UserEvent is not in %q", got)
		}
		s.server.EmitEvent("OriginateResponse", "ActionID", "somebody's", "Response", "Success")
		for _, p := range []*peer{one, other} { // one of a session that is not the daemon's is an event as others
			p.hear("Event: OriginateResponse\r\nPrivilege: call,all\r\nActionID: somebody's\r\n")
		}
	})
}

// What tells of an action may come before its answer. It is shown behind it, however late that is.
func TestEventsBeforeTheAnswer(t *testing.T) {
	for _, delay := range []time.Duration{0, 50 * time.Millisecond, 5 * time.Second} {
		t.Run(delay.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, amidoor.Options{}, amitest.WithSetup(func(srv *amitest.Server) {
					srv.Handle("Originate", func(r *amitest.Request, w *amitest.ResponseWriter) {
						r.Server().EmitEvent("OriginateResponse", "ActionID", r.ActionID(), "Response", "Success")
						w.Sleep(delay)
						w.Ack("Originate successfully queued")
					})
					srv.Handle("UserEvent", func(r *amitest.Request, w *amitest.ResponseWriter) {
						r.Server().EmitEvent("UserEvent", "ActionID", r.ActionID(), "N", r.Get("N"))
						w.Sleep(delay)
						w.Ack("Event Sent")
					})
				}))
				one, other := s.login("root", "on"), s.login("root", "call,user")
				one.hear("Status: Fully Booted\r\n\r\n")
				one.say("Action: Originate\nChannel: Local/1@default\nAsync: yes\nActionID: o")
				got := one.hear("Response: Success\r\nActionID: o\r\nMessage: Originate successfully queued\r\n\r\n")
				if strings.Contains(got, "OriginateResponse") {
					t.Errorf("before the answer: %q", got)
				}
				one.answers("Event: OriginateResponse\nPrivilege: call,all\nActionID: o\nResponse: Success")
				go other.say("Action: UserEvent\nN: 1")
				time.Sleep(time.Millisecond)
				one.say("Action: UserEvent\nN: 2\nActionID: u")
				got = one.hear("Event: UserEvent\r\nPrivilege: user,all\r\nActionID: u\r\nN: 2\r\n\r\n")
				if !strings.Contains(got, "Event: UserEvent\r\nPrivilege: user,all\r\nN: 1\r\n\r\n") || !strings.Contains(got, "ActionID: u\r\nMessage: Event Sent") {
					t.Errorf("%q", got)
				}
				other.hear("N: 2\r\n\r\n")
			})
		})
	}
}

// An Originate without Async is answered when the call is, and holds nobody, though it would hold a session of Asterisk's.
func TestSynchronousOriginate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{}, amitest.WithCallTimes(10*time.Second, time.Minute), amitest.WithSetup(func(srv *amitest.Server) {
			srv.State().AddExtension(amitest.Extension{Context: "default", Exten: "100"}, amitest.Extension{Context: "default", Exten: "200"},
				amitest.Extension{Context: "default", Exten: "300", Outcome: "busy"})
		}))
		good, bad, other := s.login("root", "call"), s.login("dialer", "off"), s.login("root", "off")
		start := time.Now()
		good.say("Action: Originate\nChannel: Local/100@default\nContext: default\nExten: 200\nPriority: 1\nAsync: false\nActionID: g")
		bad.say("Action: Originate\nChannel: Local/300@default\nContext: default\nExten: 200\nPriority: 1")
		other.say("Action: CoreStatus\nActionID: c")
		other.hear("Response: Success\r\nActionID: c\r\n")
		if took := time.Since(start); took > time.Second {
			t.Errorf("another's action waited %v", took)
		}
		got := good.hear("Response: Success\r\nActionID: g\r\nMessage: Originate successfully queued\r\n\r\n")
		if took := time.Since(start); took < 10*time.Second || strings.Contains(got, "OriginateResponse") {
			t.Errorf("after %v, and %q", took, got)
		}
		bad.answers("Response: Error\nMessage: Originate failed")
	})
}

// An Originate of whose end nothing comes is answered all the same, and the client is told that it may have run.
func TestOriginateWithoutAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{}, amitest.WithSetup(func(srv *amitest.Server) {
			srv.Handle("Originate", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Ack("Originate successfully queued") })
		}))
		late, lost := s.login("root", "off"), s.login("root", "off")
		start := time.Now()
		late.say("Action: Originate\nChannel: Local/1@default\nTimeout: 5000\nActionID: 1")
		late.answers("Response: Error\nActionID: 1\nMessage: The server pbx did not answer in time; the action may have run\nRelay-Sent: yes")
		if took := time.Since(start); took != 15*time.Second {
			t.Errorf("it took %v", took)
		}
		lost.say("Action: Originate\nChannel: Local/1@default\nActionID: 2")
		time.Sleep(time.Second)
		s.network.Reset("pbx")
		lost.answers("Response: Error\nActionID: 2\nMessage: The server pbx is away; the action may have run\nRelay-Sent: yes")
	})
}

// WaitEvent ends by an event, which comes between its answer and its end, by the client's next bytes, or by its time.
func TestWaitEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		p, start := s.login("root", "user"), time.Now()
		p.say("Action: WaitEvent\nTimeout: 7\nActionID: 1")
		p.answers("Response: Success\nActionID: 1\nMessage: Waiting for Event completed.")
		p.answers("Event: WaitEventComplete\nActionID: 1")
		if took := time.Since(start); took != 7*time.Second {
			t.Errorf("it took %v", took)
		}
		p.say("Action: WaitEvent")
		time.Sleep(24 * time.Hour)
		for range 2 {
			s.server.EmitEvent("UserEvent", "UserEvent", "x")
		}
		p.answers("Response: Success\nMessage: Waiting for Event completed.")
		p.hear("Event: WaitEventComplete\r\n\r\n")
		time.Sleep(time.Second)
		p.got = ""
		p.say("Action: WaitEvent\nActionID: 2")
		time.Sleep(time.Minute)
		p.say("Action: Ping\nActionID: 3")
		p.hear("ActionID: 2\r\nMessage: Waiting for Event completed.\r\n\r\nEvent: WaitEventComplete\r\nActionID: 2\r\n\r\n")
		p.hear("Response: Success\r\nActionID: 3\r\nPing: Pong\r\n")
		p.hear("\r\n\r\n")
		p.say("Action: WaitEvent\nActionID: 4")
		time.Sleep(time.Minute)
		_ = p.conn.Close()
		synctest.Wait()
		if n := s.up.AMI.Clients.Load(); n != 0 {
			t.Errorf("%d clients are left", n)
		}
	})
}
