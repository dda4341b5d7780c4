package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/pty"
)

// shells are those that completion is tried in: how each is started without its user's files, and what it runs first. What
// is typed as amictl's line is shown instead of run, but for what the completion itself asks.
var shells = []struct {
	name  string
	args  []string
	setup string
}{
	{"bash", []string{"--norc", "--noprofile", "-i"}, `source <(amictl completion bash)
amictl() { if [ "$1" = completion ]; then command amictl "$@"; else printf '\nline:'; printf '<%s>' "$@"; printf ':end\n'; fi; }
amictld() { amictl "$@"; }
`},
	{"zsh", []string{"-f", "-i"}, `autoload -Uz compinit && compinit -u -D
source <(amictl completion zsh)
amictl() { if [ "$1" = completion ]; then command amictl "$@"; else printf '\nline:'; printf '<%s>' "$@"; printf ':end\n'; fi; }
amictld() { amictl "$@"; }
`},
	{"fish", []string{"--no-config", "-i"}, `function fish_prompt; echo '> '; end
amictl completion fish | source
function amictl; if test "$argv[1]" = completion; command amictl $argv; else; printf '\nline:'; printf '<%s>' $argv; printf ':end\n'; end; end
function amictld; amictl $argv; end
`},
}

// completions are lines as they are typed, \t being TAB, and what they come to.
var completions = []struct{ typed, want string }{
	{"amictl sen\t", "<send>"},
	{"amictld sen\t", "<send>"},
	{"amictl cont\tus\tpro\t", "<context><use><prod>"},
	{"amictl send CoreSta\t", "<send><CoreStatus>"},
	{"amictl send corestat\t", "<send><CoreStatus>"},
	{"amictl send QueuePause Interf\tPJSIP/100 Paus\ttrue", "<send><QueuePause><Interface=PJSIP/100><Paused=true>"},
	{"amictl originate Acc\t7", "<originate><Account=7>"},
	{"amictl tail QueueMemberPau\t", "<tail><QueueMemberPause>"},
	{"amictl tail --where Cause=16 Hangupr\t", "<tail><--where><Cause=16><HangupRequest>"},
	{"amictl wait -- QueuePa\tQue\tsales", "<wait><--><QueuePause><Queue=sales>"},
	{"amictl health --conn\t2s", "<health><--connect-timeout><2s>"},
	{"amictl health --output=prom\t", "<health><--output=prometheus>"},
	{"amictl health -o nag\t", "<health><-o><nagios>"},
	{"amictl health -n ber\t", "<health><-n><berlin>"},
	{"amictl health -n two\t", "<health><-n><two words>"},
	{"amictl -C prod health --node par\t", "<-C><prod><health><--node><paris>"},
	{"amictl health -l site\t", "<health><-l><site=fra>"},
	{"amictl check smo\t", "<check><smoke.toml>"},
	{"amictl send DBPut Val@=smo\t", "<send><DBPut><Val@=smoke.toml>"},
	{"amictl schema bench-i\t", "<schema><bench-interval>"},
	{"amictl actions Originat\t", "<actions><Originate>"},
	{"amictl events FullyB\t", "<events><FullyBooted>"},
}

const completionConfig = `context = "lab"
[contexts.lab.nodes.berlin]
url = "ami://admin@127.0.0.1"
labels = { site = "fra" }
[contexts.lab.nodes."two words"]
url = "ami://admin@127.0.0.1"
[contexts.prod.nodes.paris]
url = "ami://admin@127.0.0.1"
`

// Completion does in real shells, at real terminals, what it says.
func TestCompletionInShells(t *testing.T) {
	for _, shell := range shells {
		t.Run(shell.name, func(t *testing.T) {
			t.Parallel()
			s := startShell(t, needs(t, shell.name), shell.args)
			s.write(strings.ReplaceAll(shell.setup, "\n", "\r"))
			s.write("amictl ready\r")
			s.until("line:<ready>:end")
			for _, c := range completions {
				s.write(c.typed + "\r")
				s.until("\nline:")
				got, _, _ := strings.Cut(s.until(":end"), ":end")
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%q (-want +got):\n%s", c.typed, diff)
				}
			}
			s.write("exit\r")
		})
	}
}

// stuckAfter is when a shell that shows nothing is ended, so that the test can say what it showed before.
const stuckAfter = 60 * time.Second

// A shellSession is a shell at a terminal.
type shellSession struct {
	t      *testing.T
	master *os.File
	shell  *os.Process
	seen   []byte // what was shown and not yet looked at
}

func startShell(t *testing.T, path string, args []string) *shellSession {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{".config/amictl/config.toml": completionConfig, "smoke.toml": "tls_days = 14\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	master, slave, err := pty.Open(200)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), path, args...)
	c.Dir, c.Stdin, c.Stdout, c.Stderr = dir, slave, slave, slave
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	c.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AMICTL_") || strings.HasPrefix(v, "XDG_") }),
		"HOME="+dir, "TERM=xterm", "INPUTRC=/dev/null")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = slave.Close()
	t.Cleanup(func() {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		_ = c.Wait()
		_ = master.Close()
	})
	return &shellSession{t: t, master: master, shell: c.Process}
}

func (s *shellSession) write(keys string) {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// until reads what the shell shows up to a text, which it returns with what is before it.
func (s *shellSession) until(text string) string {
	s.t.Helper()
	stuck := time.AfterFunc(stuckAfter, func() { _ = syscall.Kill(-s.shell.Pid, syscall.SIGKILL) })
	defer stuck.Stop()
	b := make([]byte, 4096)
	for {
		if i := bytes.Index(s.seen, []byte(text)); i >= 0 {
			shown := string(s.seen[:i+len(text)])
			s.seen = s.seen[i+len(text):]
			return shown
		}
		n, err := s.master.Read(b)
		if err != nil {
			s.t.Fatalf("%q did not come: %v: %q", text, err, s.seen)
		}
		s.seen = append(s.seen, b[:n]...)
	}
}
