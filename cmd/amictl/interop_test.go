package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/skip"
)

// The statuses of a plugin that the lab's servers come to.
const nagiosOK, nagiosUnknown = 0, 3

// interopMonitor is true of the lab's servers: alice's contact is one that nobody qualifies.
const interopMonitor = `[server]
crit = "uptime<0 || processed<0 || reload<0"
[[endpoints]]
name = "alice"
crit = "reachable=0"
[[endpoints]]
where = "reachable=0"
crit = "count<2"
[[queues]]
name = "support"
crit = "available<1"
[[conferences]]
name = "nobodys"
crit = "parties>0"
[[channels]]
where = "duration>1000h"
crit = "count>0"
[[calls]]
warn = "count>1000 || longest>1000h"
[[command]]
run = "core show channels count"
expect = '(?P<channels>\d+) active channel'
crit = "channels>1000"
`

const interopProfile = `
modules = ["app_queue"]
queues = ["support"]
classes = ["call", "originate"]
[[command]]
run = "core show uptime"
expect = "System uptime"
[call]
channel = "Local/201@default"
application = "Wait"
data = "1"
`

// A labServer is a real Asterisk, and the folder in which amictl is run against it.
type labServer struct {
	t       *testing.T
	version string
	home    string
}

func realServer(t *testing.T, version string) *labServer {
	t.Helper()
	l := &labServer{t, version, t.TempDir()}
	if l.env("ADDR") == "" {
		skip.Loudly(t, "no real Asterisk "+version+": scripts/interop starts one")
	}
	return l
}

func (l *labServer) env(name string) string { return os.Getenv("AMICTL_LAB_" + l.version + "_" + name) }

// write writes a file of the folder.
func (l *labServer) write(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.home, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// command is `amictl ARGS` as a user of the server.
func (l *labServer) command(user, args string) *exec.Cmd {
	l.t.Helper()
	c := exec.CommandContext(l.t.Context(), "amictl", strings.Fields(args)...) //nolint:gosec // the test's own
	c.Dir = l.home
	c.Env = []string{
		"HOME=" + l.home, "AMICTL_NODE=ami://" + user + "@" + l.env("ADDR"),
		"AMICTL_SECRET_FILE=" + l.write(user+".secret", l.env("SECRET_"+strings.ToUpper(user))+"\n"),
	}
	return c
}

// run runs it to its end.
func (l *labServer) run(user, args string) (stdout, stderr string, status int) {
	l.t.Helper()
	c := l.command(user, args)
	var out, complaints bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaints
	if err := c.Run(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			l.t.Fatal(err)
		}
		status = exit.ExitCode()
	}
	return out.String(), complaints.String(), status
}

// Exit statuses and output against the real thing: the dialplan and the users are those of scripts/lab/etc.
func TestInteropCommandLine(t *testing.T) {
	for _, version := range []string{"22", "16"} {
		t.Run("asterisk "+version, func(t *testing.T) {
			l := realServer(t, version)
			l.write("smoke.toml", interopProfile)
			l.write("monitor.toml", interopMonitor)
			for _, tt := range []struct {
				user, args string
				status     int
				stdout     string // a regular expression
			}{
				{"admin", "health -o nagios", fail.ExitOK, `^AMI OK - 1 of 1 node ready`},
				{"admin", "check smoke.toml --query status", fail.ExitOK, `^(pass\n)+$`},
				{"admin", "check monitor.toml -o nagios", nagiosOK, `^ASTERISK OK - 13 of 13 checks passed \|.* 'server processed'=\d+c;.* 'queue support available'=3;;1:;0 `},
				{"readonly", "check monitor.toml -o nagios", nagiosUnknown, `(?s)^ASTERISK UNKNOWN - .*: endpoint alice: the user may not ask: `},
				{"admin", "check --init --out begun.toml", fail.ExitOK, `^$`},
				{"admin", "check begun.toml -o prometheus", fail.ExitOK, `(?m)^ami_check_queue_members\{node="[^"]*",queue="support"\} 3$`},
				{"admin", "originate --channel Local/201@default --application Wait --data 1 --query outcome", fail.ExitOK, `^answered\n$`},
				{"admin", "originate --channel Local/200@default --application Wait --data 1 --wait hangup --query type", fail.ExitOK, `^reply\ncall\n$`},
				{"admin", "originate --channel Local/300@default --application Wait --data 1 --query outcome", fail.ExitFailed, `^busy\n$`},
				{"admin", "originate --channel Local/301@default --application Wait --data 1 --query outcome", fail.ExitFailed, `^congestion\n$`},
				{"admin", "originate --channel Local/302@default --application Wait --data 1 --ring 1s --query outcome", fail.ExitFailed, `^no-answer\n$`},
				{"nocall", "originate --channel Local/201@default --application Wait --data 1 --timeout 2s", fail.ExitTimeout, `^$`},
				{"readonly", "originate --channel Local/201@default --application Wait --data 1", fail.ExitLogin, `^$`},
				{"admin", "wait UserEvent --where Key=1 --query event -- UserEvent UserEvent=x Key=1", fail.ExitOK, `^UserEvent\n$`},
				{"admin", "wait FullyBooted --timeout 1s -- Ping", fail.ExitTimeout, `^$`},
				{"admin", "wait --ready --timeout 20s", fail.ExitOK, `^$`},
				{"denied", "wait --ready --timeout 20s", fail.ExitLogin, `^$`},
				{"admin", "wait --until CoreStartupTime=~: --every 100ms --query response -- CoreStatus", fail.ExitOK, `^Success\n$`},
				{"admin", "tail Hang* --where Channel=~^Local/201 --count 2 --query event -- Originate Channel=Local/201@default Application=Wait Data=1 Async=true", fail.ExitOK, `Hangup`},
				{"command", "command --expect uptime core show uptime", fail.ExitOK, `^System uptime`},
				{"command", "command queue show nosuch", fail.ExitOK, `^No such queue`},
				{"command", "command --reject ^No.such queue show nosuch", fail.ExitFailed, `^No such queue`},
				{"command", "command no such thing", fail.ExitFailed, `No such command`},
				{"admin", "send ConfbridgeListRooms -o none", fail.ExitFailed, `^$`},
				{"admin", "send ConfbridgeListRooms -o none --empty-ok", fail.ExitOK, `^$`},
				{"admin", "send QueueStatus -o none --min-items 1", fail.ExitOK, `^$`},
				{"admin", "send QueueStatus -o none --min-items 10000", fail.ExitFailed, `^$`},
			} {
				stdout, stderr, status := l.run(tt.user, tt.args)
				if status != tt.status || !regexp.MustCompile(tt.stdout).MatchString(stdout) {
					t.Errorf("%s: amictl %s: status %d, want %d; it printed %q, want %s\n%s",
						tt.user, tt.args, status, tt.status, stdout, tt.stdout, stderr)
				}
			}
		})
	}
}
