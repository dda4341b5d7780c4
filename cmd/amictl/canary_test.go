//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/canary"
	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A birdcage runs amictl with a canary for a secret and looks at everything that comes out.
type birdcage struct {
	t      *testing.T
	home   string
	secret string // file

	commands int // command lines looked at
}

func newBirdcage(t *testing.T) *birdcage {
	b := &birdcage{t: t, home: t.TempDir()}
	b.secret = filepath.Join(b.home, ".secret")
	b.write(".secret", canary.Secret+"\n")
	return b
}

func (b *birdcage) write(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.home, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		b.t.Fatal(err)
	}
	return path
}

// run runs amictl as a process and wants the canary in neither its output nor its command line. quit is sent to it once
// it has been running for a moment, 0 for none.
func (b *birdcage) run(env []string, stdin string, quit syscall.Signal, args ...string) (stdout, stderr string) {
	b.t.Helper()
	path, err := exec.LookPath("amictl")
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	c := exec.CommandContext(ctx, path, args...) //nolint:gosec // the test's own
	c.Dir, c.Env = b.home, append([]string{"HOME=" + b.home, "PATH=" + os.Getenv("PATH"), "GOTRACEBACK=all"}, append(env, inherited()...)...)
	var out, errOut bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(stdin), &out, &errOut
	if err := c.Start(); err != nil {
		b.t.Fatal(err)
	}
	done := make(chan struct{})
	cmdlines := b.watchArguments(done)
	if quit != 0 {
		time.Sleep(500 * time.Millisecond)
		_ = c.Process.Signal(quit)
	}
	_ = c.Wait()
	close(done)
	for what, text := range map[string][]byte{"standard output": out.Bytes(), "standard error": errOut.Bytes(), "/proc/PID/cmdline": <-cmdlines} {
		if how := canary.Leak(text); how != "" {
			b.t.Errorf("amictl %s: the secret is in %s, %s:\n%s", strings.Join(args, " "), what, how, text)
		}
	}
	return out.String(), errOut.String()
}

// watchArguments collects the command lines of every process that the run starts, its own and its children's, until done.
func (b *birdcage) watchArguments(done <-chan struct{}) <-chan []byte {
	all := make(chan []byte, 1)
	go func() {
		seen := make(map[string]bool)
		for {
			procs, _ := filepath.Glob("/proc/[0-9]*/environ")
			for _, proc := range procs {
				if env, _ := os.ReadFile(proc); bytes.Contains(env, []byte("HOME="+b.home+"\x00")) {
					line, _ := os.ReadFile(filepath.Join(filepath.Dir(proc), "cmdline"))
					seen[string(line)] = true
				}
			}
			select {
			case <-done:
				b.commands += len(seen)
				all <- []byte(strings.Join(slices.Collect(maps.Keys(seen)), "\n"))
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return all
}

// echoServer refuses every login with a text that holds all that was sent, as a server could that was built to.
func echoServer(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				_, _ = c.Write([]byte("Asterisk Call Manager/11.0.0\r\n"))
				buf := make([]byte, 4096)
				n, _ := c.Read(buf)
				secret := ""
				for line := range strings.Lines(string(buf[:n])) {
					if s, ok := strings.CutPrefix(line, "Secret: "); ok {
						secret = strings.TrimSpace(s)
					}
				}
				_, _ = c.Write([]byte("Response: Error\r\nMessage: Authentication failed for " + secret + " (Secret: " + secret + ")\r\n\r\n"))
				_, _ = c.Read(buf)
			}()
		}
	}()
	return "ami://admin@" + l.Addr().String()
}

func canaryServer(t *testing.T, opts ...amitest.Option) *amitest.Server {
	s := amitest.NewServer(append([]amitest.Option{
		amitest.WithUsers(amitest.User{Name: "admin", Secret: canary.Secret, Read: amitest.ClassAll, Write: amitest.ClassAll}),
		amitest.WithFailDelay(time.Millisecond), amitest.WithSetup(dialplan),
	}, opts...)...)
	t.Cleanup(s.Close)
	return s
}

// Where a run of canaryRuns has the secret from. $NAME is as in the arguments.
var (
	secretFile = []string{"AMICTL_SECRET_FILE=$secret"}
	secretEnv  = []string{"THE_SECRET=" + canary.Secret}
)

