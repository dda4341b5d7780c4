package runtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/config"
	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// Context is the name of the context that a run's servers are in.
const Context = "test"

// A Setup says how a run comes about. The zero Setup is `amictl` without flags on a host without a configuration.
type Setup struct {
	Servers []*amitest.Server // the nodes of the current context, each under its own name
	Config  string            // lines of that context, such as `protect = true`
	Env     map[string]string // beside HOME, a folder that is empty
	Flags   run.Globals       // as they were given
	Stdin   string
	Rest    []string // behind `--`; nil: there is none
}

// A Run is a run with streams in memory.
type Run struct {
	*run.Run
	Out, Err *Buffer // what went to standard output, and to standard error
}

// New returns a run whose settings are resolved, as a subcommand finds it.
func New(t testing.TB, s Setup) *Run {
	t.Helper()
	home := t.TempDir()
	env := func(name string) (string, bool) {
		if value, ok := s.Env[name]; ok || name != "HOME" {
			return value, ok
		}
		return home, true
	}
	var args []string
	if s.Rest != nil {
		args = append([]string{"--"}, s.Rest...)
	}
	r := &Run{Out: &Buffer{}, Err: &Buffer{}}
	r.Run = run.New(args, strings.NewReader(s.Stdin), r.Out, r.Err, env)
	r.Flags = s.Flags
	path, _ := r.ConfigPath()
	if len(s.Servers) > 0 || s.Config != "" {
		writeConfig(t, path, &s)
	}
	var err error
	if r.Settings, err = r.ResolveSettings(run.ConfigMayBeNew); err != nil {
		t.Fatal(err)
	}
	return r
}

// writeConfig writes a configuration with the servers, and the file with their secret beside it.
func writeConfig(t testing.TB, path string, s *Setup) {
	t.Helper()
	secret := filepath.Join(filepath.Dir(path), "secret")
	var b strings.Builder
	fmt.Fprintf(&b, "context = %q\n[contexts.%s]\nuser = %q\nsecret = %s\n%s\n", Context, Context, amitest.DefaultUser, config.TOMLString("file:"+secret), s.Config)
	for _, srv := range s.Servers {
		fmt.Fprintf(&b, "[contexts.%s.nodes.%s]\nurl = %q\n", Context, config.TOMLKey(srv.Name()), "ami://"+srv.Addr())
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{path: b.String(), secret: amitest.DefaultSecret + "\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Server starts a server that ends with the test.
func Server(t testing.TB, name string, options ...amitest.Option) *amitest.Server {
	t.Helper()
	s := amitest.NewServer(append([]amitest.Option{amitest.WithName(name)}, options...)...)
	t.Cleanup(s.Close)
	return s
}

// Refused fails the test unless an error is of a kind, with this text in its message.
func Refused(t testing.TB, err error, code fail.Code, text string) {
	t.Helper()
	if f := fail.Classify(err); f.Code != code || !strings.Contains(f.Message, text) {
		t.Errorf("the error is %q, %q; want %q with %q", f.Code, f.Message, code, text)
	}
}

// A Buffer is a stream that several goroutines may write to.
type Buffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns what was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Eventually waits for a text on a stream.
func Eventually(t testing.TB, b *Buffer, text string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(b.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q never came: %s", text, b)
		}
	}
}
