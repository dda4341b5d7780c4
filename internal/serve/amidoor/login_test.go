package amidoor_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/internal/serve/amidoor"
)

func TestLogin(t *testing.T) {
	for _, c := range []struct {
		name, said, answer string
		refused            bool
	}{
		{"the secret", "Username: root\nSecret: root-word\nActionID: 1", "Response: Success\nActionID: 1\nMessage: Authentication accepted", false},
		{"a wrong one", "Username: root\nSecret: word\nActionID: 1", "Response: Error\nActionID: 1\nMessage: Authentication failed", true},
		{"none", "Username: root", "Response: Error\nMessage: Authentication failed", true},
		{"nobody", "Username: nobody\nSecret: root-word", "Response: Error\nMessage: Authentication failed", true},
		{"no name", "Secret: root-word", "Response: Error\nMessage: Authentication failed", true},
		{"another's", "Username: root\nSecret: wall-word", "Response: Error\nMessage: Authentication failed", true},
		{"a key without a challenge", "Username: root\nAuthType: MD5\nKey: x", "Response: Error\nMessage: Authentication failed", true},
		{"MD5 and the secret itself", "Username: root\nAuthType: MD5\nSecret: root-word", "Response: Error\nMessage: Authentication failed", true},
		{"a user of other nodes", "Username: elsewhere\nSecret: elsewhere-word", "Response: Error\nMessage: Authentication failed", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, amidoor.Options{})
				p, start := s.dial(), time.Now()
				p.say("Action: Login\nEvents: off\n%s", c.said)
				p.answers(c.answer)
				if !c.refused {
					p.say("Action: Login")
					p.answers("Response: Success\nMessage: Already authenticated")
					return
				}
				if took := time.Since(start); took != time.Second {
					t.Errorf("it took %v, not a second", took)
				}
				if rest := p.gone(); rest != "" {
					t.Errorf("%q", rest)
				}
				if n := s.up.AMI.LoginsFailed.Load(); n != 1 {
					t.Errorf("%d failed logins", n)
				}
				if log := s.log.String(); !strings.Contains(log, "the login") || strings.Contains(log, "word") {
					t.Errorf("the log: %s", log)
				}
			})
		})
	}
}

func TestChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		p := s.dial()
		p.say("Action: Challenge")
		p.answers("Response: Error\nMessage: Must specify AuthType")
		p.say("Action: Challenge\nAuthType: md5\nActionID: c")
		p.hear("Response: Success\r\nActionID: c\r\nChallenge: ")
		challenge := p.hear("\r\n\r\n")
		p.say("Action: Challenge\nAuthType: MD5")
		p.answers("Response: Success\nChallenge: " + challenge)
		sum := md5.Sum([]byte(challenge + "root-word"))
		p.say("Action: Login\nUsername: root\nAuthType: MD5\nKey: %s\nEvents: off", hex.EncodeToString(sum[:]))
		p.answers("Response: Success\nMessage: Authentication accepted")
	})
}

// Before the login there is nothing but the login.
func TestStranger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		before := s.up.ActionStats().Ledger.Submitted
		p := s.dial()
		for _, action := range []string{"Ping", "CoreStatus", "Events\nEventMask: on", "WaitEvent", "Filter", "ListCommands", "Nonsense", "Command\nCommand: core stop now"} {
			p.say("Action: %s\nActionID: x", action)
			p.answers("Response: Error\nActionID: x\n" + denied)
		}
		s.server.EmitEvent("UserEvent", "UserEvent", "x")
		p.quiet(time.Second)
		if after := s.up.ActionStats().Ledger.Submitted; after != before {
			t.Errorf("%d actions reached the server", after-before)
		}
		p.say("Action: Logoff\nActionID: bye")
		p.answers("Response: Goodbye\nActionID: bye\nMessage: Thanks for all the fish.")
		p.gone()
	})
}

// Who does not log in is gone when the time is up, whatever he sends; who has logged in may be idle for ever.
func TestAuthTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		idle := s.login("root", "off")
		silent, half, busy, start := s.dial(), s.dial(), s.dial(), time.Now()
		half.raw("Action: Login\r\nUsername: ro")
		go func() {
			for range 29 {
				time.Sleep(time.Second)
				busy.say("Action: Ping")
			}
		}()
		for _, p := range []*peer{silent, half, busy} {
			p.gone()
			if took := time.Since(start); took != 30*time.Second {
				t.Errorf("after %v", took)
			}
		}
		idle.raw("Action: Pi")
		time.Sleep(24 * time.Hour)
		idle.raw("ng\r\nActionID: late\r\n\r\n")
		idle.hear("ActionID: late\r\nPing: Pong\r\n")
	})
}

