package main

import (
	"encoding/pem"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli"
	"github.com/apntalk/amictl/internal/cli/top"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		serve()
		return
	}
	testscript.Main(m, map[string]func(){"amictl": main, "amictld": func() { cli.Main(top.Command) }, "crash": crash})
}

// inherited is what every process that a test starts takes from the test's own environment: where its race detector
// reports to.
func inherited() []string {
	if s, ok := os.LookupEnv("GORACE"); ok {
		return []string{"GORACE=" + s}
	}
	return nil
}

// Each script is a user's session against simulated servers: `pbx NAME` starts one, $NAME is its URL, and $SECRET a
// file with its secret.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			secret := filepath.Join(env.WorkDir, ".secret")
			env.Setenv("SECRET", secret)
			env.Setenv("HOME", env.WorkDir)
			env.Vars = append(env.Vars, inherited()...)
			env.Setenv("AMICTL_SECRET_FILE", secret)
			env.Values[serversKey{}] = make(map[string]*amitest.Server)
			return os.WriteFile(secret, []byte("secret\n"), 0o600)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"pbx": cmdPBX, "greeter": cmdGreeter, "emit": cmdEmit, "kick": cmdKick, "status": cmdStatus, "json": cmdJSON, "died": cmdDied, "chmod600": cmdChmod600, "lines": cmdLines,
			"tty": ttyCommand, "typed": typedCommand, "nodefile": cmdNodeFile, "envsubst": cmdEnvsubst, "managerconf": cmdManagerConf,
			"cluster": cmdCluster, "crlf": cmdCRLF,
		},
	})
}

// They are nil where there are no pseudo-terminals.
var ttyCommand, typedCommand func(ts *testscript.TestScript, neg bool, args []string)

type serversKey struct{}

func servers(ts *testscript.TestScript) map[string]*amitest.Server {
	return ts.Value(serversKey{}).(map[string]*amitest.Server)
}

// cmdPBX starts a server: pbx NAME [13|16|22] [tls] [readonly] [few] [busy].
func cmdPBX(ts *testscript.TestScript, _ bool, args []string) {
	opts := []amitest.Option{amitest.WithName(args[0]), amitest.WithFailDelay(10 * time.Millisecond), amitest.WithSetup(dialplan)}
	scheme := "ami"
	for _, a := range args[1:] {
		switch a {
		case "13":
			opts = append(opts, amitest.WithVersion(amitest.Version13))
		case "16":
			opts = append(opts, amitest.WithVersion(amitest.Version16))
		case "tls":
			opts = append(opts, amitest.WithTLS(nil))
			scheme = "amis"
		case "readonly":
			opts = append(opts, amitest.WithUsers(amitest.User{Name: "admin", Secret: "secret", Read: amitest.ClassAll}))
		case "busy":
			opts = append(opts, amitest.WithSetup(busy))
		case "few":
			opts = append(opts, amitest.WithUsers(amitest.User{Name: "admin", Secret: "secret", Read: amitest.ClassAll, Write: amitest.ParseClass("call")}))
		case "booting":
			opts = append(opts, amitest.WithoutBoot())
		default:
			ts.Fatalf("pbx: what is %s?", a)
		}
	}
	s := amitest.NewServer(opts...)
	ts.Defer(s.Close)
	servers(ts)[args[0]] = s
	ts.Setenv(args[0], scheme+"://admin@"+s.Addr())
	ts.Setenv(args[0]+"_ADDR", s.Addr())
	if c := s.Certificate(); c != nil {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+".pem"), text, 0o600))
		if len(c.DNSNames) > 0 {
			ts.Setenv(args[0]+"_TLS", c.DNSNames[0])
		}
	}
}

