//go:build unix

package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/skip"
)

// nobody is a user that is neither root nor whoever runs the tests.
const nobody = 4711

// A configuration that somebody else may have written is refused before a word of it is taken.
func TestOnlyOurOwnConfigIsTrusted(t *testing.T) {
	type place struct {
		folder, file fs.FileMode
		owner        int // of the file, 0: ours
		folderOwner  int
		folderGroup  int
	}
	const sticky = fs.ModeSticky
	for name, tt := range map[string]struct {
		place
		refused string // a part of the error, "" if it is taken
	}{
		"private":                      {place{0o700, 0o600, 0, 0, 0}, ""},
		"read by all":                  {place{0o755, 0o644, 0, 0, 0}, ""},
		"written by all":               {place{0o700, 0o606, 0, 0, 0}, "written by others"},
		"written by the group":         {place{0o700, 0o660, 0, 0, 0}, "written by others"},
		"of somebody else":             {place{0o755, 0o644, nobody, 0, 0}, "belongs to somebody else"},
		"in a folder of all":           {place{0o777, 0o600, 0, 0, 0}, "write to the folder"},
		"in a sticky folder of all":    {place{0o777 | sticky, 0o600, 0, 0, 0}, ""},
		"in a folder of our group":     {place{0o770, 0o600, 0, 0, 0}, ""},
		"in a folder of another group": {place{0o770, 0o600, 0, 0, nobody}, "write to the folder"},
		"in a stranger's folder":       {place{0o755, 0o644, 0, nobody, 0}, "folder"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.owner+tt.folderOwner+tt.folderGroup > 0 {
				skip.UnlessRoot(t)
			}
			base := t.TempDir()
			folder := filepath.Join(base, "folder")
			path := filepath.Join(folder, "amictl", "config.toml")
			for _, err := range []error{
				os.MkdirAll(filepath.Dir(path), 0o700),
				os.WriteFile(path, []byte("[contexts.a]\nsecret = \"cmd:x\"\n"), 0o600),
				os.Chmod(path, tt.file), os.Chmod(folder, tt.folder),
			} {
				if err != nil {
					t.Fatal(err)
				}
			}
			if tt.owner > 0 {
				_ = os.Chown(path, tt.owner, -1)
			}
			if tt.folderOwner > 0 {
				_ = os.Chown(filepath.Dir(path), tt.folderOwner, -1)
			}
			if tt.folderGroup > 0 {
				_ = os.Chown(folder, -1, tt.folderGroup)
			}
			link := filepath.Join(base, "link.toml")
			if err := os.Symlink(path, link); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{path, link} {
				c, err := Load(path)
				switch {
				case tt.refused == "" && err != nil:
					t.Errorf("%s: %v", path, err)
				case tt.refused != "" && (err == nil || !strings.Contains(err.Error(), tt.refused) || fail.Classify(err).Code != fail.CodeConfig):
					t.Errorf("%s: %v, %v; want %q", path, c, err, tt.refused)
				}
			}
		})
	}
}

// A link that a stranger has put somewhere leads to a file that he chose.
func TestStrangersLinkIsRefused(t *testing.T) {
	skip.UnlessRoot(t)
	dir := t.TempDir()
	path, link := filepath.Join(dir, "config.toml"), filepath.Join(dir, "link.toml")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Symlink(path, link), os.Lchown(link, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(link); err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("%v", err)
	}
}

// What is no file is refused or read within bounds, and nothing hangs.
func TestSpecialFilesAsConfig(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "socket")
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrUnix{Name: socket})
		defer func() { _ = syscall.Close(fd) }()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/dev/zero", "/dev/tty", dir, socket} {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		if _, err := Load(path); err == nil || fail.Classify(err).Exit != fail.ExitUsage {
			t.Errorf("%s: %v", path, err)
		}
	}
	if c, err := Load(os.DevNull); err != nil || len(c.Contexts) != 0 {
		t.Errorf("%s is an empty config: %v", os.DevNull, err)
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(fifo, []byte("context = \"a\"\n"), 0o600) }()
	if c, err := Load(fifo); err != nil || c.Context != "a" {
		t.Errorf("a pipe: %v", err)
	}
	long := filepath.Join(dir, "long.toml")
	for text, want := range map[string]string{
		"[" + strings.Repeat("contexts.", 12_000) + "a]\n":                 "deep",
		"context = " + strings.Repeat("[", 1<<20):                          "deep",
		strings.Repeat("# a comment of the usual length of a line\n", 1e5): "longer",
	} {
		if err := os.WriteFile(long, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(long); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %s", text, err, want)
		}
	}
}

// Paths in a configuration mean the same wherever amictl is run.
func TestPathsAreOfTheConfigsFolder(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	text := "[contexts.a]\nsecret = \"file:s\"\nca = \"/x/ca\"\n[contexts.a.nodes.b]\nurl = \"ami://h\"\nsecret = \"file:~/s\"\nca = \"ca.pem\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	a := c.Contexts["a"]
	got := []string{a.Secret, a.CA, a.Nodes["b"].Secret, a.Nodes["b"].CA}
	want := []string{"file:" + filepath.Join(dir, "s"), "/x/ca", "file:~/s", filepath.Join(dir, "ca.pem")}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}
