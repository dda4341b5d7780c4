package amitest_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// onNetwork starts a server on a network of its own, inside a bubble.
func onNetwork(t *testing.T, opts ...amitest.Option) (*amitest.Server, *amitest.Network) {
	t.Helper()
	n := amitest.NewNetwork()
	srv := amitest.NewServer(append(opts, amitest.WithNetwork(n), amitest.WithName("pbx1"))...)
	t.Cleanup(srv.Close)
	return srv, n
}

// talk connects, sends text, and returns what came within d and whether the connection then was open.
func talk(t *testing.T, n *amitest.Network, text string, d time.Duration) (answer string, open bool) {
	t.Helper()
	conn, err := n.DialContext(t.Context(), "tcp", "pbx1:5038")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprint(conn, text)
	_ = conn.SetReadDeadline(time.Now().Add(d))
	b, err := io.ReadAll(conn)
	timeout, _ := err.(net.Error)
	return string(b), timeout != nil && timeout.Timeout()
}

const loginText = "Action: Login\r\nUsername: admin\r\nSecret: secret\r\nEvents: %s\r\n\r\n"

// What Server's methods do to the whole server, text does too.
func TestDeedsAreFaults(t *testing.T) {
	for _, tt := range []struct {
		texts []string // one after the other, before a client comes
		want  string   // in what the client gets
		open  bool     // afterwards
	}{
		{nil, "accepted", true},
		{[]string{"deny"}, "Authentication failed", false},
		{[]string{"deny", "allow"}, "accepted", true},
		{[]string{"down"}, "", false},
		{[]string{"down", "up"}, "accepted", true},
		{[]string{"refuselogin times=always"}, "Authentication failed", false},
		{[]string{"refuselogin times=always", "clear"}, "accepted", true},
		{[]string{"kick"}, "accepted", true},
		{[]string{"booted"}, "FullyBooted", true},
	} {
		t.Run(strings.Join(tt.texts, ", "), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, n := onNetwork(t, amitest.WithoutBoot())
				for _, text := range tt.texts {
					if err := srv.InjectText(text); err != nil {
						t.Fatal(err)
					}
				}
				got, open := talk(t, n, fmt.Sprintf(loginText, "on"), 5*time.Second)
				if !strings.Contains(got, tt.want) || open != tt.open || tt.want == "" && got != "" {
					t.Errorf("got %q, open %t; want %q, open %t", got, open, tt.want, tt.open)
				}
				if strings.Contains(got, "FullyBooted") != (tt.want == "FullyBooted") {
					t.Errorf("booted or not: %q", got)
				}
			})
		})
	}
}

// A fault that takes its time is among Faults until it is over, and ClearFaults ends it.
func TestFaultsAtWorkCanBeCleared(t *testing.T) {
	for _, tt := range []struct {
		fault string
		over  time.Duration // by itself; 0 never
	}{
		{"flood rate=100 count=500", 5 * time.Second},
		{"flood rate=100 times=always", 0},
		{"flood rate=100 times=always during=3s", 3 * time.Second},
		{"restart for=4s", 4 * time.Second},
		{"flap period=1s for=1s times=3", 6 * time.Second},
		{"flap period=1s for=1s times=always", 0},
		{"rst period=1s times=2", 2 * time.Second},
		{"kick period=1s times=always", 0},
		{"latency fixed=1s", 0},
		{"latency fixed=1s during=2s", 2 * time.Second},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, _ := onNetwork(t)
				atWork := func(after time.Duration) int {
					time.Sleep(after)
					synctest.Wait()
					return len(srv.Faults())
				}
				if err := srv.InjectText(tt.fault); err != nil {
					t.Fatal(err)
				}
				if n := atWork(time.Second); n != 1 {
					t.Errorf("%d faults after a second, want 1", n)
				}
				if tt.over > 0 {
					if n := atWork(tt.over); n != 0 {
						t.Errorf("%d faults when it should be over", n)
					}
					_ = srv.InjectText(tt.fault)
				}
				srv.ClearFaults()
				if n := atWork(0); n != 0 {
					t.Errorf("%d faults after ClearFaults", n)
				}
				before := srv.Ledger().EventsEmitted
				time.Sleep(time.Minute)
				if more := srv.Ledger().EventsEmitted - before; more > 0 {
					t.Errorf("%d events after ClearFaults", more)
				}
			})
		})
	}
}

