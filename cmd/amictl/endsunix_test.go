//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A secret from a pipe is there for every node and every login, and a pipe that says nothing holds up no dial.
func TestSecretFromAPipe(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	if _, err := out.WriteString("geheim\n"); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	ask := fileSecret(fmt.Sprintf("/dev/fd/%d", in.Fd()))
	for range 3 {
		if s, err := ask(context.Background()); err != nil || s.Reveal() != "geheim" {
			t.Errorf("%q, %v", s.Reveal(), err)
		}
	}
	silent := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(silent, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := fileSecret(silent)(ctx); err == nil {
		t.Error("a pipe that says nothing gave a secret")
	}
}

// A record that is not whole is a failure, also when the last of it is written at the end.
func TestRecordOnAFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		cannotRun(t, err.Error())
	}
	line := `{"type":"event","event":"A","fields":{"B":"1"}}` + "\n"
	for _, args := range []string{"tail --from - --record /dev/full -q -o none --count 1", "tail A --from - --record /dev/full -q -o none"} {
		in := strings.NewReader(line + line + strings.Replace(line, `"A"`, `"C"`, 1))
		if status, _, stderr := runApp(t, nil, in, strings.Fields(args)...); status != exitLost {
			t.Errorf("%s: status %d, %s", args, status, stderr)
		}
	}
}
