package proof

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process is a program that a run starts, and has to end.
type process struct {
	*exec.Cmd
	t     testing.TB
	name  string
	stdin io.Closer
	ended chan struct{}

	mu    sync.Mutex // guards what follows
	lines []line     // of its standard error
}

// A line is one of a log; fields is nil if it is not JSON.
type line struct {
	text   string
	fields map[string]any
}

// mostLines is how many lines of a log are kept.
const mostLines = 20_000

// start starts a program, which does not outlive the test, whatever happens to that.
func start(t testing.TB, name string, env []string, program string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(program, args...), t: t, name: name, ended: make(chan struct{})}
	p.Env = append(p.Environ(), env...)
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := p.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.read(stderr)
		_ = p.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s wrote at last:\n%s", name, p.tail(40))
		}
	})
	return p
}

func (p *process) read(in io.Reader) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l := line{text: lines.Text()}
		_ = json.Unmarshal(lines.Bytes(), &l.fields)
		p.mu.Lock()
		if len(p.lines) == mostLines {
			p.lines = p.lines[mostLines/2:]
		}
		p.lines = append(p.lines, l)
		p.mu.Unlock()
	}
	_, _ = io.Copy(io.Discard, in)
}

// told are the records of the log with a message.
func (p *process) told(message string) (all []map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if l.fields["msg"] == message {
			all = append(all, l.fields)
		}
	}
	return all
}

// tail is the end of what it wrote.
func (p *process) tail(n int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b bytes.Buffer
	for _, l := range p.lines[max(0, len(p.lines)-n):] {
		b.WriteString("  " + l.text + "\n")
	}
	return b.String()
}

func (p *process) wrote(text string) bool { return strings.Contains(p.tail(mostLines), text) }

func (p *process) signal(sig syscall.Signal) {
	if err := p.Process.Signal(sig); err != nil {
		p.t.Errorf("%s: %v: %v", p.name, sig, err)
	}
}

// kill ends it as kill -9 does, and waits until it has ended.
func (p *process) kill() {
	_ = p.Process.Kill()
	<-p.ended
	_ = p.stdin.Close()
}

// end waits until it has ended by itself, and returns its exit status.
func (p *process) end() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end:\n%s", p.name, p.tail(20))
	}
	return p.ProcessState.ExitCode()
}

// at is when a record of the log was written.
func at(t testing.TB, record map[string]any) time.Time {
	t.Helper()
	text, _ := record["time"].(string)
	when, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return when
}
