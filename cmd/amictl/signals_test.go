//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	urfave "github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/run"
)

// caught is one way to catch a subcommand in the middle of its work.
type caught struct {
	command string // the subcommand's whole name, for the list of all
	args    string // behind it
	at      string // the slow action that must have arrived; "output"; "login"; "second"; "connect"; "open", of the pipe that it reads
}

// midWork catches every subcommand that waits for a server, a file or a clock.
func (p *process) midWork(record string) []caught {
	profile := p.file("profile.toml", "[[command]]\nrun = \"core show uptime\"\nexpect = \"up\"\n")
	hour := p.file("hour.toml", "about = \"an hour\"\nfor = \"1h\"\n[[server]]\nname = \"pbx1\"\n[[node]]\non = \"*\"\nexpect = { sessions = 1 }\n")
	numbers := p.file("numbers.csv", "number\n100\n")
	other := "--node ami://admin@" + p.mute()
	mute := "--connect-timeout 1m --node ami://admin@" + p.mute()
	p.file(".config/amictl/config.toml", "[contexts.mute]\nuser = \"admin\"\n[contexts.mute.nodes.a]\nurl = \"ami://"+strings.Split(mute, "@")[1]+"\"\n")
	p.env = append(p.env, "EDITOR=sh "+p.file("editor", "exec sleep 100"))
	fifo := filepath.Join(p.home, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return []caught{
		{"send", "Slow", "Slow"},
		{"send", "-", "Slow"},
		{"send", "Slow Text@=" + fifo, "open"},
		{"command", "core show version", "Command"},
		{"originate", "--channel Local/1@x --application Wait", "Originate"},
		{"tail", "", "output"},
		{"tail", "--append --record " + record, "output"},
		{"tail", "--spool 10M", "output"},
		{"tail", "--stats", "login"},
		{"tail", "UserEvent -- Slow", "Slow"},
		{"tail", "--from " + fifo, "open"},
		{"wait", "Nothing", "login"},
		{"wait", "Nothing -- Slow", "Slow"},
		{"health", "", "CoreStatus"},
		{"health", "--watch " + mute, "connect"},
		{"state", mute, "connect"},
		{"state", "--follow", "output"},
		{"state", "queues --stats", "login"},
		{"calls", "", "login"},
		{"calls", mute, "connect"},
		{"calls", "--from " + fifo, "open"},
		{"calls", "--timeline 1 --from " + fifo, "open"},
		{"dial", numbers + " --channel Local/{number}@x --application Wait " + mute, "connect"},
		{"dial", fifo + " --channel Local/{number}@x --application Wait", "open"},
		{"drain", "--run x", "CoreStatus"},
		{"check", profile, "CoreStatus"},
		{"check", fifo, "open"},
		{"sim", "--nodes 2", "output"},
		{"sim", "--nodes 2 -- sleep 1h", "second"},
		{"sim", "check " + hour, "second"},
		{"bench", "-q --sim 2 --duration 1h", "second"},
		{"bench", "-q --sim 2 --duration 1h --rate 100", "second"},
		{"bench", "report " + fifo, "open"},
		{"bench", "compare " + fifo + " " + fifo, "open"},
		{"context check", "mute --connect-timeout 1m", "connect"},
		{"context add", "new " + mute, "connect"},
		{"context edit", "", "second"},
		{"actions", "--live " + mute, "connect"},
		{"send", "Ping --all -o jsonl " + mute + " " + other, "connect"},
		{"command", "--all core show version " + mute + " " + other, "connect"},
		{"originate", "--all --channel Local/1@x --application Wait " + mute + " " + other, "connect"},
		{"tail", mute + " " + other, "connect"},
		{"wait", "--ready " + mute, "connect"},
		{"health", mute + " " + other, "connect"},
		{"check", mute + " " + other, "connect"},
	}
}

// endings are the signals that end a run.
var endings = []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// INT, TERM and HUP in the middle of each subcommand's work: it dies by that signal at once, says nothing, and its
// connections are closed. HUP has a record opened anew instead, see TestHangupReopensTheRecord.
func TestSignalsMidWork(t *testing.T) {
	unignored(t)
	p := newProcess(t)
	p.emit()
	record := filepath.Join(p.home, "record.jsonl")
	for i, tt := range p.midWork(record) {
		for j, sig := range endings {
			if testing.Short() && j != i%len(endings) {
				continue // one of them is enough for a quick look
			}
			if sig == syscall.SIGHUP && strings.Contains(tt.args, "--record") {
				continue
			}
			what := fmt.Sprintf("amictl %s %s, %v", tt.command, tt.args, sig)
			c := p.start(tt.command + " " + tt.args)
			p.await(what, tt.at, c)
			go func() { _, _ = io.Copy(io.Discard, c.out) }()
			c.diesBy(t, what, sig)
			p.gone(what)
		}
	}
	wholeLines(t, record)
}

// full catches every subcommand in the middle of a write: nobody reads what it prints.
var full = []caught{
	{"send", "ListCommands", ""},
	{"command", "core show version", ""},
	{"originate", "--async --channel Local/100@default --application Wait", ""},
	{"tail", "", ""},
	{"tail", "-o raw", ""},
	{"wait", "UserEvent", ""},
	{"health", "", ""},
	{"dial", "numbers.csv --channel Local/{number}@default --application Wait --data 0.1 --rate 1000 --concurrency 100", ""},
	{"drain", "", ""},
	{"check", "", ""},
	{"sim", "--nodes 1", ""},
	{"bench", "-q --sim 1 --actions 20", ""},
	{"bench", "report result.json", ""},
	{"bench", "compare result.json result.json", ""},
	{"context list", "", ""},
	{"context show", "lab", ""},
	{"context check", "lab", ""},
	{"config explain", "", ""},
	{"actions", "", ""},
	{"actions", "Originate", ""},
	{"events", "", ""},
	{"schema", "event", ""},
	{"completion", "bash", ""},
	{"version", "", ""},
	{"help", "tail", ""},
}

// INT, TERM and HUP while standard output takes nothing more.
func TestSignalsWhereNobodyReads(t *testing.T) {
	unignored(t)
	p := newProcess(t, "Slow")
	p.emit()
	p.lab()
	var all sync.WaitGroup
	for i, tt := range full {
		sig := endings[i%len(endings)]
		what := fmt.Sprintf("amictl %s %s with a full pipe, %v", tt.command, tt.args, sig)
		c := p.startFull(tt.command + " " + tt.args)
		all.Go(func() {
			if !c.writes() {
				t.Errorf("%s: it has nothing to write: %s", what, c.stderr.String())
			}
			c.diesBy(t, what, sig)
		})
	}
	all.Wait()
	p.gone("all of them")
}

// Whoever was to read standard output is gone before the first byte: death by SIGPIPE, silently.
func TestStdoutClosedFromTheStart(t *testing.T) {
	p := newProcess(t, "Slow")
	p.emit()
	p.lab()
	for _, tt := range full {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		c := p.prepare(tt.command + " " + tt.args)
		c.Stdout = w
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		c.diesBy(t, fmt.Sprintf("amictl %s %s, nobody to read it", tt.command, tt.args), syscall.SIGPIPE)
	}
	p.gone("all of them")
}

// lab writes what the table full names: a list, a context, and a result of bench.
func (p *process) lab() {
	p.t.Helper()
	p.file("numbers.csv", "number\n100\n300\n")
	p.file(".config/amictl/config.toml", "[contexts.lab]\nuser = \"admin\"\nsecret = \"file:~/secret\"\n[contexts.lab.nodes.a]\nurl = \"ami://"+p.server.Addr()+"\"\n")
	if out, err := p.command("amictl", "bench", "-q", "--sim", "1", "--actions", "20", "--out", "result.json").CombinedOutput(); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
}

// neverLong are the subcommands that wait for nothing: they read and write a file, and print nothing on standard output. A top
// waits for a terminal alone, see TestTopLeavesTheTerminal.
var neverLong = map[string]bool{"context use": true, "context remove": true, "context rename": true, "top": true}

// A subcommand that is new must be caught in the middle of its work too.
func TestSignalsReachEverySubcommand(t *testing.T) {
	done := make(map[string]bool)
	for _, tt := range append(newProcess(t).midWork("record"), full...) {
		done[tt.command] = true
	}
	for _, name := range leaves() {
		if !done[name] && !neverLong[name] {
			t.Errorf("amictl %s is never stopped by a signal in the middle of its work", name)
		}
	}
}

// leaves are the names of all subcommands that do something.
func leaves() (names []string) {
	r := run.New(nil, strings.NewReader(""), nil, &strings.Builder{}, func(string) (string, bool) { return "", false })
	_ = cli.Commands(r).Walk(func(c *urfave.Command) error {
		if name, ok := strings.CutPrefix(c.UsageText, "amictl "); ok && len(c.Commands) == 0 && !c.Hidden {
			names = append(names, name)
		}
		return nil
	})
	return names
}

// A running amictl, the leader of a process group of its own.
type running struct {
	*exec.Cmd
	out    io.Reader
	stderr bytes.Buffer
}

func (p *process) prepare(args string) *running {
	c := &running{Cmd: p.command(append([]string{"amictl"}, strings.Fields(args)...)...)}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Stderr = &c.stderr
	return c
}

// start starts amictl with a slow action on its standard input, which stays open.
func (p *process) start(args string) *running {
	p.t.Helper()
	c := p.prepare(args)
	out, err := c.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	in, err := c.StdinPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	c.out = out
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	_, _ = io.WriteString(in, `{"action":"Slow"}`+"\n")
	return c
}

// startFull starts amictl with a pipe for its standard output that takes not a byte.
func (p *process) startFull(args string) *running {
	p.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = r.Close() })
	defer func() { _ = w.Close() }()
	_ = w.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	for err == nil {
		_, err = w.Write(make([]byte, 4096))
	}
	c := p.prepare(args)
	c.Stdout = w
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	return c
}

