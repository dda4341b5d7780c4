//go:build unix

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

// packetID reads one action, and returns its ActionID.
func packetID(in *bufio.Reader) (id string, err error) {
	for {
		line, err := in.ReadString('\n')
		if err != nil || line == "\r\n" {
			return id, err
		}
		if v, ok := strings.CutPrefix(line, "ActionID: "); ok {
			id = strings.TrimSpace(v)
		}
	}
}

// A server that answers when nothing more comes has never more before it than --parallel allows, and all of the lines
// in the end.
func TestParallelIsTheMostInFlight(t *testing.T) {
	const lines, parallel = 20, 3
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	type count struct{ most, all int }
	counted := make(chan count, 1)
	go func() {
		var n count
		defer func() { counted <- n }()
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = nc.Close() }()
		_, _ = io.WriteString(nc, "Asterisk Call Manager/11.0.0\r\n")
		in := bufio.NewReader(nc)
		var waiting []string
		for {
			id, err := packetID(in)
			if err == nil {
				waiting = append(waiting, id)
				n.all++
				n.most = max(n.most, len(waiting))
				if len(waiting) < parallel && n.all > 1 && n.all <= lines {
					_ = nc.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
					continue
				}
				if len(waiting) == parallel { // the one that must not come
					_ = nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
					continue
				}
			} else if len(waiting) == 0 {
				return
			}
			_ = nc.SetReadDeadline(time.Time{})
			for _, id := range waiting {
				if _, err := fmt.Fprintf(nc, "Response: Success\r\nActionID: %s\r\n\r\n", id); err != nil {
					return
				}
			}
			waiting = nil
		}
	}()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	r := run.New([]string{"send", "-", "--parallel", fmt.Sprint(parallel), "--node", "ami://u@" + l.Addr().String(), "--secret-file", secret, "-o", "jsonl"},
		strings.NewReader(strings.Repeat(`{"action":"Ping"}`+"\n", lines)), out, &stderr, func(name string) (string, bool) { return dir, name == "HOME" })
	if status := cli.Execute(t.Context(), r); status != fail.ExitOK {
		t.Fatalf("status %d: %s", status, stderr.String())
	}
	_ = out.Close()
	got := <-counted
	if got.most != parallel || got.all < lines+1 {
		t.Errorf("%d actions at most at a time, want %d; %d with the login, want %d at least", got.most, parallel, got.all, lines+1)
	}
	if text, err := os.ReadFile(out.Name()); err != nil || strings.Count(string(text), "\n") != lines {
		t.Errorf("%v, the output is %q", err, text)
	}
}
