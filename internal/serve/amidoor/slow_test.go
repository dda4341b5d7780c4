package amidoor_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/internal/serve/amidoor"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A client that does not read is cut off, and costs nobody else a moment of virtual time (astmanproxy #10).
func TestStuckClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		s.login("root", "on") // it never reads again
		silent := s.login("root", "off")
		reader := s.login("root", "user")
		for i := range 5000 {
			sent := time.Now()
			s.server.EmitEvent("UserEvent", "UserEvent", "x", "N", fmt.Sprint(i), "Pad", strings.Repeat("x", 600))
			reader.hear(fmt.Sprintf("N: %d\r\n", i))
			if i%100 == 0 {
				reader.say("Action: Ping\nActionID: p%d", i)
				reader.hear(fmt.Sprintf("ActionID: p%d\r\n", i))
			}
			if took := time.Since(sent); took > 25*time.Millisecond { // naps of the window are no waits for a client
				t.Fatalf("event %d took %v", i, took)
			}
		}
		time.Sleep(time.Second)
		if n, clients := s.up.AMI.CutOff.Load(), s.up.AMI.Clients.Load(); n != 1 || clients != 2 {
			t.Errorf("%d cut off, %d clients left", n, clients)
		}
		silent.say("Action: Ping")
		silent.hear("Ping: Pong")
		if log := s.log.String(); !strings.Contains(log, "client cut off") {
			t.Error("the log does not say so")
		}
	})
}

// Who sends and never reads is stopped by TCP, and cut off at last; what it has in flight is one action.
func TestPipelineWithoutReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		s.network.SetBuffer(64 << 10)
		before := s.server.Ledger().ActionsReceived
		for _, action := range []string{"Action: Ping\r\nActionID: 12345\r\n\r\n", "Action: CoreSettings\r\nActionID: 12345\r\n\r\n"} {
			p := s.login("root", "off")
			sent := 0
			for range 100_000 {
				if _, err := io.WriteString(p.conn, action); err != nil {
					break
				}
				sent++
			}
			if sent == 100_000 {
				t.Errorf("all of %q were taken", action)
			}
		}
		if n := s.up.AMI.CutOff.Load(); n != 2 {
			t.Errorf("%d clients were cut off", n)
		}
		if n := s.server.Ledger().ActionsReceived - before; n > 10_000 {
			t.Errorf("%d actions reached the server", n)
		}
		s.login("root", "off").say("Action: Ping")
	})
}

// Thousands of actions of a client that reads are answered in order, each once.
func TestPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		p := s.login("root", "off")
		const n = 20_000
		go func() {
			for i := range n {
				action := "Ping"
				if i%10 == 0 {
					action = "Getvar\r\nVariable: none"
				}
				p.raw(fmt.Sprintf("Action: %s\r\nActionID: %d\r\n\r\n", action, i))
			}
		}()
		for i := range n {
			if before := p.hear(fmt.Sprintf("ActionID: %d\r\n", i)); strings.Count(before, "ActionID") > 0 {
				t.Fatalf("%q before answer %d", before, i)
			}
		}
	})
}

// A client that was held up for so long that the window went on is cut off, for nothing would tell it what it missed.
func TestLongHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{WriteTimeout: time.Hour})
		s.network.SetBuffer(4 << 10)
		p := s.login("root", "user")
		for i := range 140_000 {
			s.server.EmitEvent("UserEvent", "N", fmt.Sprint(i))
			if i%1000 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		if n := strings.Count(p.gone(), "\r\n\r\n"); n == 0 || n > 2000 {
			t.Errorf("%d events before the end", n)
		}
		if n := s.up.AMI.CutOff.Load(); n != 1 {
			t.Errorf("%d cut off", n)
		}
	})
}

