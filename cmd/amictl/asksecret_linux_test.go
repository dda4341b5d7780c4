package main

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/pty"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// asking is the command of a secret that asks for it as gpg's pinentry and pass do: on the terminal, without echo.
const asking = `sh -c 'stty -echo </dev/tty; printf "Passphrase: " >/dev/tty; read -r x </dev/tty; stty echo </dev/tty; echo "$x"'`

// atTerminal runs amictl as a shell would in a terminal's foreground. Each time that it asks, the next answer is typed.
func (p *process) atTerminal(answers []string, args ...string) (c *running, shown string, echo bool) {
	p.t.Helper()
	person, tty := pty.New(p.t, 80)
	c = p.prepare(strings.Join(args, " "))
	c.Env = []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "EDITOR=" + os.Getenv("EDITOR")}
	c.Stdin, c.Stdout, c.Stderr = tty, tty, tty
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	_ = person.SetReadDeadline(time.Now().Add(25 * time.Second))
	done := make(chan string)
	go func() {
		var said bytes.Buffer
		seen := 0
		for buf := make([]byte, 256); ; {
			n, err := person.Read(buf)
			said.Write(buf[:n])
			if asked := strings.Count(said.String(), "Passphrase: "); asked > seen && len(answers) > 0 {
				seen = asked
				_, _ = person.WriteString(answers[0])
				answers = answers[1:]
			}
			if err != nil {
				done <- said.String()
				return
			}
		}
	}()
	_ = c.Wait()
	mode, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	echo = err == nil && mode.Lflag&unix.ECHO != 0
	_ = tty.Close()
	_ = person.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	return c, <-done, echo
}

// A secret's command may ask on the terminal, also when those of several nodes want to; and whatever becomes of it, the
// terminal is as it was.
func TestSecretCommandsAskOnTheTerminal(t *testing.T) {
	p := newProcess(t)
	other := amitest.NewServer()
	t.Cleanup(other.Close)
	config := "context = \"x\"\n[contexts.x]\nuser = \"admin\"\nsecret = '''cmd:" + asking + "'''\n"
	for name, srv := range map[string]*amitest.Server{"a": p.server, "b": other} {
		config += "[contexts.x.nodes." + name + "]\nurl = \"ami://" + srv.Addr() + "\"\n"
	}
	p.file(".config/amictl/config.toml", config)
	for name, tt := range map[string]struct {
		args    string
		answers []string
		status  int
		signal  syscall.Signal
	}{
		"one":        {"send Ping -n a", []string{"secret\n"}, fail.ExitOK, 0},
		"several":    {"send Ping --all", []string{"secret\n", "secret\n"}, fail.ExitOK, 0},
		"wrong":      {"send Ping -n a", []string{"wrong\n"}, fail.ExitLogin, 0},
		"supervised": {"tail -n a --for 200ms", []string{"secret\n"}, fail.ExitOK, 0},
		"control-c":  {"send Ping -n a", []string{"\x03"}, 0, syscall.SIGINT},
		"no answer":  {"send Ping -n a --connect-timeout 700ms", nil, fail.ExitUsage, 0},
	} {
		c, shown, echo := p.atTerminal(tt.answers, strings.Fields("amictl " + tt.args)[1:]...)
		state := c.ProcessState.Sys().(syscall.WaitStatus)
		if tt.signal == 0 && state.ExitStatus() != tt.status || tt.signal != 0 && (!state.Signaled() || state.Signal() != tt.signal) {
			t.Errorf("%s: it ended with %v: %s", name, c.ProcessState, shown)
		}
		if !echo {
			t.Errorf("%s: the terminal is left without echo", name)
		}
		if strings.Contains(shown, "secret\r") {
			t.Errorf("%s: what was typed is shown: %q", name, shown)
		}
		noChildren(t, name, c.Process.Pid)
	}
}

// A ^C in an editor is the editor's: what is typed afterwards is stored.
func TestInterruptInAnEditor(t *testing.T) {
	p := newProcess(t)
	t.Setenv("EDITOR", "sh "+p.file("editor", `trap : INT; printf 'Passphrase: '; sleep 1; sleep 1; echo '# more' >>"$1"`))
	config := p.file(".config/amictl/config.toml", "# all\n")
	c, shown, _ := p.atTerminal([]string{"\x03"}, "context", "edit")
	if text, err := os.ReadFile(config); err != nil || string(text) != "# all\n# more\n" || c.ProcessState.ExitCode() != fail.ExitOK {
		t.Errorf("it ended with %v, and left %q (%v): %s", c.ProcessState, text, err, shown)
	}
}

// A secret that no line of AMI can carry is refused, wherever it comes from, and nobody is told to try again.
func TestSecretsThatCannotBeSent(t *testing.T) {
	p := newProcess(t)
	long := strings.Repeat("x", 1015)
	url := "ami://admin@" + p.server.Addr()
	for name, tt := range map[string]struct{ config, secret string }{
		"NUL in a file":       {"file:~/s", "se\x00cret\n"},
		"long file":           {"file:~/s", long + "\n"},
		"long output":         {"cmd:cat s", long + "\n"},
		"long variable":       {"env:LONG", ""},
		"lines in a variable": {"env:LINES", ""},
		"space":               {"file:~/s", " secret\n"},
	} {
		p.file("s", tt.secret)
		p.file(".config/amictl/config.toml", "[contexts.x.nodes.a]\nurl = \""+url+"\"\nsecret = \""+tt.config+"\"\n")
		for _, args := range []string{"send Ping", "tail --count 1", "health", "check", "context check"} {
			c := p.prepare("-C x " + args)
			c.Env = []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "LONG=" + long, "LINES=secret\nAction: Ping"}
			_ = c.Run()
			if status := c.ProcessState.ExitCode(); status != fail.ExitUsage || strings.Contains(c.stderr.String(), "safe to") || !strings.Contains(c.stderr.String(), "secret") {
				t.Errorf("%s, amictl %s: %v, %s", name, args, c.ProcessState, c.stderr.String())
			}
			if strings.Contains(c.stderr.String(), "xxxx") {
				t.Errorf("%s, amictl %s: it shows the secret: %s", name, args, c.stderr.String())
			}
		}
	}
	p.file("s", long[:1014]+"\n") // the longest
	p.file(".config/amictl/config.toml", "[contexts.x.nodes.a]\nurl = \""+url+"\"\nsecret = \"file:~/s\"\n")
	c := p.prepare("-C x send Ping")
	c.Env = []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH")}
	_ = c.Run()
	if status := c.ProcessState.ExitCode(); status != fail.ExitLogin {
		t.Errorf("one that fits: %v, %s", c.ProcessState, c.stderr.String())
	}
	for _, user := range []string{"a%00b", "a%0d%0aAction:%20Ping", strings.Repeat("u", 1020)} {
		c := p.prepare("send Ping --node ami://" + user + "@" + p.server.Addr())
		_ = c.Run()
		if status := c.ProcessState.ExitCode(); status != fail.ExitUsage {
			t.Errorf("the user %.20q: %v, %s", user, c.ProcessState, c.stderr.String())
		}
	}
}
