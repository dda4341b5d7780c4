//go:build unix

package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

// What tail has taken is in its output before it leaves its servers, which may take a while.
func TestTailWritesBeforeItLeaves(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	const events = 3
	written := make(chan int, 1)
	go func() {
		nc, err := l.Accept()
		if err != nil {
			written <- -1
			return
		}
		defer func() { _ = nc.Close() }()
		_, _ = io.WriteString(nc, "Asterisk Call Manager/11.0.0\r\n")
		in := bufio.NewReader(nc)
		id := ""
		for line := ""; line != "\r\n"; {
			if line, err = in.ReadString('\n'); err != nil {
				written <- -1
				return
			}
			if v, ok := strings.CutPrefix(line, "ActionID: "); ok {
				id = v
			}
		}
		_, _ = io.WriteString(nc, "Response: Success\r\nActionID: "+id+"Message: Authentication accepted\r\n\r\n"+
			strings.Repeat("Event: Hangup\r\nPrivilege: call,all\r\nChannel: PJSIP/100-1\r\n\r\n", events))
		_, _ = io.Copy(io.Discard, in) // no answer to Logoff, until tail closes
		got := make([]byte, 4096)
		n := 0
		if raw, err := r.SyscallConn(); err == nil { // what is there, without waiting
			_ = raw.Read(func(fd uintptr) bool { n, _ = syscall.Read(int(fd), got); return true })
		}
		written <- bytes.Count(got[:max(n, 0)], []byte("\n"))
	}()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	home := t.TempDir()
	a := run.New([]string{"tail", "--node", "ami://u@" + l.Addr().String(), "--secret-file", secret, "-o", "jsonl", "-q", "--count", "3"},
		strings.NewReader(""), w, &stderr, func(name string) (string, bool) { return home, name == "HOME" })
	status := cli.Execute(t.Context(), a)
	if got := <-written; status != fail.ExitOK || got != events {
		t.Errorf("status %d, and %d events in the output when the session ended, want %d: %s", status, got, events, stderr.String())
	}
	_ = w.Close()
}
