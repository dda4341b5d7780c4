//go:build unix

package run

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// playDaemon hands its run to amictld, or says why it cannot.
func playDaemon([]string) {
	err := New([]string{"serve", "-C", "lab", "--", "a b", "--"}, nil, nil, nil, nil).RunDaemon("serve")
	_, _ = os.Stdout.WriteString("failed: " + err.Error() + "\n")
}

// script writes a program that a shell runs.
func script(t *testing.T, folder, text string) string {
	t.Helper()
	path := filepath.Join(folder, daemonName)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// ownCopy puts this program into a folder, so that something can stand beside it.
func ownCopy(t *testing.T, folder string) string {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "amictl")
	if os.Link(own, path) == nil {
		return path
	}
	in, err := os.Open(own)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

const tells = "#!/bin/sh\necho \"$0 has $#\"\nfor word; do echo \"$word\"; done\necho \"$FLAVOUR\"\nexit 7\n"

// amictld has the whole run: its words, environment and status. One beside amictl is taken before one in PATH, also where
// amictl was started by a link.
func TestRunDaemon(t *testing.T) {
	beside, elsewhere, links := t.TempDir(), t.TempDir(), t.TempDir()
	own := ownCopy(t, beside)
	link := filepath.Join(links, "amictl")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	daemon := script(t, beside, tells)
	other := script(t, elsewhere, tells)
	for _, tt := range []struct{ program, want string }{{own, daemon}, {link, daemon}, {"", other}} {
		c := startChild(t, "daemon", nil, func(c *exec.Cmd) {
			if tt.program != "" {
				c.Path = tt.program
			}
			c.Env = append(c.Env, "PATH="+elsewhere+":"+os.Getenv("PATH"), "FLAVOUR=sour")
		})
		c.says(tt.want+" has 6", "serve", "-C", "lab", "--", "a b", "--", "sour")
		if s := c.ends(); s.ExitStatus() != 7 {
			t.Errorf("status %d: %s", s.ExitStatus(), c.errs.String())
		}
	}
}

// Where there is no amictld, the error says how to come by it. One in the current folder may be a stranger's.
func TestRunDaemonThatIsNotThere(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	script(t, folder, tells)
	for _, path := range []string{"", ".", t.TempDir()} {
		t.Setenv("PATH", path)
		err := New(nil, nil, nil, nil, nil).RunDaemon("serve")
		refused(t, err, fail.CodeUsage, "serve needs amictld: it is neither beside amictl nor in PATH", "go install ")
	}
}

func TestRunDaemonThatCannotBeRun(t *testing.T) {
	folder := t.TempDir()
	path := script(t, folder, "\x7fELF is not all that a program is")
	t.Setenv("PATH", folder)
	err := New(nil, nil, nil, nil, nil).RunDaemon("serve")
	refused(t, err, fail.CodeUsage, path+": ", "exec format error", "it must be a program that you may run")
}

// An amictld without a subcommand does not look for another amictld, which would be itself.
func TestDaemonDoesNotRunItself(t *testing.T) {
	folder := t.TempDir()
	script(t, folder, tells)
	t.Setenv("PATH", folder)
	defer func(name string) { os.Args[0] = name }(os.Args[0])
	os.Args[0] = "/usr/bin/amictld"
	if err := New(nil, nil, nil, nil, nil).RunDaemon("serve"); err == nil || err.Error() != "amictld has no serve itself" {
		t.Errorf("it says %v", err)
	}
}