// A server that a fault took down is back when the fault is cleared.
func TestClearFaultsBringsTheServerBack(t *testing.T) {
	for _, fault := range []string{"restart for=1h", "flap period=1s for=1h"} {
		synctest.Test(t, func(t *testing.T) {
			srv, n := onNetwork(t)
			_ = srv.InjectText(fault)
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if got, _ := talk(t, n, fmt.Sprintf(loginText, "off"), time.Second); got != "" {
				t.Errorf("%s: down, and says %q", fault, got)
			}
			srv.ClearFaults()
			synctest.Wait()
			if got, _ := talk(t, n, fmt.Sprintf(loginText, "off"), time.Second); !strings.Contains(got, "accepted") {
				t.Errorf("%s: cleared, and says %q", fault, got)
			}
		})
	}
}

// A rst with a period comes each period, the first time after one.
func TestPeriodRepeats(t *testing.T) {
	for fault, want := range map[string]uint64{"rst": 1, "rst period=1s times=3": 3, "fin period=1s times=2": 2, "kick period=1s times=always": 9} {
		synctest.Test(t, func(t *testing.T) {
			srv, n := onNetwork(t)
			time.AfterFunc(500*time.Millisecond, func() { _ = srv.InjectText(fault) })
			for start := time.Now(); time.Since(start) < 10*time.Second; {
				talk(t, n, fmt.Sprintf(loginText, "off"), 10*time.Second-time.Since(start))
			}
			srv.ClearFaults()
			if got := srv.Ledger().Accepted - 1; got != want {
				t.Errorf("%s: %d sessions lost in 10 s, want %d", fault, got, want)
			}
		})
	}
}

// A kind that there is not, or a key that means nothing, is an error at once: a fault that never strikes tests nothing.
func TestInjectRefusesWhatIsNoFault(t *testing.T) {
	srv := amitest.NewServer()
	defer srv.Close()
	for _, text := range []string{
		"stal for=2s", "kick for=2s", "down for=2s", "clear times=2", "Kick", "",
		"rst after=10 period=1s", "rst action=ping period=1s", "latency fixed=1s period=1s", "restart period=1s",
	} {
		if err := srv.InjectText(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	for _, f := range []amitest.Fault{{}, {Kind: "stal"}, {Kind: "down", For: time.Second}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v was taken", f)
				}
			}()
			srv.Inject(f)
		}()
	}
	if l := srv.Ledger(); l.FaultsInjected != 0 {
		t.Errorf("%d faults are counted", l.FaultsInjected)
	}
	for _, kind := range amitest.FaultKinds() {
		if kind == "down" || kind == "deny" {
			continue
		}
		_ = srv.InjectText(kind)
	}
	for _, f := range srv.Faults() {
		srv.Inject(f) // what it is at, it takes
	}
	for _, kind := range amitest.FaultKinds() {
		if _, err := amitest.ParseFault(kind); err != nil {
			t.Errorf("%s is among the kinds, and: %v", kind, err)
		}
	}
}

func TestSettings(t *testing.T) {
	const long = "Action: Events\r\nEventMask: on\r\n\r\nAction: Command\r\nCommand: core show version\r\n\r\nAction: Ping\r\n\r\n"
	for _, tt := range []struct {
		name     string
		settings amitest.Settings
		login    bool
		want     string // in what a client gets
		not      string
		open     bool // after 20 s
	}{
		{"defaults", amitest.Settings{}, true, "Events: On", "Event: FullyBooted\r\nPrivilege: system,all\r\nTimestamp: ", true},
		{"timestamps", amitest.Settings{Timestamps: true}, true, "Event: SuccessfulAuth\r\nPrivilege: security,all\r\nTimestamp: ", "\r\n\r\n\r\n", true},
		{"broken events action", amitest.Settings{BrokenEventsAction: true}, true, "Ping: Pong", "Events: On", true},
		{"blank lines", amitest.Settings{ExtraBlankLines: true}, true, "\r\n\r\n\r\n", "Timestamp: 1\r\n", true},
		{"authlimit", amitest.Settings{AuthLimit: -1}, true, "", "Asterisk Call Manager", false},
		{"authtimeout by default", amitest.Settings{}, false, "Asterisk Call Manager", "Response", true},
		{"authtimeout", amitest.Settings{AuthTimeout: 5 * time.Second}, false, "Asterisk Call Manager", "Response", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, n := onNetwork(t, amitest.WithSettings(tt.settings))
				text := ""
				if tt.login {
					text = fmt.Sprintf(loginText, "on") + long
				}
				got, open := talk(t, n, text, 20*time.Second)
				if !strings.Contains(got, tt.want) || strings.Contains(got, tt.not) || open != tt.open {
					t.Errorf("open %t, want %t; want %q and not %q in %q", open, tt.open, tt.want, tt.not, got)
				}
			})
		})
	}
}
