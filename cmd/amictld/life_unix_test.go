//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// A daemon is a running `amictl serve`.
type daemon struct {
	*exec.Cmd
	t     *testing.T
	lines chan map[string]any // of its log
	addr  string              // of its HTTP door
}

// serving starts a daemon whose HTTP door is at a free port.
func serving(t *testing.T, env []string, args ...string) *daemon {
	t.Helper()
	program, err := exec.LookPath("amictl")
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{Cmd: exec.Command(program, append([]string{"serve", "--log", "json", "--http", "127.0.0.1:0"}, args...)...), t: t, lines: make(chan map[string]any, 1000)} //nolint:gosec // the test's own
	d.Env = append(append(os.Environ(), "HOME="+t.TempDir()), env...)
	stderr, err := d.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Process.Kill(); _ = d.Wait() })
	go d.read(stderr)
	for d.addr == "" { // an embedded bus listens, too
		if door := d.until("listening"); door["door"] == "http" {
			d.addr, _ = door["addr"].(string)
		}
	}
	return d
}

func (d *daemon) read(in io.Reader) {
	defer close(d.lines)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		line := map[string]any{"text": lines.Text()}
		_ = json.Unmarshal(lines.Bytes(), &line)
		d.lines <- line
	}
}

// until returns the next record of the log with a message.
func (d *daemon) until(message string) map[string]any {
	d.t.Helper()
	limit := time.After(patience)
	var seen []string
	for {
		select {
		case line, ok := <-d.lines:
			if !ok {
				d.t.Fatalf("the daemon ended without %q: %v", message, seen)
			}
			if line["msg"] == message {
				return line
			}
			text, _ := json.Marshal(line)
			seen = append(seen, string(text))
		case <-limit:
			d.t.Fatalf("no %q in the log: %v", message, seen)
		}
	}
}

// killer returns the signal that the daemon dies by.
func (d *daemon) killer() syscall.Signal {
	d.t.Helper()
	go func() {
		for range d.lines { // nothing may hold it up
		}
	}()
	_ = d.Wait()
	status, _ := d.ProcessState.Sys().(syscall.WaitStatus)
	return status.Signal()
}

func (d *daemon) status(path, token string) int {
	d.t.Helper()
	q, err := http.NewRequest(http.MethodGet, "http://"+d.addr+path, http.NoBody)
	if err != nil {
		d.t.Fatal(err)
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		d.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// A service manager is told of each step of the daemon's life, and it dies by the signal that ended it.
func TestLifeUnderSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = manager.Close() }()
	d := serving(t, []string{"NOTIFY_SOCKET=" + path, "WATCHDOG_USEC=200000"}, "--sim", "2")
	told := func(word string) {
		t.Helper()
		_ = manager.SetReadDeadline(time.Now().Add(patience))
		for b := make([]byte, 1024); ; {
			n, err := manager.Read(b)
			if err != nil {
				t.Fatalf("%s was not told: %v", word, err)
			}
			if strings.HasPrefix(string(b[:n]), word) {
				return
			}
		}
	}
	told("READY=1")
	told("WATCHDOG=1")
	_ = d.Process.Signal(syscall.SIGHUP)
	told("RELOADING=1\nMONOTONIC_USEC=")
	told("READY=1")
	_ = d.Process.Signal(syscall.SIGTERM)
	told("STOPPING=1")
	if sig := d.killer(); sig != syscall.SIGTERM {
		t.Errorf("it died by %v", sig)
	}
}

// A hangup brings new users, nodes and secrets; what is wrong changes nothing.
func TestReload(t *testing.T) {
	servers := amitest.NewCluster(2)
	defer servers.Close()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := "context = \"c\"\n[contexts.c]\nuser = \"admin\"\nsecret = \"file:pbx.secret\"\n"
	node := func(name string) string {
		return "[contexts.c.nodes." + name + "]\nurl = \"ami://" + servers.Server(name).Addr() + "\"\n"
	}
	user := func(name string) string {
		return "[[users]]\nname = \"" + name + "\"\nsecret = \"file:" + name + ".secret\"\nevents = [\"*\"]\n"
	}
	write("pbx.secret", amitest.DefaultSecret)
	write("one.secret", "token of one")
	write("two.secret", "token of two")
	write("config.toml", config+node("pbx1")+user("one"))
	d := serving(t, []string{"AMICTL_CONFIG=" + filepath.Join(dir, "config.toml")})
	try := func(when string, one, two int) {
		t.Helper()
		if a, b := d.status("/v1/nodes", "token of one"), d.status("/v1/nodes", "token of two"); a != one || b != two {
			t.Errorf("%s: one gets %d, two gets %d", when, a, b)
		}
	}
	try("at first", 200, 401)
	write("config.toml", config+node("pbx1")+node("pbx2")+user("one")+user("two"))
	_ = d.Process.Signal(syscall.SIGHUP)
	d.until("reloaded")
	try("with two", 200, 200)
	for ready := d.until("node state"); ready["node"] != "pbx2" || ready["to"] != "ready"; ready = d.until("node state") {
	}
	write("config.toml", "context = ")
	_ = d.Process.Signal(syscall.SIGHUP)
	d.until("not reloaded: everything stays as it was")
	try("after a mistake", 200, 200)
	write("config.toml", config+node("pbx2")+user("two"))
	_ = d.Process.Signal(syscall.SIGHUP)
	d.until("reloaded")
	try("without one", 401, 200)
	_ = d.Process.Signal(syscall.SIGINT)
	if sig := d.killer(); sig != syscall.SIGINT {
		t.Errorf("it died by %v", sig)
	}
}

// Profiles are at a Unix socket that is ours alone, and at no other door.
func TestProfiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pprof")
	d := serving(t, nil, "--sim", "1", "--pprof", path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v: %v", info, err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET /debug/pprof/goroutine?debug=1 HTTP/1.0\r\n\r\n")
	if text, err := io.ReadAll(conn); err != nil || !strings.Contains(string(text), "goroutine profile: total") {
		t.Errorf("%v: %.200s", err, text)
	}
	if status := d.status("/debug/pprof/", ""); status != http.StatusNotFound {
		t.Errorf("the HTTP door has them, too: %d", status)
	}
}