// Strangers are bounded, and none keeps others out: when there are too many, the oldest go.
func TestStrangersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{Strangers: 20})
		var strangers []*peer
		for range 50 {
			strangers = append(strangers, s.dial())
		}
		for _, p := range strangers[:30] {
			p.gone()
		}
		synctest.Wait()
		if n := s.up.AMI.Clients.Load(); n != 20 {
			t.Errorf("%d clients", n)
		}
		for range 100 {
			s.login("root", "off")
		}
	})
}

func TestClientsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{Clients: 3, PerUser: 3, PerAddress: 3})
		var in []*peer
		for range 3 {
			in = append(in, s.login("root", "off"))
		}
		conn, err := s.network.DialContext(t.Context(), "tcp", "door:5038")
		if err != nil {
			t.Fatal(err)
		}
		if text := (&peer{t: t, conn: conn}).gone(); text != "" {
			t.Errorf("one too many got %q", text)
		}
		in[0].say("Action: Logoff")
		in[0].gone()
		synctest.Wait()
		s.login("root", "off")
	})
}

// Neither a user nor an address has all the room.
func TestSharesAreBounded(t *testing.T) {
	for _, c := range []struct {
		name  string
		o     amidoor.Options
		other bool // another user of the same address gets in
	}{
		{"of a user", amidoor.Options{PerUser: 2}, true},
		{"of an address", amidoor.Options{Clients: 5}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t, c.o)
				refused := func(user string) {
					t.Helper()
					p := s.dial()
					p.say("Action: Login\nUsername: %s\nSecret: %s-word", user, user)
					p.hear("Message: Too many sessions\r\n")
					p.gone()
				}
				first := s.login("root", "off")
				s.login("root", "off")
				refused("root")
				if c.other {
					s.login("wall", "off")
				} else {
					refused("wall")
				}
				first.say("Action: Logoff")
				first.gone()
				synctest.Wait()
				s.login("root", "off")
			})
		})
	}
}

// Who is turned out while its failed login waits for the answer does not stay for that.
func TestStormOfLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{Strangers: 20})
		for range 300 {
			s.dial().say("Action: Login\nUsername: root\nSecret: guess")
		}
		synctest.Wait()
		if n := s.up.AMI.Clients.Load(); n != 20 {
			t.Errorf("%d clients", n)
		}
	})
}

// However many wait for their turn to be looked at, each is gone when the time for a login is up.
func TestSlowedLoginsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		var guessers []*peer
		for range 20 {
			p := s.dial()
			p.say("Action: Login\nUsername: root\nSecret: guess")
			guessers = append(guessers, p)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := s.up.AMI.Clients.Load(); n != 0 {
			t.Errorf("%d are left", n)
		}
		for _, p := range guessers {
			p.gone()
		}
		start := time.Now()
		s.login("root", "off")
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("the user waited %v", took)
		}
	})
}

// After a few failures an address waits before it may try again; time is what a storm costs, and others come in meanwhile.
func TestLoginsAreSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, amidoor.Options{})
		var took []time.Duration
		for range 9 {
			p := s.dial()
			began := time.Now()
			p.say("Action: Login\nUsername: root\nSecret: guess")
			p.hear("Authentication failed")
			took = append(took, time.Since(began))
		}
		if got, want := fmt.Sprint(took), "[1s 1s 1s 1s 1s 2s 4s 8s 16s]"; got != want {
			t.Errorf("%s, not %s", got, want)
		}
		start := time.Now()
		s.login("wall", "off")
		if took := time.Since(start); took > 0 {
			t.Errorf("another user of that host waited %v", took)
		}
		s.login("root", "off")                                 // who has the secret has to wait, and then comes in
		if took := time.Since(start); took != 29*time.Second { // of 30, one went by in the failure
			t.Errorf("the user waited %v", took)
		}
		began := time.Now()
		p := s.dial()
		p.say("Action: Login\nUsername: root\nSecret: guess")
		p.hear("Authentication failed")
		if took := time.Since(began); took != time.Second {
			t.Errorf("behind a login that succeeded: %v", took)
		}
	})
}
