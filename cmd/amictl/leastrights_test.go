package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// leastRights are what the users of the guide to manager.conf may do, and what they may not.
var leastRights = map[string]struct{ may, mayNot []string }{
	"amictl-watch": {
		may:    []string{"tail UserEvent --count 1", "tail Hangup --count 1", "tail QueueMemberPause --count 1", "wait FullyBooted --timeout 20s"},
		mayNot: []string{"send QueuePause Interface=Local/100@default Paused=true", "command core show uptime", "originate -c Local/100@default -e 100"},
	},
	"amictl-report": {
		may:    []string{"send CoreStatus", "send CoreShowChannels", "send QueueStatus", "send Status", "health", "wait --ready --timeout 20s"},
		mayNot: []string{"send PJSIPShowEndpoints", "send Hangup Channel=x", "command core show uptime"},
	},
	"amictl-health": {
		may:    []string{"health", "wait --ready --timeout 20s", "send Ping"},
		mayNot: []string{"send DBPut Family=a Key=b Val=c", "send QueueAdd Queue=support Interface=Local/1@default"},
	},
	"amictl-monitor": {
		may:    []string{"check", "check -o nagios", "send PJSIPShowRegistrationsOutbound", "send ModuleCheck Module=app_queue", "command core show uptime", "health"},
		mayNot: []string{"originate -c Local/100@default -e 100", "send QueuePause Interface=Local/100@default Paused=true"},
	},
	"amictl-queue": {
		may: []string{
			"send QueueAdd Queue=support Interface=Local/200@default", "send QueueRemove Queue=support Interface=Local/200@default",
			"wait QueueMemberPause --timeout 20s -- QueuePause Interface=Local/100@default Paused=true",
		},
		mayNot: []string{"send Hangup Channel=x", "originate -c Local/100@default -e 100"},
	},
	"amictl-dial": {
		may:    []string{"originate -c Local/100@default -e 100", "originate -c Local/100@default --application Wait --data 1 --wait hangup"},
		mayNot: []string{"send QueuePause Interface=Local/100@default Paused=true", "command core show uptime"},
	},
}

// The users that the guide offers to copy do what it says of them, and are refused the rest.
func TestLeastRights(t *testing.T) {
	users := guideUsers(t)
	for _, u := range users {
		rights, ok := leastRights[u.Name]
		if !ok {
			t.Errorf("nothing is known of %s", u.Name)
		}
		t.Run(u.Name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			secret := filepath.Join(dir, "secret")
			if err := os.WriteFile(secret, []byte(u.Secret+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			s := amitest.NewServer(amitest.WithName("pbx1"), amitest.WithUsers(u), amitest.WithFailDelay(time.Millisecond), amitest.WithSetup(dialplan),
				amitest.WithCallTimes(time.Millisecond, time.Millisecond))
			defer s.Close()
			happening := make(chan struct{})
			defer func() { close(happening) }()
			go func() {
				for {
					select {
					case <-happening:
						return
					case <-time.After(10 * time.Millisecond):
						s.EmitEvent("UserEvent", "UserEvent", "X")
						s.EmitEvent("Hangup", "Channel", "Local/100@default-1")
						s.EmitEvent("QueueMemberPause", "Queue", "support")
					}
				}
			}()
			try := func(line string, want int) {
				c := exec.CommandContext(t.Context(), "amictl", strings.Fields(line)...) //nolint:gosec // the test's own
				c.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME=", "AMICTL_CONFIG=", "AMICTL_SECRET_FILE="+secret, "AMICTL_NODE=ami://"+u.Name+"@"+s.Addr(), "AMICTL_TIMEOUT=20s")
				out, err := c.CombinedOutput()
				got := 0
				if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
					got = exit.ExitCode()
				} else if err != nil {
					t.Fatal(err)
				}
				if got != want {
					t.Errorf("%s: exit status %d, want %d: %s", line, got, want, out)
				}
			}
			for _, line := range rights.may {
				try(line, fail.ExitOK)
			}
			for _, line := range rights.mayNot {
				try(line, fail.ExitLogin)
			}
		})
	}
	if len(users) != len(leastRights) {
		t.Errorf("the guide has %d users, and %d are tried", len(users), len(leastRights))
	}
}

// guideUsers reads the users of the last chapter of the guide.
func guideUsers(t *testing.T) (users []amitest.User) {
	t.Helper()
	for _, b := range blocks(t, "docs/manager-conf.md") {
		if b.lang != "ini" || !strings.HasPrefix(b.section, "Least") {
			continue
		}
		for line := range strings.Lines(b.text) {
			line, _, _ = strings.Cut(line, ";")
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			value = strings.TrimSpace(value)
			switch key = strings.TrimSpace(key); {
			case strings.HasPrefix(key, "["):
				users = append(users, amitest.User{Name: strings.Trim(key, "[]")})
			case key == "secret":
				users[len(users)-1].Secret = value
			case key == "read":
				users[len(users)-1].Read = amitest.ParseClass(value)
			case key == "write":
				users[len(users)-1].Write = amitest.ParseClass(value)
			}
		}
	}
	return users
}
