package replay

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A followed reads a file on, until the test ends.
type followed struct {
	t    *testing.T
	path string
	got  chan string // what came; "|" where nothing of before can go on, "/" where another file begins
	idle int
}

func follow(t *testing.T, until time.Time) *followed {
	f := &followed{t: t, path: filepath.Join(t.TempDir(), "log"), got: make(chan string, 100)}
	f.write(f.path, "")
	file, err := os.Open(f.path)
	if err != nil {
		t.Fatal(err)
	}
	in := &follower{
		name: f.path, file: file, ctx: t.Context(), until: until,
		idle: func() error { f.idle++; return nil }, note: func(string, ...any) {},
	}
	go func() {
		defer close(f.got)
		for {
			text, err := io.ReadAll(io.LimitReader(in, 3)) // in small pieces
			if len(text) > 0 {
				f.got <- string(text)
			}
			if err != nil {
				return
			}
			if len(text) == 3 {
				continue
			}
			fresh, err := in.reopen()
			switch {
			case errors.Is(err, io.EOF):
				_ = in.file.Close()
				return
			case fresh:
				f.got <- "|"
			default:
				f.got <- "/"
			}
		}
	}()
	return f
}

func (f *followed) write(path, text string) {
	f.t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.WriteString(text); err != nil {
		f.t.Fatal(err)
	}
}

func (f *followed) do(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// want waits a second, and compares all that came since.
func (f *followed) want(want string) {
	f.t.Helper()
	time.Sleep(time.Second)
	synctest.Wait()
	got := ""
	for len(f.got) > 0 {
		got += <-f.got
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, time.Time{})
		old := f.path + ".1"
		f.want("")
		f.write(f.path, "abcdef")
		f.want("abcdef")

		f.do(os.Rename(f.path, old)) // nothing has the name: its writer goes on
		f.write(old, "ghi")
		f.want("ghi")
		f.write(f.path, "") // logrotate's create: its writer does not know yet
		f.want("")
		f.write(old, "jkl")
		f.want("jkl")
		f.write(old, "mno") // in the same moment as what follows
		f.write(f.path, "pqr")
		f.want("mno/pqr")

		f.do(os.Truncate(f.path, 0)) // logrotate's copytruncate
		f.want("|")
		f.write(f.path, "stu")
		f.want("stu")
		if f.idle == 0 {
			t.Error("it waited without a word")
		}
	})
}

// --until ends it when there is nothing left to read, and the end of the run at once.
func TestFollowerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := follow(t, time.Now().Add(10*time.Second))
		f.write(f.path, "abc")
		f.want("abc")
		time.Sleep(10 * time.Second)
		if text, open := <-f.got; open {
			t.Errorf("%q came", text)
		}
		late := follow(t, time.Now().Add(-time.Hour))
		late.want("")
		if _, open := <-late.got; open {
			t.Error("it goes on")
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	f := &follower{name: file.Name(), file: file, ctx: ctx, idle: func() error { return nil }}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