// writes waits until a thread of the process is stuck in a write to a pipe.
func (c *running) writes() bool { return c.waitsIn("pipe_write") }

// waitsIn waits until a thread of the process waits in a function of the kernel with that in its name. A kernel that
// names none is given a second.
func (c *running) waitsIn(function string) bool {
	named := false
	for i := range 1000 {
		tasks, _ := filepath.Glob("/proc/" + strconv.Itoa(c.Process.Pid) + "/task/*/wchan")
		for _, task := range tasks {
			where, _ := os.ReadFile(task)
			if strings.Contains(string(where), function) {
				return true
			}
			named = named || len(where) > 1
		}
		if !named && i > 100 {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

// diesBy sends a signal and wants the process to die by it (one that does not is killed after a minute), to say nothing, and to leave nothing.
func (c *running) diesBy(t *testing.T, what string, sig syscall.Signal) {
	t.Helper()
	stuck := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
	defer stuck.Stop()
	if sig != syscall.SIGPIPE {
		_ = c.Process.Signal(sig)
	}
	_ = c.Wait()
	if state := c.ProcessState.Sys().(syscall.WaitStatus); !state.Signaled() || state.Signal() != sig {
		t.Errorf("%s: it ended with %v", what, c.ProcessState)
	}
	if c.stderr.Len() > 0 {
		t.Errorf("%s: it said %s", what, c.stderr.String())
	}
	noChildren(t, what, c.Process.Pid)
}

// noChildren wants a process group to be empty soon.
func noChildren(t *testing.T, what string, group int) {
	t.Helper()
	for range 500 {
		if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s: a process that it started still runs", what)
	_ = syscall.Kill(-group, syscall.SIGKILL)
}

// file writes a file into the home of the process and returns its path.
func (p *process) file(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// mute listens and says nothing to whoever comes; that somebody came is told as "connect".
func (p *process) mute() string {
	p.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.arrived <- "connect"
			go func() { _, _ = io.Copy(io.Discard, c); _ = c.Close() }()
		}
	}()
	return l.Addr().String()
}

// await waits until the process is at its work.
func (p *process) await(what, at string, c *running) {
	p.t.Helper()
	switch at {
	case "output":
		if _, err := c.out.Read(make([]byte, 1<<16)); err != nil {
			p.t.Fatalf("%s: no output: %v", what, err)
		}
	case "second":
		time.Sleep(time.Second)
	case "open":
		if !c.waitsIn("wait_for_partner") {
			p.t.Errorf("%s: it does not open its file: %s", what, c.stderr.String())
		}
	case "login":
		for range 1000 {
			if p.server.Ledger().Sessions > 0 {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond) // it has subscribed too, or will be killed while it does: both must work
	default:
		select {
		case got := <-p.arrived:
			if got != at {
				p.t.Fatalf("%s: %s arrived, want %s", what, got, at)
			}
		case <-time.After(10 * time.Second):
			p.t.Fatalf("%s: %s did not arrive: %s", what, at, c.stderr.String())
		}
	}
}
