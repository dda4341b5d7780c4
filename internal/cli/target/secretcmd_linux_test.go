package target

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sleepers are the processes that sleep for so many seconds.
func sleepers(seconds string) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		if text, err := os.ReadFile(name); err == nil && string(text) == "sleep\x00"+seconds+"\x00" {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// What the command prints is bounded, and it is ended with all that it has started, however it comes to its end.
func TestSecretCommandLeavesNothing(t *testing.T) {
	const seconds = "86399.25"
	for name, tt := range map[string]struct {
		command, secret string
		fails           string // a part of the error
		hangs           bool   // until it is cancelled
	}{
		"plain":                  {command: "echo geheim", secret: "geheim"},
		"lines":                  {command: "echo geheim; echo user: x", secret: "geheim"},
		"no line end":            {command: "printf geheim", secret: "geheim"},
		"carriage return":        {command: `printf 'geheim\r\n'`, secret: "geheim"},
		"empty":                  {command: "true", fails: "is empty"},
		"status":                 {command: "echo geheim; exit 3", fails: "exit status 3"},
		"signal":                 {command: "kill -9 $$", fails: "killed"},
		"not there":              {command: "no-such-command-at-all", fails: "exit status 127"},
		"endless output":         {command: "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", fails: "printed more"},
		"endless line":           {command: "cat /dev/zero", fails: "printed more"},
		"output and orphans":     {command: "sleep S & cat /dev/zero & wait", fails: "printed more"},
		"leaves one behind":      {command: "sleep S & echo geheim", secret: "geheim"},
		"fails, leaves some":     {command: "sleep S & (sleep S; true) & exit 1", fails: "exit status 1"},
		"hangs":                  {command: "sleep S", hangs: true},
		"hangs after its secret": {command: "echo geheim; sleep S", hangs: true},
		"hangs with many":        {command: "for i in 1 2 3; do sleep S & (sleep S & sleep S; true) & done; wait", hangs: true},
		"hangs, ignores signals": {command: "trap '' TERM INT HUP; sleep S & sleep S", hangs: true},
		"hangs in a session":     {command: "setsid sleep S", hangs: true},
		"hangs deep in sessions": {command: "setsid sh -c 'setsid sh -c \"sleep S; true\"; true'", hangs: true},
		"stopped":                {command: "sleep S & kill -STOP $$", hangs: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.hangs {
				time.AfterFunc(300*time.Millisecond, cancel)
			}
			text, err := outputOf(ctx, strings.ReplaceAll(tt.command, " S", " "+seconds), os.Stderr)
			switch secret, wrong := firstLine(text, "it"); {
			case tt.hangs && !errors.Is(err, context.Canceled):
				t.Errorf("%q, %v", text, err)
			case tt.hangs:
			case err == nil:
				err = wrong
				fallthrough
			default:
				if tt.fails == "" && (err != nil || secret.Reveal() != tt.secret) || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
					t.Errorf("%q, %v", text, err)
				}
			}
			for range 500 { // init may take a moment to bury them
				if len(sleepers(seconds)) == 0 {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			left := sleepers(seconds)
			t.Errorf("%d processes are left", len(left))
			for _, pid := range left {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		})
	}
}
