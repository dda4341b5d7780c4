package ami_test

import (
	"context"
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami"
)

// Answers that name no action, or do not end as they should, of real servers: at once, and with what they hold.
func TestInteropOddAnswers(t *testing.T) {
	eachLab(t, func(t *testing.T, l lab) {
		c := mustDial(t, l.config("admin"))
		for _, tt := range []struct {
			only, action string
			headers      []string
			items        int
			fenced       bool
			text         int // bytes of raw text, at least
		}{
			{"", "IAXnetstats", nil, 0, true, 0},
			{"16", "SKINNYdevices", nil, 2, false, 0},
			{"16", "SKINNYlines", nil, 2, false, 0},
			{"16", "SKINNYshowdevice", []string{"Device", "phone1"}, 0, true, 300},
			{"16", "SKINNYshowline", []string{"Line", "100"}, 0, true, 600},
			{"16", "SKINNYshowline", []string{"Line", "nosuch"}, 0, true, 0},
			{"", "IAXpeers", nil, 2, false, 0},
		} {
			if tt.only != "" && tt.only != l.version {
				continue
			}
			start := time.Now()
			r, err := c.Do(t.Context(), ami.NewAction(tt.action, tt.headers...))
			if err != nil {
				t.Errorf("%s: %v", tt.action, err)
				continue
			}
			if len(r.Events) != tt.items || r.Fenced != tt.fenced || len(r.Raw) < tt.text || r.Incomplete {
				t.Errorf("%s: %d items, fenced %v, %d bytes of text, incomplete %v", tt.action, len(r.Events), r.Fenced, len(r.Raw), r.Incomplete)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("%s took %v", tt.action, d)
			}
		}
		exact(t, c.Stats())
	})
}

// mayKill returns the lab that a test may restart, or skips the test, loudly.
func mayKill(t *testing.T) lab {
	t.Helper()
	if os.Getenv("AMICTL_LAB_MAY_KILL") != "1" {
		skip.Loudly(t, "it restarts Asterisk 22; AMICTL_LAB_MAY_KILL=1 allows that (a lab of its own: AMICTL_LAB_DIR, AMICTL_LAB_22_PORT)")
	}
	l := lab{version: "22"}
	if l.env("ADDR") == "" {
		t.Fatal("AMICTL_LAB_MAY_KILL=1 without AMICTL_LAB_22_ADDR")
	}
	return l
}

// A real server that is killed and started again, over and over, is found within 3 s of being up.
func TestInteropRestarts(t *testing.T) {
	l := mayKill(t)
	rounds := 4
	if n, err := strconv.Atoi(os.Getenv("AMICTL_LAB_RESTARTS")); err == nil {
		rounds = n
	}
	outages := make(chan ami.Outage, rounds+1)
	cluster := ami.NewCluster(ami.ClusterConfig{Hooks: ami.Hooks{Reconnected: func(_ string, o ami.Outage) { outages <- o }}})
	defer cluster.Close()
	n, err := cluster.Add(l.config("admin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range rounds {
		l.script(t, "kill")
		time.Sleep(time.Duration(i*3%11) * time.Second)
		l.script(t, "start")
		up := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		err := n.WaitReady(ctx)
		cancel()
		if err != nil {
			t.Fatalf("round %d: not found within 3 s: %v", i, err)
		}
		o := <-outages
		t.Logf("round %d: away for %v, %d dials, found %v after it was seen up; last %v", i, o.Until.Sub(o.Since).Round(time.Millisecond), o.Dials, o.Until.Sub(up).Round(time.Millisecond), o.Cause)
	}
	if st := n.Stats(); st.BreakerOpens != 0 {
		t.Errorf("the breaker opened %d times", st.BreakerOpens)
	}
}

// A real server that stops gracefully while a call is up refuses logins and actions: it is stopping, not shut to us.
func TestInteropGracefulRestart(t *testing.T) {
	l := mayKill(t)
	defer func() { l.script(t, "kill"); l.script(t, "start") }()
	c := mustDial(t, l.config("admin"))
	call := ami.NewAction("Originate", "Channel", "Local/100@default", "Application", "Wait", "Data", "6", "Async", "true")
	if _, err := c.Do(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	go func() { // it is answered when the restart is done, which is never
		_, _ = mustDial(t, l.config("command")).Do(t.Context(), ami.Action{Name: "Command", Fields: []ami.Field{{Name: "Command", Value: "core restart gracefully"}}, Timeout: time.Minute})
	}()
	time.Sleep(time.Second)
	if _, err := c.Do(t.Context(), ami.NewAction("Ping")); !errors.Is(err, ami.ErrStopping) {
		t.Errorf("an action on a session that stands: %v", err)
	}
	cluster := ami.NewCluster(ami.ClusterConfig{})
	defer cluster.Close()
	n, err := cluster.Add(l.config("admin"))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	if _, cause := n.State(); !errors.Is(cause, ami.ErrStopping) || errors.Is(cause, ami.ErrUnauthorized) {
		t.Errorf("cause %v", cause)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := n.WaitReady(ctx); err != nil {
		t.Errorf("not found after the restart: %v", err)
	}
}