// dialplan is what every server of the scripts has.
func dialplan(s *amitest.Server) {
	for exten, outcome := range map[string]string{"100": "answer", "300": "busy", "301": "congestion", "302": "noanswer"} {
		s.State().AddExtension(amitest.Extension{Context: "default", Exten: exten, Outcome: outcome})
	}
	s.State().AddQueue(amitest.Queue{Name: "support", Strategy: "ringall", Members: []amitest.QueueMember{{Name: "Agent One", Interface: "Local/100@default"}}})
	s.State().SetCommand("blank", func(string) (string, bool) { return "  indented\n\n\nafter blanks: yes\n", true })
	s.State().SetCommand("nothing", func(string) (string, bool) { return "", true })
	s.State().SetCommand("evil", func(string) (string, bool) { return "\x1b[1;31mred\x1b[0m \x1b]0;title\x07\n", true })
}

// cmdGreeter listens, greets with a line and says nothing more: greeter NAME TEXT. No text: it closes at once; "-": it
// never says a word.
func cmdGreeter(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], "ami://admin@"+l.Addr().String())
	go func() {
		var held []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				for _, c := range held {
					_ = c.Close()
				}
				return
			}
			switch {
			case len(args) == 1:
				_ = c.Close()
			case args[1] != "-":
				_, _ = c.Write([]byte(args[1] + "\r\n"))
			}
			held = append(held, c) // what nobody holds is closed by the garbage collector
		}
	}()
}

// cmdEmit makes a server send events: emit NAME COUNT EVENT [KEY VALUE]... COUNT may be "every" for one each 20 ms.
func cmdEmit(ts *testscript.TestScript, _ bool, args []string) {
	s := servers(ts)[args[0]]
	for i := range args[2:] { // \x1b is ESC
		if text, err := strconv.Unquote(`"` + args[2+i] + `"`); err == nil {
			args[2+i] = text
		}
	}
	if args[1] == "every" {
		stop := make(chan struct{})
		ts.Defer(func() { close(stop) })
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					s.EmitEvent(args[2], args[3:]...)
				}
			}
		}()
		return
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	for range n {
		s.EmitEvent(args[2], args[3:]...)
	}
}

// cmdKick resets all connections of a server every 300 ms until the script ends: kick NAME.
func cmdKick(ts *testscript.TestScript, _ bool, args []string) {
	stop := make(chan struct{})
	ts.Defer(func() { close(stop) })
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(300 * time.Millisecond):
				servers(ts)[args[0]].Kick()
			}
		}
	}()
}

// cmdStatus runs a command and wants an exit status: status N amictl ARG... A usage error must
// be one line and a hint, on standard error.
func cmdStatus(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
	stderr := strings.TrimSuffix(ts.ReadFile("stderr"), "\n")
	if want == 2 {
		lines := strings.Split(stderr, "\n")
		if ts.ReadFile("stdout") != "" && !strings.Contains(strings.Join(args, " "), "send -") {
			ts.Fatalf("a usage error wrote to standard output")
		}
		if len(lines) != 2 || !strings.HasPrefix(lines[0], "amictl: ") || !strings.HasPrefix(lines[1], "hint: ") {
			ts.Fatalf("not one line and a hint")
		}
	}
	if strings.Contains(stderr, "hunter2") {
		ts.Fatalf("a secret is in the error")
	}
}

// cmdJSON wants a value in the last output, every line of which must be JSON: json [LINE.]PATH VALUE.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	stdout := ts.ReadFile("stdout")
	for line := range strings.Lines(stdout) {
		if !gjson.Valid(line) {
			ts.Fatalf("not JSON: %s", line)
		}
	}
	got := gjson.Get(stdout, "..#") // gjson reads JSON lines as an array behind ".."
	value := gjson.Get(stdout, ".."+args[0])
	if neg {
		if value.Exists() {
			ts.Fatalf("%s is there: %s", args[0], value.Raw)
		}
		return
	}
	if value.String() != args[1] {
		ts.Fatalf("%s is %s, want %s (of %s lines)", args[0], value.Raw, args[1], got.Raw)
	}
}

