package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A tool is one amictl that runs, with every line that it printed and when.
type tool struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // it has ended, and all it printed is read
	exit int           // its exit status, -1 for a signal; once done

	mu       sync.Mutex
	out, err []said
}

// A said is a line of a tool.
type said struct {
	at   time.Time // when it was read
	text string
	object
}

// An object is what of a JSON line matters here, whatever its type.
type object struct {
	Type, Node, Event, ID, Code, Sent, Message, State, Reason, Response string

	Exit               int
	Time, Since, Until time.Time
	Fields             map[string]any
}

// field returns a header of an event.
func (o *object) field(name string) string {
	s, _ := o.Fields[name].(string)
	return s
}

// start runs amictl with its arguments, and keeps what it prints in dir too.
func start(o *options, srv *server, dir, name string, args ...string) (*tool, error) {
	args = append(args[:1:1], append([]string{
		"--node", "ami://" + srv.user + "@" + srv.addr, "--secret-file", secretFile(dir), "-o", "jsonl",
	}, args[1:]...)...)
	t := &tool{name: name, cmd: exec.Command(o.amictl, args...), done: make(chan struct{})}
	t.cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+dir) // no configuration of whoever runs this
	in, err := t.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	t.in = in
	stdout, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := t.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := t.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { t.read(stdout, &t.out, filepath.Join(dir, name+".out")) })
	reading.Go(func() { t.read(stderr, &t.err, filepath.Join(dir, name+".err")) })
	go func() {
		reading.Wait()
		_ = t.cmd.Wait()
		t.exit = t.cmd.ProcessState.ExitCode()
		close(t.done)
	}()
	return t, nil
}

func secretFile(dir string) string { return filepath.Join(dir, "secret") }

func (t *tool) read(from io.Reader, to *[]said, copyTo string) {
	file, err := os.Create(copyTo)
	if err != nil {
		panic(err)
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(io.TeeReader(from, file))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := said{at: time.Now(), text: lines.Text()}
		if to == &t.out {
			if err := json.Unmarshal(lines.Bytes(), &line.object); err != nil {
				line.Type = "no JSON: " + err.Error()
			}
		}
		t.mu.Lock()
		*to = append(*to, line)
		t.mu.Unlock()
	}
}

// printed returns the lines of standard output, and of standard error.
func (t *tool) printed() (out, err []said) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out[:len(t.out):len(t.out)], t.err[:len(t.err):len(t.err)]
}

// complaints is its standard error, to be told.
func (t *tool) complaints() string {
	_, all := t.printed()
	var b strings.Builder
	for i := range all {
		b.WriteString("\n\t" + all[i].text)
	}
	return b.String()
}

// awaitEnd waits until it has ended by itself, and ends it if it does not.
func (t *tool) awaitEnd(limit time.Duration) {
	select {
	case <-t.done:
	case <-time.After(limit):
		t.end()
	}
}

// end asks it to end, and waits.
func (t *tool) end() {
	_ = t.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-t.done:
	case <-time.After(10 * time.Second):
		_ = t.cmd.Process.Kill()
		<-t.done
	}
}
