package main

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/skip"
)

// A real Asterisk with Debian's configuration, less what the Dockerfile of the example removes, and the example's two files lets
// the example's user in, and makes its call.
func TestInteropExamples(t *testing.T) {
	skip.UnlessRoot(t)
	root := os.Getenv("AMICTL_LAB_22_ROOT")
	if root == "" {
		skip.Loudly(t, "AMICTL_LAB_22_ROOT is not set: see scripts/asterisk-lab")
	}
	addr, secret := startExample(t, root)
	amictl := func(args ...string) string {
		t.Helper()
		args = append(args, "--node", "ami://amictl@"+addr, "--secret-file", secret)
		out, err := exec.CommandContext(t.Context(), "amictl", args...).Output() //nolint:gosec // the test's own
		if err != nil {
			t.Fatalf("amictl %s: %v: %s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	amictl("wait", "--ready", "--timeout", "60s")
	for end := time.Now().Add(patience); !strings.Contains(amictl("command", "dialplan", "show", "100@default"), "extensions.conf"); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the dialplan of the example is not loaded")
		}
	}
	if got := amictl("originate", "--channel", "Local/100@default", "--exten", "100", "--query", "outcome"); got != "answered\n" {
		t.Errorf("the call of the README was %q", got)
	}
}

// startExample starts the Asterisk of a lab's tree as the example has it, at a free port, and returns its address and the file of
// the secret.
func startExample(t *testing.T, root string) (addr, secret string) {
	t.Helper()
	dir, err := os.MkdirTemp(filepath.Join(root, "tmp"), "example")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	etc := filepath.Join(dir, "etc")
	if err := os.CopyFS(etc, os.DirFS(filepath.Join(root, "etc", "asterisk.stock"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"extensions.ael", "extensions.lua", "users.conf"} {
		if !strings.Contains(example(t, "asterisk/Dockerfile"), "/etc/asterisk/"+name) {
			t.Errorf("the Dockerfile does not remove %s", name)
		}
		if err := os.Remove(filepath.Join(etc, name)); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	inside := strings.TrimPrefix(dir, root)
	directories := "[directories]\nastetcdir => " + inside + "/etc\nastrundir => " + inside + "\nastlogdir => " + inside + "\nastspooldir => " + inside + "\nastdbdir => " + inside + "\n"
	stock, err := os.ReadFile(filepath.Join(etc, "asterisk.conf"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(stock)) { // where modules and data are
		for _, key := range []string{"astmoddir", "astdatadir", "astvarlibdir", "astkeydir"} {
			if strings.HasPrefix(line, key) {
				directories += line
			}
		}
	}
	secret = filepath.Join(t.TempDir(), "pbx.secret")
	for file, text := range map[string]string{
		filepath.Join(etc, "asterisk.conf"):   directories,
		filepath.Join(etc, "manager.conf"):    strings.NewReplacer("port = 5038", "port = "+port, "bindaddr = 0.0.0.0", "bindaddr = 127.0.0.1").Replace(example(t, "asterisk/manager.conf")),
		filepath.Join(etc, "extensions.conf"): example(t, "asterisk/extensions.conf"),
		// What listens is manager alone: the lab's own server has the other ports.
		filepath.Join(etc, "modules.conf"): "[modules]\nautoload = no\nload = pbx_config.so\n",
		secret:                             example(t, "asterisk/pbx.secret"),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("chroot", root, "chown", "-R", "asterisk:asterisk", inside).CombinedOutput(); err != nil { //nolint:gosec // the test's own
		t.Fatalf("%v: %s", err, out)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, "chroot", "--userspec=asterisk:asterisk", root, "asterisk", "-f", "-C", inside+"/etc/asterisk.conf") //nolint:gosec // the test's own
	var said strings.Builder
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = c.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	return net.JoinHostPort("127.0.0.1", port), secret
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
