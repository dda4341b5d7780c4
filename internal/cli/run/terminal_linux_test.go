package run

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/pty"
	"github.com/apntalk/amictl/pkg/output"
)

// shown is what a terminal shows, once what wrote to it has ended with mark.
func shown(t *testing.T, person *os.File, mark string) string {
	t.Helper()
	var text bytes.Buffer
	for buf := make([]byte, 4096); !strings.HasSuffix(text.String(), mark); {
		n, err := person.Read(buf)
		if err != nil {
			t.Fatalf("%v behind %q", err, text.String())
		}
		text.Write(buf[:n])
	}
	return strings.ReplaceAll(text.String(), "\r\n", "\n")
}

// echoes reports whether a terminal shows what is typed.
func echoes(t *testing.T, tty *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func TestSizeOfATerminal(t *testing.T) {
	_, tty := pty.New(t, 77)
	in, out := pipe(t)
	for _, tt := range []struct {
		stream        io.Writer
		columns, rows int
	}{{tty, 77, 24}, {out, 0, 0}, {in, 0, 0}, {io.Discard, 0, 0}} {
		columns, rows := Size(tt.stream)
		if columns != tt.columns || rows != tt.rows || Width(tt.stream) != tt.columns || IsTerminal(tt.stream) != (columns > 0) {
			t.Errorf("%v: %d × %d", tt, columns, rows)
		}
	}
}

// A pager's reader has a terminal too: any of the three streams may be it, and COLUMNS may say how wide it is.
func TestReadersColumns(t *testing.T) {
	_, wide := pty.New(t, 99)
	_, narrow := pty.New(t, 33)
	for _, tt := range []struct {
		in, out, err *os.File
		env          string
		columns      int // of standard output
		want         int
	}{
		{nil, narrow, nil, "", 33, 33},
		{nil, narrow, wide, "", 33, 33},
		{narrow, nil, wide, "", 0, 99},
		{narrow, nil, nil, "120", 0, 33},
		{nil, nil, nil, "120", 0, 120},
		{nil, nil, nil, "-5", 0, 0},
		{nil, nil, nil, "x", 0, 0},
		{nil, nil, nil, "", 0, 0},
	} {
		m := newRun(t, map[string]string{"COLUMNS": tt.env})
		if tt.in != nil {
			m.Stdin = tt.in
		}
		if tt.out != nil {
			m.Stdout = tt.out
		}
		if tt.err != nil {
			m.Stderr = tt.err
		}
		if m.Columns() != tt.columns || m.ReadersColumns() != tt.want {
			t.Errorf("%+v: %d and %d", tt, m.Columns(), m.ReadersColumns())
		}
	}
}

// A terminal has colours unless it, or its user, says otherwise.
func TestColorsOfATerminal(t *testing.T) {
	_, tty := pty.New(t, 80)
	for _, tt := range []struct {
		vars map[string]string
		args []string
		want bool
	}{
		{nil, nil, true},
		{map[string]string{"TERM": "dumb"}, nil, false},
		{map[string]string{"NO_COLOR": "1"}, nil, false},
		{map[string]string{"NO_COLOR": ""}, nil, true},
		{map[string]string{"NO_COLOR": "1", "TERM": "dumb"}, []string{"--color", "always"}, true},
		{nil, []string{"--color", "never"}, false},
		{nil, []string{"--color", "auto"}, true},
	} {
		m := resolved(t, tt.vars, tt.args...)
		m.Stdout = tty
		o, err := m.OutputOptions(Answers)
		if err != nil || o.Color != tt.want || m.Colors() != tt.want {
			t.Errorf("%v %q: %t, %t, %v", tt.vars, tt.args, o.Color, m.Colors(), err)
		}
	}
}

// People get tables, unless they ask for something else.
func TestFormatsOfATerminal(t *testing.T) {
	_, tty := pty.New(t, 80)
	for _, tt := range []struct {
		term    string
		args    []string
		kind    Stream
		want    output.Format
		redraws bool
	}{
		{"xterm", nil, Answers, output.TableText, true},
		{"xterm", nil, Records, output.TableText, true},
		{"dumb", nil, Records, output.TableText, false},
		{"xterm", nil, CommandText, output.Raw, false},
		{"xterm", []string{"--query", "x"}, Answers, output.JSONLines, false},
		{"xterm", []string{"--query", "x"}, CommandText, output.JSONLines, false},
		{"xterm", []string{"-o", "jsonl"}, Answers, output.JSONLines, false},
		{"xterm", []string{"-o", "wide"}, Answers, output.TableText, true},
	} {
		m := resolved(t, map[string]string{"TERM": tt.term}, tt.args...)
		m.Stdout = tty
		o, err := m.OutputOptions(tt.kind)
		if err != nil || o.Format != tt.want || !o.Terminal || o.Width != 80 || m.Redraws(o) != tt.redraws {
			t.Errorf("%+v: %+v, redraws %t, %v", tt, o, m.Redraws(o), err)
		}
	}
	m := resolved(t, map[string]string{"AMICTL_OUTPUT": "table"}, "--query", "x")
	m.Stdout = tty
	if o, err := m.OutputOptions(Answers); err != nil || m.Redraws(o) {
		t.Errorf("%+v, %v: what a query finds is no table", o, err)
	}
}

// A report that replaces the one before begins on a screen that is empty. A file gets neither that nor colours.
func TestReportOnATerminal(t *testing.T) {
	person, tty := pty.New(t, 80)
	for again, begins := range map[bool]string{true: "\x1b[H\x1b[2J", false: ""} {
		m := resolved(t, map[string]string{"TERM": "xterm"}, "--color", "never")
		m.Stdout = tty
		if err := (&Report{Run: m.Run, Again: again}).Records(false, records("pbx1")); err != nil {
			t.Fatal(err)
		}
		if text := shown(t, person, "pbx1\r\n"); !strings.HasPrefix(text, begins+"node") {
			t.Errorf("again %t: %q", again, text)
		}
	}
	m := resolved(t, map[string]string{"TERM": "xterm"})
	m.Stdout = tty
	path := writeFile(t, "report", "")
	if err := (&Report{Run: m.Run, Path: path, Again: true}).Records(false, records("pbx1")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != `{"node":"pbx1"}`+"\n" {
		t.Errorf("%q, %v", text, err)
	}
}

// A question needs somebody who reads it and can answer.
func TestCanAsk(t *testing.T) {
	_, tty := pty.New(t, 80)
	for _, tt := range []struct {
		in   io.Reader
		err  io.Writer
		who  string
		want bool
	}{
		{tty, tty, "", true},
		{tty, tty, "send -", false},
		{strings.NewReader(""), tty, "", false},
		{tty, io.Discard, "", false},
	} {
		m := newRun(t, nil)
		m.Stdin, m.Stderr, m.StdinFor = tt.in, tt.err, tt.who
		if got := m.CanAsk(); got != tt.want {
			t.Errorf("%+v: %t", tt, got)
		}
	}
}

// A secret is not shown while it is typed, and what is typed behind it is.
func TestAskSecret(t *testing.T) {
	person, tty := pty.New(t, 80)
	m := newRun(t, nil)
	m.Stdin, m.Stderr = tty, tty
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := m.AskSecret("Secret: ")
		got <- answer{line, err}
	}()
	text := shown(t, person, "Secret: ")
	for echoes(t, tty) {
		runtime.Gosched()
	}
	if _, err := person.WriteString(" canary \n"); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.line != " canary " || a.err != nil {
		t.Errorf("%q, %v", a.line, a.err)
	}
	if text += shown(t, person, "\n"); text != "Secret: \n" && text != "Secret: \n\n" || !echoes(t, tty) {
		t.Errorf("it shows %q, and what is typed from here on: %t", text, echoes(t, tty))
	}
}

// A run that is stopped leaves the terminal as it was.
func TestAskSecretIsStopped(t *testing.T) {
	person, tty := pty.New(t, 80)
	m := newRun(t, nil)
	stopped := make(chan struct{})
	m.Stdin, m.Stderr, m.Stopped = tty, tty, stopped
	got := make(chan error, 1)
	go func() {
		_, err := m.AskSecret("Secret: ")
		got <- err
	}()
	shown(t, person, "Secret: ")
	for echoes(t, tty) {
		runtime.Gosched()
	}
	close(stopped)
	if err := <-got; !errors.Is(err, errStopped) || !echoes(t, tty) {
		t.Errorf("%v; what is typed is shown: %t", err, echoes(t, tty))
	}
	_, _ = person.WriteString("\n") // so that what still reads ends
}

func TestAskSecretOfNoTerminal(t *testing.T) {
	m := newRun(t, nil)
	if line, err := m.AskSecret("Secret: "); line != "" || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%q, %v", line, err)
	}
	m.Stdin, _ = pipe(t)
	if line, err := m.AskSecret("Secret: "); line != "" || err == nil || m.err.Len() > 0 {
		t.Errorf("%q, %v, and it says %q", line, err, m.err.String())
	}
}