// canaryRuns are the command lines that TestCanaryShowsNowhere looks at, of each subcommand one at least. $good knows the
// secret and $tls does too, $bad knows another, $echo repeats what it got; $ca, $conf and $literal are files.
var canaryRuns = []struct {
	env   []string
	stdin string
	args  string
}{
	{secretFile, "", "send Ping -v --node $good"},
	{secretFile, "", "state -v --node $good"},
	{secretFile, "", "calls -v --live --node $good"},
	{secretFile, "", "top -v --node $good"},
	{nil, canary.Secret + "\n", "send Ping -v --secret-stdin --node $good"},
	{nil, "", "send Ping -v --secret-file .secret --node $good"},
	{secretEnv, "", "send Ping -v --node a"},
	{nil, "", "send Ping -v -C cmd"},
	{nil, "", "send Ping -v -C failing"},
	{nil, "", "send Ping -v"},
	{nil, "", "health -v --local --manager-conf $conf"},
	{nil, "", "config explain -v --local --manager-conf $conf"},
	{secretFile, "", "send QueueStatus -v -o raw --node $good"},
	{secretFile, "", "send QueueStatus -v -o jsonl --items --node $good"},
	{secretFile, "", "send QueueStatus -v -o table --node $good"},
	{secretFile, "", "send Ping -v --ca $ca --node $tls"},
	{secretFile, "", "send Ping -v --node $tls"},
	{secretFile, "{\"action\":\"Ping\"}\n{\"action\":\"Nonsense\"}\nnonsense\n", "send - -v --keep-going --node $good"},
	{secretFile, "", "command -v core show version --node $good"},
	{secretFile, "", "originate -v --channel Local/100@default --application Wait --data 1 --node $good"},
	{secretFile, "", "originate -v --channel Local/300@default --application Wait --data 1 --node $good"},
	{secretFile, "", "tail -v UserEvent --count 3 --record record.jsonl -q -o none --node $good"},
	{secretFile, "", "tail -v UserEvent --count 3 --stats --node $good"},
	{secretFile, "", "wait -v UserEvent -o none --node $good"},
	{secretFile, "", "wait -v --ready --node $good"},
	{secretFile, "", "wait -v Nothing --timeout 300ms -o none --node $good"},
	{secretFile, "", "health -v --node $good"},
	{secretEnv, "", "health -v"},
	{secretEnv, "", "health -v -o table"},
	{secretEnv, "", "context list -v"},
	{secretEnv, "", "context show -v"},
	{secretEnv, "", "context use -v lab"},
	{secretEnv, "", "config explain -v"},
	{nil, "", "--config $literal config explain -v"},
	{nil, "", "--config $literal context show -v"},
	{secretFile, "", "actions -v"},
	{secretFile, "", "events -v"},
	{secretFile, "", "version -v"},
	{secretFile, "", "schema -v event"},
	{secretFile, "", "completion -v bash"},
	{secretFile, "", "actions -v --live --node $good"},
	{secretFile, "", "context add -v new --use --node $good"},
	{nil, "", "context check -v new"},
	{secretEnv, "", "context check -v lab"},
	{secretFile, "", "context add -v wrong --node $bad"},
	{secretFile, "number\n100\n300\n", "dial - -v --channel Local/{number}@default --application Wait --data 0.1 --out dialed.csv --node $good"},
	{secretFile, "number\n100\n", "dial - -v --channel Local/{number}@default --application Wait --node $bad"},
	{[]string{"VISUAL=true", "EDITOR=true"}, "", "context edit -v"},
	{nil, "", "context rename -v new newer"},
	{nil, "", "context remove -v newer"},
	{secretFile, "", "drain -v --timeout 2s --node $good"},
	{secretFile, "", "drain -v --node $bad"},
	{secretFile, "", "check -v --junit junit.xml profile.toml --node $good"},
	{secretFile, "", "check -v --node $bad"},
	{secretFile, "", "check -v --node $echo"},
	{secretFile, "", "tail -v --from record.jsonl"},
	{secretFile, "", "health -v --watch --rounds 2 --every 100ms --node $good"},
	{secretFile, "", "health -v -o prometheus --out health.prom --node $good"},
	{secretFile, "", "bench -v --actions 50 --mix ping=1,corestatus=1 --out result.json --html result.html --node $good"},
	{secretFile, "", "bench -v --workload calls --rate 5 --max-calls 2 --actions 3 --out calls.json --node $good"},
	{secretFile, "", "bench -v --actions 10 --node $bad"},
	{secretFile, "", "bench -v --sim 1 --actions 20"},
	{secretFile, "", "bench report -v result.json --markdown"},
	{secretFile, "", "bench compare -v result.json result.json"},
	{secretFile, "stop\n", "sim -v --secret-from file:.secret --nodes 1 --until-eof"},
	{secretFile, "", "sim -v --secret-from file:.secret --nodes 1 -- amictl send Ping --trace --node pbx1"},
	{secretFile, "", "sim check -v scenario.toml"},
	// The wrong secret, a server that repeats it, one that is not there, one that is none.
	{secretFile, "", "send Ping -v --node $bad"},
	{secretFile, "", "health -v --node $bad"},
	{secretFile, "", "tail -v --connect-timeout 2s --node $bad"},
	{secretFile, "", "wait -v --ready --timeout 500ms --node $bad"},
	{secretFile, "", "send Ping -v --node $echo"},
	{secretFile, "", "health -v --node $echo"},
	{secretFile, "", "health -v -o table --node $echo"},
	{secretFile, "", "tail -v --connect-timeout 2s --node $echo"},
	{secretFile, "{\"action\":\"Ping\"}\n", "send - -v --node $echo"},
	{secretFile, "", "command -v core show version --node $echo"},
	{secretFile, "", "wait -v --ready --timeout 500ms --node $echo"},
	{secretFile, "", "originate -v --channel Local/1@x --application Wait --node $echo"},
	{secretFile, "", "send Ping -v --node ami://admin@127.0.0.1:1"},
	{secretFile, "", "send Ping -v --node $good --node $bad --all"},
	{secretFile, "", "send Login -v Username=admin --node $good"},
}

