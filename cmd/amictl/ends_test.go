package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// runApp runs a command line against a server and returns its status and what it wrote. It fails the test when the run
// does not end.
func runApp(t *testing.T, srv *amitest.Server, stdin io.Reader, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte(amitest.DefaultSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	env := map[string]string{"HOME": dir, "AMICTL_SECRET_FILE": secret}
	if srv != nil {
		env["AMICTL_NODE"] = "ami://" + amitest.DefaultUser + "@" + srv.Addr()
	}
	var b runtest.Buffer // a connection may be told of while the run says something else
	r := run.New(args, stdin, out, &b, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	ended := make(chan int, 1)
	go func() { ended <- cli.Execute(context.Background(), r) }()
	select {
	case status = <-ended:
	case <-time.After(20 * time.Second):
		t.Fatalf("amictl %s does not end", strings.Join(args, " "))
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return status, string(text), b.String()
}

func newPBX(t *testing.T) *amitest.Server {
	t.Helper()
	srv := amitest.NewServer()
	t.Cleanup(srv.Close)
	return srv
}

// A failure ends `send -` even while the program in front of the pipe says nothing more and keeps it open.
func TestSendLinesEndsAtAFailure(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(in.Close(), out.Close()) }()
	if _, err := out.WriteString(`{"action":"Nonsense"}` + "\n"); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := runApp(t, newPBX(t), in, "send", "-"); status != fail.ExitFailed {
		t.Errorf("status %d, want %d", status, fail.ExitFailed)
	}
}

// A failure keeps back the lines that wait for a node, also where there are several.
func TestSendLanesEndAtAFailure(t *testing.T) {
	a, b := newPBX(t), newPBX(t)
	var after atomic.Int64
	a.Handle("Fail", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(100 * time.Millisecond); w.Error("no") })
	a.Handle("After", func(_ *amitest.Request, w *amitest.ResponseWriter) { after.Add(1); w.Ack("") })
	node := func(s *amitest.Server) string { return "ami://admin@" + s.Addr() }
	var in strings.Builder
	fmt.Fprintf(&in, `{"action":"Fail","node":%q}`+"\n", a.Addr())
	for range 200 {
		fmt.Fprintf(&in, `{"action":"After","node":%q}`+"\n", a.Addr())
	}
	status, _, stderr := runApp(t, nil, strings.NewReader(in.String()), "send", "-", "--parallel", "1", "--node", node(a), "--node", node(b))
	if status != fail.ExitFailed || after.Load() != 0 {
		t.Errorf("status %d, %d lines were sent behind the failure; %s", status, after.Load(), stderr)
	}
}

// brokenInput is an input that breaks off.
type brokenInput struct{ text io.Reader }

func (b brokenInput) Read(p []byte) (int, error) {
	if n, err := b.text.Read(p); err == nil {
		return n, nil
	}
	return 0, errors.New("input/output error")
}

// An input that cannot be read is not one that is over.
func TestBrokenInputIsAFailure(t *testing.T) {
	broken := func() io.Reader { return brokenInput{strings.NewReader(`{"action":"Ping"}` + "\n" + `{"action":"Pi`)} }
	for _, args := range [][]string{{"send", "-"}, {"send", "-", "--keep-going"}, {"send", "-", "--dry-run"}} {
		status, stdout, stderr := runApp(t, newPBX(t), broken(), args...)
		if status == fail.ExitOK || !strings.Contains(stderr, "input/output error") || !strings.Contains(stdout, "Ping") {
			t.Errorf("%v: status %d, stdout %q, stderr %q", args, status, stdout, stderr)
		}
	}
	record := strings.NewReader(`{"type":"event","event":"A","fields":{}}` + "\n")
	if status, _, stderr := runApp(t, nil, brokenInput{record}, "tail", "--from", "-"); status != fail.ExitUsage {
		t.Errorf("tail --from: status %d, stderr %q", status, stderr)
	}
}

// --deadline leaves a whole document, which tells of every line that is in flight.
func TestSendLinesAtItsDeadline(t *testing.T) {
	srv := newPBX(t)
	srv.Handle("Hang", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(time.Minute) })
	in := strings.NewReader(`{"action":"Ping","id":"a"}` + "\n" + `{"action":"Hang","id":"b"}` + "\n")
	status, stdout, _ := runApp(t, srv, in, "send", "-", "-o", "json", "--deadline", "2s")
	var all []struct{ Type, ID, Sent, Code string }
	if err := json.Unmarshal([]byte(stdout), &all); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	// The engine's own clock may end the second one just before.
	if status != fail.ExitTimeout && status != fail.ExitMixed || len(all) != 2 || all[0].ID != "a" || all[1].ID != "b" || all[1].Code != "timeout" || all[1].Sent == "" {
		t.Errorf("status %d, %+v", status, all)
	}
}