// cmdLines wants a number of lines in the last standard output: lines N.
func cmdLines(ts *testscript.TestScript, _ bool, args []string) {
	if got := strings.Count(ts.ReadFile("stdout"), "\n"); strconv.Itoa(got) != args[0] {
		ts.Fatalf("%d lines, want %s", got, args[0])
	}
}

// cmdDied runs a command, sends it a signal once it has printed a line (or closes its output for PIPE), and wants it to
// die by that signal at once: died INT|TERM|PIPE amictl ARG...
func cmdDied(ts *testscript.TestScript, _ bool, args []string) {
	c := exec.Command(args[1], args[2:]...) //nolint:gosec // the test's own
	if path, err := exec.LookPath(args[1]); err == nil {
		c.Path = path
	}
	c.Env = []string{"AMICTL_SECRET_FILE=" + ts.Getenv("SECRET"), "HOME=" + ts.Getenv("HOME"), "PATH=" + ts.Getenv("PATH")}
	c.Env = append(c.Env, inherited()...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	ts.Check(err)
	ts.Check(c.Start())
	buf := make([]byte, 1<<16)
	if _, err := out.Read(buf); err != nil {
		_ = c.Wait()
		ts.Fatalf("no output: %v: %s", err, stderr.String())
	}
	sig := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "PIPE": syscall.SIGPIPE}[args[0]]
	if sig == syscall.SIGPIPE {
		_ = out.Close()
	} else {
		ts.Check(c.Process.Signal(sig))
		go func() { // it may write until it is gone
			for {
				if _, err := out.Read(buf); err != nil {
					return
				}
			}
		}()
	}
	timer := time.AfterFunc(20*time.Second, func() { _ = c.Process.Kill() })
	defer timer.Stop()
	_ = c.Wait()
	if state := c.ProcessState.Sys().(syscall.WaitStatus); !state.Signaled() || state.Signal() != sig {
		ts.Fatalf("ended with %v, want a death by %v: %s", c.ProcessState, sig, stderr.String())
	}
	if stderr.Len() > 0 {
		ts.Fatalf("it said: %s", stderr.String())
	}
}

// cmdChmod600 makes files readable by their owner only; testscript's own chmod knows no such files in txtar.
func cmdChmod600(ts *testscript.TestScript, _ bool, args []string) {
	for _, f := range args {
		ts.Check(os.Chmod(ts.MkAbs(f), 0o600))
	}
}

// cmdNodeFile writes a file of nodes: nodefile FILE URL...
func cmdNodeFile(ts *testscript.TestScript, _ bool, args []string) {
	text := "# nodes\n\n" + strings.Join(args[1:], " # one\n") + "\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// cmdEnvsubst copies a file, its $VARIABLES replaced: envsubst FROM TO.
func cmdEnvsubst(ts *testscript.TestScript, _ bool, args []string) {
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

// cmdCRLF ends the lines of a file as the wire does: crlf FILE.
func cmdCRLF(ts *testscript.TestScript, _ bool, args []string) {
	text := strings.ReplaceAll(ts.ReadFile(args[0]), "\n", "\r\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// cmdCluster starts many servers and writes their URLs to a file: cluster FILE N.
func cmdCluster(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	c := amitest.NewCluster(n, amitest.WithSetup(dialplan))
	ts.Defer(c.Close)
	var text strings.Builder
	for _, s := range c.Servers() {
		text.WriteString("ami://admin@" + s.Addr() + "\n")
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text.String()), 0o600))
}

// cmdManagerConf writes the manager.conf of a server: managerconf FILE NAME.
func cmdManagerConf(ts *testscript.TestScript, _ bool, args []string) {
	_, port, err := net.SplitHostPort(ts.Getenv(args[1] + "_ADDR"))
	ts.Check(err)
	text := "; Asterisk's own\n[general](+)\nenabled = yes ; on\nport=" + port + "\nbindaddr = 0.0.0.0\n\n[none]\nread = all\n\n[few]\nsecret = other\nwrite = call\n\n[admin]\nsecret => secret\nread = all\nwrite = all\n"
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
