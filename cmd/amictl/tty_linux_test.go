package main

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/apntalk/amictl/internal/pty"
)

func init() { ttyCommand, typedCommand = cmdTTY, cmdTyped }

// cmdTTY runs a command with its standard output on a terminal of a width, and makes what came out the standard output
// of the next `stdout`: tty COLUMNS COMMAND ARG...
func cmdTTY(ts *testscript.TestScript, _ bool, args []string) {
	columns, err := strconv.Atoi(args[0])
	ts.Check(err)
	master, slave, err := pty.Open(uint16(columns))
	ts.Check(err)
	defer func() { _ = master.Close() }()
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	c := exec.Command(path, args[2:]...) //nolint:gosec // the test's own
	c.Stdout = slave
	c.Env = []string{"AMICTL_SECRET_FILE=" + ts.Getenv("SECRET"), "HOME=" + ts.Getenv("HOME"), "TERM=" + ts.Getenv("TERM"), "NO_COLOR=" + ts.Getenv("NO_COLOR")}
	c.Env = append(c.Env, inherited()...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	ts.Check(c.Start())
	_ = slave.Close()
	var got bytes.Buffer
	read := make(chan struct{})
	go func() {
		_, _ = got.ReadFrom(master) // fails with EIO when the other end is gone
		close(read)
	}()
	err = c.Wait()
	select {
	case <-read:
	case <-time.After(10 * time.Second):
		ts.Fatalf("the terminal is still open")
	}
	ts.Check(os.WriteFile(ts.MkAbs("tty.out"), bytes.ReplaceAll(got.Bytes(), []byte("\r\n"), []byte("\n")), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("tty.err"), stderr.Bytes(), 0o600))
	if err != nil {
		ts.Fatalf("%v: %s", err, stderr.String())
	}
}

// cmdTyped runs a command whose standard input and error are a terminal, and types the lines of a file, one at each
// question: typed FILE COMMAND ARG... What the terminal showed goes to typed.out.
func cmdTyped(ts *testscript.TestScript, neg bool, args []string) {
	master, slave, err := pty.Open(200)
	ts.Check(err)
	defer func() { _ = master.Close() }()
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	c := exec.Command(path, args[2:]...) //nolint:gosec // the test's own
	c.Stdin, c.Stderr = slave, slave
	c.Env = []string{"HOME=" + ts.Getenv("HOME"), "TERM=dumb"}
	ts.Check(c.Start())
	_ = slave.Close()
	stuck := time.AfterFunc(stuckAfter, func() { _ = c.Process.Kill() }) // a question that does not come is no reason to wait for ever
	defer stuck.Stop()
	answers := strings.Split(strings.TrimSuffix(ts.ReadFile(args[0]), "\n"), "\n")
	var shown bytes.Buffer
	for b := make([]byte, 256); ; {
		n, err := master.Read(b)
		if err != nil {
			break // EIO: the other end is gone
		}
		shown.Write(b[:n])
		if len(answers) > 0 && bytes.HasSuffix(b[:n], []byte(": ")) {
			_, err := master.WriteString(answers[0] + "\n")
			ts.Check(err)
			answers = answers[1:]
		}
	}
	err = c.Wait()
	ts.Check(os.WriteFile(ts.MkAbs("typed.out"), bytes.ReplaceAll(shown.Bytes(), []byte("\r\n"), []byte("\n")), 0o600))
	if (err != nil) != neg {
		ts.Fatalf("%v: %s", err, shown.String())
	}
}