// Who waits for an event does not lose its place to the events of other servers.
func TestWaitsThroughOthersEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		loud := amitest.NewServer(amitest.WithNetwork(s.network), amitest.WithName("loud"))
		defer loud.Close()
		nodes := make([]ami.Config, 0, 2)
		for _, name := range []string{"pbx", "loud"} {
			nodes = append(nodes, ami.Config{Name: name, Addr: name + ":5038", Username: "admin", Secret: ami.StaticSecret("secret"), Dial: s.network.DialContext})
		}
		if err := s.up.SetNodes(nodes); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		p := s.login("root", "on")
		p.say("Action: WaitEvent\nActionID: 1")
		for i := range 140_000 {
			loud.EmitEvent("UserEvent", "N", fmt.Sprint(i))
			if i%1000 == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		}
		s.server.EmitEvent("UserEvent", "UserEvent", "at last")
		p.hear("ActionID: 1\r\nMessage: Waiting for Event completed.")
		p.hear("UserEvent: at last\r\n")
		if n := s.up.AMI.CutOff.Load(); n != 0 {
			t.Errorf("%d cut off", n)
		}
	})
}

// At the end each client has the answer that is under way; who waits for nothing is gone at once, and grace bounds it all.
func TestGracefulEnd(t *testing.T) {
	for _, c := range []struct {
		name  string
		grace time.Duration
		want  string
	}{
		{"within grace", 0, "Response: Success\r\nActionID: 1\r\nMessage: at last\r\n\r\n"},
		{"grace is over", 5 * time.Second, "Response: Error\r\nActionID: 1\r\nMessage: The server pbx is no longer served; the action may have run\r\nRelay-Sent: yes\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, amidoor.Options{}, amitest.WithSetup(func(srv *amitest.Server) {
					srv.Handle("Slow", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(20 * time.Second); w.Ack("at last") })
				}))
				busy, idle, stranger, waits := s.login("root", "on"), s.login("root", "on"), s.dial(), s.login("root", "off")
				waits.say("Action: WaitEvent")
				busy.raw("Action: Slow\r\nActionID: 1\r\n\r\nAction: Ping\r\nActionID: 2\r\n\r\n")
				time.Sleep(time.Second)
				start := time.Now()
				s.stop()
				for _, p := range []*peer{idle, stranger, waits} {
					p.gone()
				}
				if took := time.Since(start); took > 0 {
					t.Errorf("who waits for nothing was let go after %v", took)
				}
				if _, err := s.network.DialContext(context.Background(), "tcp", "door:5038"); err == nil {
					t.Error("a new client was taken")
				}
				if c.grace > 0 {
					time.Sleep(c.grace)
					s.expire()
				}
				got := busy.gone()
				if !strings.HasSuffix(got, c.want) || strings.Contains(got, "ActionID: 2") {
					t.Errorf("%q", got)
				}
				if took := time.Since(start); c.grace > 0 && took != c.grace {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// When the users are replaced, who may stay stays with the rights of now, and the others go.
func TestUsersChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		stays, goes, moves, stranger := s.login("root", "user"), s.login("wall", "off"), s.login("dialer", "off"), s.dial()
		s.up.Users.Replace(load(t, []users.Spec{
			{Name: "root", Events: []string{"*"}},
			{Name: "dialer", Nodes: []string{"other"}, Actions: []string{"Originate"}},
		}))
		goes.gone()
		moves.gone()
		stays.say("Action: CoreStatus\nActionID: 1")
		stays.answers("Response: Error\nActionID: 1\n" + denied)
		s.server.EmitEvent("UserEvent", "UserEvent", "x")
		stays.hear("UserEvent: x\r\n")
		stranger.say("Action: Login\nUsername: wall\nSecret: wall-word")
		stranger.hear("Authentication failed")
		s.up.Users.Replace(load(t, []users.Spec{{Name: "root"}}))
		synctest.Wait()
		s.server.EmitEvent("UserEvent", "UserEvent", "y")
		stays.got = ""
		stays.quiet(time.Second)
	})
}

// A thousand idle clients cost little, and leave nothing behind.
func TestIdleClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		const n = 1000
		for range n {
			s.login("root", "user")
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if each := int64(after.HeapAlloc+after.StackInuse-before.HeapAlloc-before.StackInuse) / n; each > 64<<10 {
			t.Errorf("%d bytes a client", each)
		}
	})
}
