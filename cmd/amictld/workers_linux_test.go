package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	crand "crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A load is `amictl bench --workers 2` that makes calls without end on two servers.
type load struct {
	*exec.Cmd
	t       *testing.T
	servers *amitest.Cluster
	out     bytes.Buffer
	errs    runtest.Buffer
	done    chan error
}

func calling(t *testing.T) *load {
	t.Helper()
	program, err := exec.LookPath("amictl")
	if err != nil {
		t.Fatal(err)
	}
	l := &load{t: t, servers: amitest.NewCluster(2, amitest.WithCallTimes(10*time.Millisecond, time.Hour)), done: make(chan error, 1)}
	t.Cleanup(l.servers.Close)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(amitest.DefaultSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"bench", "--workers", "2", "--workload", "calls", "--rate", "40", "--hold", "1h", "--duration", "1h", "-o", "json", "--every", "200ms", "--secret-file", secret}
	for _, s := range l.servers.Servers() {
		args = append(args, "--node", "ami://admin@"+s.Addr())
	}
	l.Cmd = exec.Command(program, args...) //nolint:gosec // the test's own
	l.Env = append(os.Environ(), "HOME="+t.TempDir())
	l.Stdout, l.Stderr = &l.out, &l.errs
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { l.done <- l.Wait() }()
	t.Cleanup(func() { _ = l.Process.Kill() })
	return l
}

func (l *load) channels() (n int) {
	for _, s := range l.servers.Servers() {
		n += len(s.State().Channels())
	}
	return n
}

// soon waits until something is so.
func (l *load) soon(what string, is func() bool) {
	l.t.Helper()
	for limit := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			l.t.Fatalf("not in time: %s; %s", what, l.errs.String())
		}
	}
}

// workers are the processes of the workers.
func (l *load) workers() (pids []int) {
	l.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		l.t.Fatal(err)
	}
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(after); len(f) > 1 && f[1] == strconv.Itoa(l.Process.Pid) && f[0] != "Z" {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(text, []byte(") Z "))
}

// Whichever side of a load dies or stands still, at whatever moment: it is over everywhere, with status 98, no call is left up
// and no process.
func TestWorkersAreLost(t *testing.T) {
	for name, tt := range map[string]struct {
		signal syscall.Signal
		worker bool
	}{
		"a worker is killed":           {syscall.SIGKILL, true},
		"the coordinator is killed":    {syscall.SIGKILL, false},
		"a worker stands still":        {syscall.SIGSTOP, true},
		"the coordinator stands still": {syscall.SIGSTOP, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := calling(t)
			l.soon("calls are up", func() bool { return l.channels() > 4 })
			l.soon("figures are in", func() bool { return strings.Contains(l.errs.String(), "  p50 ") }) // which is what is kept
			wait := rand.N(time.Second)
			t.Logf("%s after %s", name, wait)
			time.Sleep(wait)
			workers := l.workers()
			if len(workers) != 2 {
				t.Fatalf("workers %v: %s", workers, l.errs.String())
			}
			pid := l.Process.Pid
			if tt.worker {
				pid = workers[1]
			}
			if err := syscall.Kill(pid, tt.signal); err != nil {
				t.Fatal(err)
			}
			struck := time.Now()
			if pid == l.Process.Pid {
				for _, w := range workers {
					l.soon("the workers are gone", func() bool { return !alive(w) })
				}
				_ = syscall.Kill(pid, syscall.SIGCONT)
			}
			select {
			case <-l.done:
			case <-time.After(patience):
				t.Fatal("the coordinator does not end")
			}
			for _, w := range workers {
				l.soon("the workers are gone", func() bool { return !alive(w) })
			}
			l.soon("no call is up", func() bool { return l.channels() == 0 })
			t.Logf("over after %s", time.Since(struck))
			if pid == l.Process.Pid && tt.signal == syscall.SIGKILL {
				return
			}
			var res bench.Result
			if err := json.Unmarshal(l.out.Bytes(), &res); err != nil {
				t.Fatalf("%v: %s", err, l.errs.String())
			}
			if status := l.ProcessState.ExitCode(); status != 98 || res.Verdict != bench.Invalid || !res.Partial || res.Total.Sent == 0 {
				t.Errorf("status %d, %s, partial %v, %d sent: %s", status, res.Verdict, res.Partial, res.Total.Sent, l.errs.String())
			}
		})
	}
}

// A worker that stands still for a second is waited for, and the result says so.
func TestAPauseIsSurvived(t *testing.T) {
	l := calling(t)
	l.soon("calls are up", func() bool { return l.channels() > 4 })
	w := l.workers()[0]
	_ = syscall.Kill(w, syscall.SIGSTOP)
	time.Sleep(time.Second)
	_ = syscall.Kill(w, syscall.SIGCONT)
	time.Sleep(time.Second)
	_ = l.Process.Signal(syscall.SIGINT)
	<-l.done
	var res bench.Result
	if err := json.Unmarshal(l.out.Bytes(), &res); err != nil {
		t.Fatalf("%v: %s", err, l.errs.String())
	}
	if !strings.Contains(strings.Join(res.Notes, " "), "was not heard from for 1.") || len(res.Nodes) != 2 || res.Ended != "interrupted" {
		t.Errorf("notes %q, %d nodes, ended by %q: %v", res.Notes, len(res.Nodes), res.Ended, res.Reasons)
	}
	if n := l.channels(); n != 0 {
		t.Errorf("%d channels are up", n)
	}
}

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
	cert, key := certificate(t, write)
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

// certificate makes one for this host, which is its own authority.
func certificate(t *testing.T, write func(name, text string) string) (cert, key string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(crand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(crand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return write("cert.pem", text("CERTIFICATE", der)), write("key.pem", text("PRIVATE KEY", secret))
}