// The secret goes through every path of the command line at its most talkative, and shows nowhere: not in any output,
// error, panic, record, file or command line, with the right secret, a wrong one, and servers that repeat what they got.
func TestCanaryShowsNowhere(t *testing.T) {
	b := newBirdcage(t)
	s := canaryServer(t)
	tlsServer := canaryServer(t, amitest.WithTLS(nil))
	other := amitest.NewServer(amitest.WithFailDelay(time.Millisecond)) // knows another secret
	t.Cleanup(other.Close)
	repeatSecret(t, s)
	b.contexts(s.Addr(), other.Addr())
	b.write("profile.toml", "classes = [\"call\"]\n[[command]]\nrun = \"core show version\"\nexpect = \"Asterisk\"\n")
	b.write("scenario.toml", "about = \"x\"\n[[server]]\nname = \"pbx1\"\n[[node]]\non = \"*\"\nexpect = { sessions = 1 }\n")
	names := map[string]string{
		"good": "ami://admin@" + s.Addr(), "bad": "ami://admin@" + other.Addr(), "echo": echoServer(t), "tls": "amis://admin@" + tlsServer.Addr(),
		"secret":  b.secret,
		"ca":      b.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tlsServer.Certificate().Raw}))),
		"literal": b.write("literal.toml", "[contexts.x]\nsecret = '''"+canary.Secret+"'''\n"),
		"conf":    b.write("manager.conf", "[general]\nenabled=yes\nport="+s.Addr()[strings.LastIndex(s.Addr(), ":")+1:]+"\n[admin]\nsecret="+canary.Secret+"\nread=all\nwrite=all\n"),
	}
	named := func(text string) string { return os.Expand(text, func(name string) string { return names[name] }) }
	var ran []string
	for _, tt := range canaryRuns {
		if quick := testing.Short() && strings.Contains(tt.args, " -o table"); quick {
			continue
		}
		var env []string
		for _, v := range tt.env {
			env = append(env, named(v))
		}
		b.run(env, tt.stdin, 0, strings.Fields(named(strings.Replace(tt.args, " -v", " -v --trace", 1)))...)
		ran = append(ran, tt.args)
	}
	for _, name := range leaves() { // a subcommand that is new must be looked at too
		if !slices.ContainsFunc(ran, func(args string) bool { return strings.HasPrefix(args+" ", name+" ") }) {
			t.Errorf("amictl %s is never run with the secret", name)
		}
	}
	if b.commands < len(ran)/3 { // many are over before they are looked at
		t.Errorf("only %d command lines were looked at in %d runs", b.commands, len(ran))
	}
	// A secret where none belongs is refused without repeating it.
	b.runRefused("send", "Ping", "--node", "ami://admin:"+url.QueryEscape(canary.Secret)+"@"+s.Addr())
	// A dump of all goroutines in the middle of the work.
	if _, dump := b.run([]string{named(secretFile[0])}, "", syscall.SIGQUIT, "tail", "-v", "Nothing", "--node", names["good"]); !strings.Contains(dump, "goroutine ") {
		t.Errorf("no dump came of SIGQUIT: %s", dump)
	}
	b.files(names["literal"], names["conf"])
}

