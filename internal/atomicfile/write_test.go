package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/skip"
)

// folder is a folder with what the test needs, and lists what is in it.
func folder(t *testing.T) (dir string, list func() map[string]string) {
	t.Helper()
	dir = t.TempDir()
	return dir, func() map[string]string {
		all := make(map[string]string)
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if link, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
				all[e.Name()] = "-> " + link
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			info, err := e.Info()
			if err != nil {
				t.Fatal(err)
			}
			all[e.Name()] = info.Mode().String() + " " + string(text)
		}
		return all
	}
}

func TestWrite(t *testing.T) {
	dir, list := folder(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, mode := range map[string]fs.FileMode{"private": 0o600, "wide": 0o666} {
		if err := os.WriteFile(at(name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, to := range map[string]string{"link": "private", "second": "link", "dangling": "made"} {
		if err := os.Symlink(to, at(name)); err != nil {
			if runtime.GOOS == "linux" {
				t.Fatal(err)
			}
			skip.Loudly(t, "no symbolic links: "+err.Error())
		}
	}
	for name, text := range map[string]string{"new": "1", "wide": "2", "second": "3", "dangling": "4"} {
		if err := WriteFile(at(name), 0o640, []byte(text)); err != nil {
			t.Error(err)
		}
	}
	want := map[string]string{
		"new": "-rw-r----- 1", "wide": "-rw-rw-rw- 2", "private": "-rw------- 3", "made": "-rw-r----- 4",
		"link": "-> private", "second": "-> link", "dangling": "-> made",
	}
	if diff := cmp.Diff(want, list()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A failure leaves what was there, and nothing beside it.
func TestWriteThatFails(t *testing.T) {
	dir, list := folder(t)
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	err := Write(path, 0o600, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return broken
	})
	var of *fs.PathError
	if !errors.As(err, &of) || of.Op != "write" || of.Path != path || !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if err := WriteFile(filepath.Join(dir, "no", "such"), 0o600, nil); !errors.As(err, &of) || of.Op != "write" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if err := WriteFile(dir, 0o600, nil); err == nil {
		t.Error("a folder was replaced")
	}
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err == nil {
		if err := WriteFile(filepath.Join(dir, "loop"), 0o600, nil); err == nil {
			t.Error("a link to itself was written")
		}
		_ = os.Remove(filepath.Join(dir, "loop"))
	}
	if diff := cmp.Diff(map[string]string{"f": "-rw------- old"}, list()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