// Notes and complaints are kept off a terminal that is drawn on.
func TestMute(t *testing.T) {
	person, tty := pty.New(t, 80)
	m := newRun(t, nil)
	m.Stderr = tty
	unmute := m.Mute()
	m.Note("one")
	m.Complain(fail.Failure{Message: "two"})
	unmute()
	m.Note("three")
	m.Complain(fail.Failure{Message: "four"})
	if text := shown(t, person, "four\r\n"); text != "amictl: three\namictl: four\n" {
		t.Errorf("it shows %q", text)
	}
}

// Somebody at a terminal is told every five seconds how far the run is, until it has ended; nobody else is.
func TestProgress(t *testing.T) {
	person, tty := pty.New(t, 80)
	for _, tt := range []struct {
		stream io.Writer
		args   []string
		want   int
	}{{tty, nil, 2}, {io.Discard, nil, 0}, {tty, []string{"-q"}, 0}} {
		m := newRun(t, nil, tt.args...)
		m.Stderr = tt.stream
		told := 0
		synctest.Test(t, func(*testing.T) {
			stop := m.Progress(func() string { told++; return fmt.Sprintf("%d done", told) })
			time.Sleep(14 * time.Second)
			stop()
			time.Sleep(time.Minute)
		})
		if told != tt.want {
			t.Errorf("%q: it was told %d times, want %d", tt.args, told, tt.want)
		}
	}
	if text := shown(t, person, "2 done\r\n"); text != "amictl: 1 done\namictl: 2 done\n" {
		t.Errorf("it shows %q", text)
	}
}

