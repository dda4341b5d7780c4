package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A benchHost is a directory with what a coordinator and its workers need to find each other.
type benchHost struct {
	t                               *testing.T
	program, dir                    string
	config, token, certificate, key string // files
}

func newBenchHost(t *testing.T, server *amitest.Server) *benchHost {
	t.Helper()
	program, err := exec.LookPath("amictl")
	if err != nil {
		t.Fatal(err)
	}
	h := &benchHost{t: t, program: program, dir: t.TempDir()}
	h.token = h.write("token", "a token of the test\n")
	h.write("pbx", amitest.DefaultSecret+"\n")
	h.config = h.write("config.toml", "context = \"lab\"\n[contexts.lab]\nuser = \"admin\"\nsecret = \"file:pbx\"\n[contexts.lab.nodes.pbx1]\nurl = \"ami://"+server.Addr()+"\"\n")
	certText, keyText := runtest.Certificate(t, "127.0.0.1")
	h.certificate, h.key = h.write("cert.pem", string(certText)), h.write("key.pem", string(keyText))
	return h
}

func (h *benchHost) write(name, text string) string {
	h.t.Helper()
	path := filepath.Join(h.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// command is amictl, not started yet.
func (h *benchHost) command(errs io.Writer, args ...string) *exec.Cmd {
	c := exec.Command(h.program, args...) //nolint:gosec // the test's own
	c.Env = append(os.Environ(), "HOME="+h.dir, "AMICTL_CONFIG="+h.config)
	c.Stderr = errs
	h.t.Cleanup(func() { _ = c.Process.Kill() })
	return c
}

// coordinate starts a run for some workers, and returns where it listens, and what waits for its end.
func (h *benchHost) coordinate(workers int, extra ...string) (addr string, end func() (bench.Result, int, string)) {
	h.t.Helper()
	reader, writer := io.Pipe()
	var out, errs bytes.Buffer
	c := h.command(writer, append([]string{
		"bench", "--workers", strconv.Itoa(workers), "--listen", "127.0.0.1:0", "--secret-file", h.token, "--cert", h.certificate, "--key", h.key, "-o", "json", "--max-lag", "1h",
	}, extra...)...)
	c.Stdout = &out
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	listening := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(io.TeeReader(reader, &errs)); lines.Scan(); {
			if _, at, ok := strings.Cut(lines.Text(), "listening at "); ok {
				listening <- at
			}
		}
	}()
	select {
	case addr = <-listening:
	case <-time.After(patience):
		h.t.Fatal("it does not listen")
	}
	return addr, func() (res bench.Result, status int, stderr string) {
		_ = c.Wait()
		_ = writer.Close()
		<-read
		_ = json.Unmarshal(out.Bytes(), &res)
		return res, c.ProcessState.ExitCode(), errs.String()
	}
}

// worker starts a worker that connects to a coordinator.
func (h *benchHost) worker(addr string, extra ...string) *exec.Cmd {
	h.t.Helper()
	c := h.command(os.Stderr, append([]string{"bench", "worker", "-q", "--connect", addr, "--secret-file", h.token, "--ca", h.certificate, "--once"}, extra...)...)
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// Workers from other hosts need the token and trust the certificate; one that may not load a server ends the run before it
// begins, and stays for the next.
func TestWorkersFromElsewhere(t *testing.T) {
	server := amitest.NewServer()
	t.Cleanup(server.Close)
	h := newBenchHost(t, server)
	servers := []string{"-n", "pbx1", "--actions", "101", "--mix", "ping"}
	addr, end := h.coordinate(2, servers...)
	one, two := h.worker(addr, "--name", "one", "--allow", "127.0.0.0/8"), h.worker(addr, "--name", "two")
	res, status, stderr := end()
	apart := status == 98 && !slices.ContainsFunc(res.Reasons, func(why string) bool { return !strings.Contains(why, "from the instant of the start") })
	if status != 0 && !apart || res.Total.Sent != 101 || len(res.Workers) != 2 || res.Workers[0].Name != "one" || len(res.Nodes) != 1 || res.Nodes[0].Sent != 101 {
		t.Errorf("status %d, %d sent, workers %+v: %s", status, res.Total.Sent, res.Workers, stderr)
	}
	if err := errors.Join(one.Wait(), two.Wait()); err != nil {
		t.Errorf("the workers ended with %v", err)
	}
	logins := server.Ledger().Logins
	addr, end = h.coordinate(1, servers...)
	not := h.worker(addr, "--allow", "10.0.0.0/8")
	if _, status, stderr := end(); status != 2 || !strings.Contains(stderr, "may not load 127.0.0.1") || server.Ledger().Logins != logins {
		t.Errorf("status %d, %d logins: %s", status, server.Ledger().Logins-logins, stderr)
	}
	if _ = not.Wait(); not.ProcessState.ExitCode() != 2 {
		t.Errorf("the worker ended with %v", not.ProcessState)
	}
}