// A tail that ends before the answer to its action says how that went.
func TestTailTellsHowItsActionWent(t *testing.T) {
	srv := newPBX(t)
	srv.Handle("Late", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.Raw("Event: QueueMemberPause\r\nPrivilege: agent,all\r\nQueue: q\r\n\r\n")
		w.Sleep(200 * time.Millisecond)
		w.Error("Nobody may")
	})
	srv.Handle("Hang", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(time.Minute) })
	if status, _, stderr := runApp(t, srv, nil, "tail", "QueueMemberPause", "--count", "1", "--", "Late"); status != fail.ExitFailed || !strings.Contains(stderr, "Nobody may") {
		t.Errorf("--count: status %d, %s", status, stderr)
	}
	if status, _, stderr := runApp(t, srv, nil, "tail", "--for", "300ms", "--", "Hang"); status != fail.ExitTimeout {
		t.Errorf("--for: status %d, %s", status, stderr)
	}
	until := time.Now().Add(500 * time.Millisecond).Format(time.RFC3339Nano)
	if status, _, stderr := runApp(t, srv, nil, "tail", "--until", until, "--", "Hang"); status != fail.ExitTimeout {
		t.Errorf("--until: status %d, %s", status, stderr)
	}
}

// An action that several nodes refuse decides a tail's status.
func TestTailOfNodesThatRefuse(t *testing.T) {
	a, b := newPBX(t), newPBX(t)
	nodes := []string{"--node", "ami://admin@" + a.Addr(), "--node", "ami://admin@" + b.Addr(), "--all", "-o", "none"}
	if status, _, stderr := runApp(t, nil, nil, append(append([]string{"tail"}, nodes...), "--for", "1s", "--", "Nonsense")...); status != fail.ExitFailed {
		t.Errorf("both: status %d, %s", status, stderr)
	}
	b.Handle("Nonsense", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Ack("") })
	if status, _, stderr := runApp(t, nil, nil, append(append([]string{"tail"}, nodes...), "--for", "1s", "--", "Nonsense")...); status != fail.ExitMixed {
		t.Errorf("one: status %d, %s", status, stderr)
	}
}

// --deadline keeps nothing back of what health has found.
func TestHealthAtItsDeadline(t *testing.T) {
	srv, hangs := newPBX(t), newPBX(t)
	hangs.Handle("Ping", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(time.Minute) })
	status, stdout, _ := runApp(t, nil, nil, "health", "--node", "ami://admin@"+srv.Addr(), "--node", "ami://admin@"+hangs.Addr(), "--deadline", "2s")
	// The engine's own clock may end the Ping just before: then the node is only not well.
	if status != fail.ExitTimeout && status != fail.ExitFailed || strings.Count(stdout, `"type":"health"`) != 2 || !strings.Contains(stdout, `"state":"ready"`) {
		t.Errorf("status %d, %s", status, stdout)
	}
}

// So does check, in its report for a CI too.
func TestCheckAtItsDeadline(t *testing.T) {
	srv, hangs := newPBX(t), newPBX(t)
	hangs.Handle("Ping", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Sleep(time.Minute) })
	report := filepath.Join(t.TempDir(), "report.xml")
	status, stdout, stderr := runApp(t, nil, nil, "check", "--node", "ami://admin@"+srv.Addr(), "--node", "ami://admin@"+hangs.Addr(), "--junit", report, "--deadline", "2s")
	// The engine's own clock may end the Ping just before.
	if status != fail.ExitTimeout && status != fail.ExitMixed || !strings.Contains(stdout, `"status":"pass"`) || !strings.Contains(stdout, `"code":"timeout"`) {
		t.Errorf("status %d, %s%s", status, stdout, stderr)
	}
	if text, err := os.ReadFile(report); err != nil || strings.Count(string(text), "<testsuite ") != 2 {
		t.Errorf("%s, %v", text, err)
	}
}
