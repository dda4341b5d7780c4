//go:build unix

package run

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// A file that cannot be written is refused before anything is sent.
func TestCheckOutput(t *testing.T) {
	folder := t.TempDir()
	file := writeFile(t, "there", "x")
	for _, tt := range []struct{ path, wrong string }{
		{file, ""},
		{filepath.Join(folder, "new"), ""},
		{"-", "--out writes to a file, and not to standard output"},
		{folder, "--out: " + folder + " is a folder"},
		{filepath.Join(folder, "none", "new"), "--out: " + filepath.Join(folder, "none", "new") + ": no such file"},
		{filepath.Join(file, "new"), "--out: " + file + " is not a folder"},
	} {
		err := CheckOutput("--out", tt.path)
		if tt.wrong != "" {
			refused(t, err, fail.CodeUsage, tt.wrong)
		} else if err != nil {
			t.Errorf("%s: %v", tt.path, err)
		}
	}
}

func TestReplaceOutput(t *testing.T) {
	path := writeFile(t, "there", "much longer than what comes")
	if err := ReplaceOutput(path, []byte("new\n")); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "new\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := ReplaceOutput(filepath.Join(path, "x"), nil); err == nil {
		t.Error("it was written into a file that is no folder")
	}
}

// Standard input has one reader.
func TestClaimStdin(t *testing.T) {
	m := newRun(t, nil)
	if in, err := m.ClaimStdin("--secret-stdin"); err != nil || in != m.Stdin {
		t.Fatalf("%v, %v", in, err)
	}
	_, err := m.ClaimStdin("send -")
	refused(t, err, fail.CodeUsage, "--secret-stdin and send - both read standard input", "give one of them a file")
	_, err = m.Open("-", "--from")
	refused(t, err, fail.CodeUsage, "--secret-stdin and --from both")
}

func TestOpen(t *testing.T) {
	m := newRun(t, nil)
	m.Stdin = strings.NewReader("from standard input")
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { // opening it waits for the reader
		if w, err := os.OpenFile(pipe, os.O_WRONLY, 0); err == nil {
			_, _ = w.WriteString("from a pipe")
			_ = w.Close()
		}
	}()
	for name, want := range map[string]string{"-": "from standard input", writeFile(t, "f", "from a file"): "from a file", pipe: "from a pipe"} {
		in, err := m.Open(name, "--from")
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(in); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", name, text, err)
		}
		_ = in.Close()
	}
	if m.StdinFor != "--from" {
		t.Errorf("standard input is read by %q", m.StdinFor)
	}
}

// A named pipe that nobody writes keeps nobody: opening it waits, and a run that is stopped gives it up.
func TestOpenOfAPipeGivesUp(t *testing.T) {
	m := newRun(t, nil)
	stopped := make(chan struct{})
	m.Stopped = stopped
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := m.Open(pipe, "--from")
	if err != nil {
		t.Fatal(err)
	}
	close(stopped)
	if n, err := in.Read(make([]byte, 1)); n != 0 || !errors.Is(err, errStopped) {
		t.Errorf("%d bytes, %v", n, err)
	}
	w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // so that what still waits for it ends
	if err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
}

// A late file that is not there says so when it is read; one that was read to its end is closed.
func TestLateFile(t *testing.T) {
	if _, err := (&lateFile{name: filepath.Join(t.TempDir(), "none")}).Read(nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it said %v", err)
	}
	l := &lateFile{name: writeFile(t, "f", "abc")}
	if text, err := io.ReadAll(l); err != nil || string(text) != "abc" {
		t.Fatalf("%q, %v", text, err)
	}
	if err := l.file.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("it was not closed: %v", err)
	}
}

// The path stands once in what is said of a file that cannot be read.
func TestOpenOfWhatIsNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none")
	for _, who := range []string{"--from", "--from " + path} {
		_, err := newRun(t, nil).Open(path, who)
		refused(t, err, fail.CodeUsage, who+": ", "no such file or directory", fail.ReadHint)
		if n := strings.Count(fail.Classify(err).Message, path); n != 1 {
			t.Errorf("it is named %d times: %v", n, err)
		}
	}
	if other := errors.New("x"); withoutPath(other) != other {
		t.Error("an error that is of no file became another")
	}
}

// readLines reads all lines through a buffer of 16 bytes, which all but the shortest are longer than.
func readLines(in io.Reader) (lines []string, long int, err error) {
	r := bufio.NewReaderSize(in, 16)
	for {
		line, err := ReadLine(r)
		switch {
		case errors.Is(err, ErrLongLine):
			long++
			continue
		case err != nil:
			return lines, long, err
		}
		lines = append(lines, line)
	}
}

func TestReadLine(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"\n", []string{""}},
		{"a\n\nb", []string{"a", "", "b"}},
		{"a\r\n", []string{"a\r"}},
		{"exactly 15 byte\nx\n", []string{"exactly 15 byte", "x"}},
		{"exactly 16 bytes\nx\n", []string{"exactly 16 bytes", "x"}},
		{"exactly 16 bytes", []string{"exactly 16 bytes"}},
		{"much longer than the buffer is, without an end", []string{"much longer than the buffer is, without an end"}},
		{"much longer than the buffer is, with an end\ny\n", []string{"much longer than the buffer is, with an end", "y"}},
	} {
		got, long, err := readLines(strings.NewReader(tt.in))
		if diff := cmp.Diff(tt.want, got); diff != "" || long != 0 || err != io.EOF {
			t.Errorf("%q: %d too long, %v, %s", tt.in, long, err, diff)
		}
	}
}

// A line may be 1 MiB long. One that is longer is skipped, and the next one is read.
func TestReadLineThatIsTooLong(t *testing.T) {
	most := strings.Repeat("x", 1<<20)
	for _, tt := range []struct {
		in   string
		want []string
		long int
	}{
		{"a\n" + most + "\nb\n", []string{"a", most, "b"}, 0},
		{most, []string{most}, 0},
		{"a\n" + most + "x\nb\n", []string{"a", "b"}, 1},
		{most + "x", nil, 1},
		{most + strings.Repeat("x", 100) + "\nb\n", []string{"b"}, 1},
		{most + most + most + "\nb\n", []string{"b"}, 1},
	} {
		got, long, err := readLines(strings.NewReader(tt.in))
		if diff := cmp.Diff(tt.want, got); diff != "" || long != tt.long || err != io.EOF {
			t.Errorf("%d bytes: %d too long, %v, %d lines", len(tt.in), long, err, len(got))
		}
	}
}

// What an input that breaks left of a line is dropped: half an action must not be sent.
func TestReadLineOfAnInputThatBreaks(t *testing.T) {
	broken := errors.New("broken")
	for _, half := range []string{"", "half", "half of a line that is longer than the buffer"} {
		got, long, err := readLines(io.MultiReader(strings.NewReader("whole\n"+half), iotest.ErrReader(broken)))
		if diff := cmp.Diff([]string{"whole"}, got); diff != "" || long != 0 || !errors.Is(err, broken) {
			t.Errorf("%q: %v, %s", half, err, diff)
		}
	}
}