// repeatSecret has a server send events that hold the secret, until the test ends.
func repeatSecret(t *testing.T, s *amitest.Server) {
	t.Helper()
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				s.EmitEvent("UserEvent", "UserEvent", "x", "Secret", canary.Secret, "Variable", "PASSWORD="+canary.Secret)
			}
		}
	}()
}

// contexts writes a configuration whose contexts have the secret from everywhere it may come from, for a server that knows
// it and for one that knows another.
func (b *birdcage) contexts(good, other string) {
	b.t.Helper()
	b.write(".config/amictl/config.toml", `context = "lab"
[contexts.lab]
user = "admin"
secret = "env:THE_SECRET"
[contexts.lab.nodes.a]
url = "ami://`+good+`"
[contexts.lab.nodes.b]
url = "ami://`+other+`"
[contexts.cmd]
user = "admin"
secret = "cmd:cat ~/.secret"
[contexts.cmd.nodes.c]
url = "ami://`+good+`"
[contexts.failing]
user = "admin"
secret = "cmd:cat ~/.secret; exit 3"
[contexts.failing.nodes.d]
url = "ami://`+good+`"
`)
}

// runRefused runs amictl with the secret on its command line, which must not be repeated.
func (b *birdcage) runRefused(args ...string) {
	b.t.Helper()
	c := exec.CommandContext(b.t.Context(), "amictl", args...)
	c.Env = []string{"HOME=" + b.home, "PATH=" + os.Getenv("PATH")}
	out, err := c.CombinedOutput()
	if how := canary.Leak(out); err == nil || how != "" {
		b.t.Errorf("a secret in a URL: %v, and it is repeated %s:\n%s", err, how, out)
	}
}

// files looks for the canary in every file that the runs left, but those that it was put into.
func (b *birdcage) files(but ...string) {
	but = append(but, b.secret)
	seen := 0
	_ = filepath.WalkDir(b.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		for _, own := range but {
			if path == own {
				return nil
			}
		}
		text, err := os.ReadFile(path)
		if how := canary.Leak(text); err != nil || how != "" {
			b.t.Errorf("%s: %v, it holds the secret %s:\n%s", path, err, how, text)
		}
		seen++
		return nil
	})
	if record, err := os.ReadFile(filepath.Join(b.home, "record.jsonl")); err != nil || bytes.Count(record, []byte("\n")) < 3 {
		b.t.Errorf("the record is not there or has not its events: %v", err)
	}
	for _, report := range []string{"result.json", "result.html", "calls.json", "junit.xml", "health.prom"} {
		if info, err := os.Stat(filepath.Join(b.home, report)); err != nil || info.Size() == 0 {
			b.t.Errorf("%s is not there or empty: %v", report, err)
		}
	}
	if seen < 8 {
		b.t.Errorf("only %d files were looked at", seen)
	}
}

// A panic with a secret in its value, at the bottom of a run.
func TestCanaryNotInAPanic(t *testing.T) {
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	var stderr bytes.Buffer
	r := run.New([]string{"send", "Ping", "--node", "ami://admin@127.0.0.1:1"}, strings.NewReader(""), out, &stderr, func(string) (string, bool) {
		panic(ami.NewSecret(canary.Secret))
	})
	if status := cli.Execute(t.Context(), r); status != fail.ExitBug {
		t.Errorf("exit status %d, want %d", status, fail.ExitBug)
	}
	if how := canary.Leak(stderr.Bytes()); how != "" || !strings.Contains(stderr.String(), "amictl: a bug: ") {
		t.Errorf("the panic shows it %s:\n%s", how, stderr.String())
	}
}
