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
)

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

// Exit statuses and output against the real thing: the dialplan and the users are those of scripts/lab/etc.
func TestInteropCommandLine(t *testing.T) {
	for _, version := range []string{"22", "16"} {
		t.Run("asterisk "+version, func(t *testing.T) {
			env := func(name string) string { return os.Getenv("AMICTL_LAB_" + version + "_" + name) }
			if env("ADDR") == "" {
				cannotRun(t, "no real Asterisk "+version+": scripts/interop starts one")
			}
			home := t.TempDir()
			write := func(name, text string) string {
				path := filepath.Join(home, name)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			write("smoke.toml", interopProfile)
			for _, tt := range []struct {
				user, args string
				status     int
				stdout     string // a regular expression
			}{
				{"admin", "health -o nagios", exitOK, `^AMI OK - 1 of 1 nodes ready`},
				{"admin", "check smoke.toml --query status", exitOK, `^(pass\n)+$`},
				{"admin", "originate --channel Local/201@default --application Wait --data 1 --query outcome", exitOK, `^answered\n$`},
				{"admin", "originate --channel Local/200@default --application Wait --data 1 --wait hangup --query type", exitOK, `^reply\ncall\n$`},
				{"admin", "originate --channel Local/300@default --application Wait --data 1 --query outcome", exitFailed, `^busy\n$`},
				{"admin", "originate --channel Local/301@default --application Wait --data 1 --query outcome", exitFailed, `^congestion\n$`},
				{"admin", "originate --channel Local/302@default --application Wait --data 1 --ring 1s --query outcome", exitFailed, `^no-answer\n$`},
				{"nocall", "originate --channel Local/201@default --application Wait --data 1 --timeout 2s", exitTimeout, `^$`},
				{"readonly", "originate --channel Local/201@default --application Wait --data 1", exitLogin, `^$`},
				{"admin", "wait UserEvent --where Key=1 --query event -- UserEvent UserEvent=x Key=1", exitOK, `^UserEvent\n$`},
				{"admin", "wait FullyBooted --timeout 1s -- Ping", exitTimeout, `^$`},
				{"admin", "wait --ready --timeout 20s", exitOK, `^$`},
				{"denied", "wait --ready --timeout 20s", exitLogin, `^$`},
				{"admin", "wait --until CoreStartupTime=~: --every 100ms --query response -- CoreStatus", exitOK, `^Success\n$`},
				{"admin", "tail Hang* --where Channel=~^Local/201 --count 2 --query event -- Originate Channel=Local/201@default Application=Wait Data=1 Async=true", exitOK, `Hangup`},
				{"command", "command --expect uptime core show uptime", exitOK, `^System uptime`},
				{"command", "command queue show nosuch", exitOK, `^No such queue`},
				{"command", "command --reject ^No.such queue show nosuch", exitFailed, `^No such queue`},
				{"command", "command no such thing", exitFailed, `No such command`},
				{"admin", "send ConfbridgeListRooms -o none", exitFailed, `^$`},
				{"admin", "send ConfbridgeListRooms -o none --empty-ok", exitOK, `^$`},
				{"admin", "send QueueStatus -o none --min-items 1", exitOK, `^$`},
				{"admin", "send QueueStatus -o none --min-items 10000", exitFailed, `^$`},
			} {
				c := exec.CommandContext(t.Context(), "amictl", strings.Fields(tt.args)...) //nolint:gosec // the test's own
				c.Dir = home
				c.Env = []string{
					"HOME=" + home, "AMICTL_NODE=ami://" + tt.user + "@" + env("ADDR"),
					"AMICTL_SECRET_FILE=" + write(tt.user+".secret", env("SECRET_"+strings.ToUpper(tt.user))+"\n"),
				}
				var stdout, stderr bytes.Buffer
				c.Stdout, c.Stderr = &stdout, &stderr
				status := 0
				if err := c.Run(); err != nil {
					var exit *exec.ExitError
					if !errors.As(err, &exit) {
						t.Fatal(err)
					}
					status = exit.ExitCode()
				}
				if status != tt.status || !regexp.MustCompile(tt.stdout).Match(stdout.Bytes()) {
					t.Errorf("%s: amictl %s: status %d, want %d; it printed %q, want %s\n%s",
						tt.user, tt.args, status, tt.status, stdout.String(), tt.stdout, stderr.String())
				}
			}
		})
	}
}