// Ctrl-C is for everybody in the foreground; what is in the background, or has no terminal, got its signal from elsewhere.
func TestSignalsFromATerminal(t *testing.T) {
	_, tty := pty.New(t, 80)
	c := startChild(t, "terminal", []string{"background"}, func(c *exec.Cmd) {
		c.Stdin = tty
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	})
	c.says("true true true false false", "true false false false false")
	c.ends()
	c = startChild(t, "terminal", nil, func(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} })
	c.says("false false false false false")
	c.ends()
}

// An answer is a line without the white space around it; what is typed behind it waits for the next question.
func TestAsk(t *testing.T) {
	person, tty := pty.New(t, 80)
	m := newRun(t, nil)
	m.Stdin = bufio.NewReader(tty)
	if _, err := person.WriteString("  yes \nand no\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := m.Ask("Stop it\x1b[2J? "); line != "yes" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	if line, err := m.Ask("Or? "); line != "and no" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	if text := m.err.String(); !strings.HasPrefix(text, "Stop it") || !strings.HasSuffix(text, "? Or? ") || strings.Contains(text, "\x1b") {
		t.Errorf("it says %q", text)
	}
}

// Without an answer there is the end of the input, or of the run.
func TestAskWithoutAnAnswer(t *testing.T) {
	m := newRun(t, nil)
	if line, err := m.Ask("Sure? "); line != "" || !errors.Is(err, io.EOF) {
		t.Errorf("%q, %v", line, err)
	}
	in, _ := pipe(t)
	stopped := make(chan struct{})
	close(stopped)
	m.Stdin, m.Stopped = in, stopped
	if line, err := m.Ask("Sure? "); line != "" || !errors.Is(err, errStopped) {
		t.Errorf("%q, %v", line, err)
	}
}
