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

// Workers from other hosts need the token and trust the certificate; one that may not load a server ends the run before it
// begins, and stays for the next.
func TestWorkersFromElsewhere(t *testing.T) {
	program, err := exec.LookPath("amictl")
	if err != nil {
		t.Fatal(err)
	}
	server := amitest.NewServer()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token := write("token", "a token of the test\n")
	write("pbx", amitest.DefaultSecret+"\n")
	config := write("config.toml", "context = \"lab\"\n[contexts.lab]\nuser = \"admin\"\nsecret = \"file:pbx\"\n[contexts.lab.nodes.pbx1]\nurl = \"ami://"+server.Addr()+"\"\n")
	certText, keyText := runtest.Certificate(t, "127.0.0.1")
	cert, key := write("cert.pem", string(certText)), write("key.pem", string(keyText))
	start := func(errs io.Writer, args ...string) *exec.Cmd {
		c := exec.Command(program, args...) //nolint:gosec // the test's own
		c.Env = append(os.Environ(), "HOME="+dir, "AMICTL_CONFIG="+config)
		c.Stderr = errs
		t.Cleanup(func() { _ = c.Process.Kill() })
		return c
	}
	run := func(workers int, extra ...string) (addr string, end func() (bench.Result, int, string)) {
		reader, writer := io.Pipe()
		var out, errs bytes.Buffer
		c := start(writer, append([]string{
			"bench", "--workers", strconv.Itoa(workers), "--listen", "127.0.0.1:0", "--secret-file", token, "--cert", cert, "--key", key, "-o", "json", "--max-lag", "1h",
		}, extra...)...)
		c.Stdout = &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
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
			t.Fatal("it does not listen")
		}
		return addr, func() (res bench.Result, status int, stderr string) {
			_ = c.Wait()
			_ = writer.Close()
			<-read
			_ = json.Unmarshal(out.Bytes(), &res)
			return res, c.ProcessState.ExitCode(), errs.String()
		}
	}
	worker := func(addr string, extra ...string) *exec.Cmd {
		c := start(os.Stderr, append([]string{"bench", "worker", "-q", "--connect", addr, "--secret-file", token, "--ca", cert, "--once"}, extra...)...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	servers := []string{"-n", "pbx1", "--actions", "101", "--mix", "ping"}
	addr, end := run(2, servers...)
	one, two := worker(addr, "--name", "one", "--allow", "127.0.0.0/8"), worker(addr, "--name", "two")
	res, status, stderr := end()
	apart := status == 98 && !slices.ContainsFunc(res.Reasons, func(why string) bool { return !strings.Contains(why, "from the instant of the start") })
	if status != 0 && !apart || res.Total.Sent != 101 || len(res.Workers) != 2 || res.Workers[0].Name != "one" || len(res.Nodes) != 1 || res.Nodes[0].Sent != 101 {
		t.Errorf("status %d, %d sent, workers %+v: %s", status, res.Total.Sent, res.Workers, stderr)
	}
	if err := errors.Join(one.Wait(), two.Wait()); err != nil {
		t.Errorf("the workers ended with %v", err)
	}
	logins := server.Ledger().Logins
	addr, end = run(1, servers...)
	not := worker(addr, "--allow", "10.0.0.0/8")
	if _, status, stderr := end(); status != 2 || !strings.Contains(stderr, "may not load 127.0.0.1") || server.Ledger().Logins != logins {
		t.Errorf("status %d, %d logins: %s", status, server.Ledger().Logins-logins, stderr)
	}
	if _ = not.Wait(); not.ProcessState.ExitCode() != 2 {
		t.Errorf("the worker ended with %v", not.ProcessState)
	}
}
