package run

import (
	"bufio"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/apntalk/amictl/pkg/output"
)

// errStopped ends a question, or a read, that a signal or --deadline came before the end of.
var errStopped = errors.New("stopped before it ended")

// CanAsk reports whether somebody can read a question and answer it: standard input and standard error are terminals, and
// nothing else reads the first.
func (r *Run) CanAsk() bool {
	return r.StdinFor == "" && IsTerminal(r.Stdin) && r.StderrIsTerminal()
}

// Ask puts a question on standard error and reads a line of standard input.
func (r *Run) Ask(question string) (string, error) {
	_, _ = io.WriteString(r.Stderr, output.Safe(question))
	return r.answer(func() (string, error) {
		line, err := bufio.NewReaderSize(r.Stdin, 16).ReadString('\n')
		return strings.TrimSpace(line), err
	})
}

// AskSecret is Ask for a line that the terminal does not show. Ask CanAsk first. The terminal is as before when it returns.
func (r *Run) AskSecret(question string) (string, error) {
	in, ok := r.Stdin.(*os.File)
	if !ok {
		return "", errors.ErrUnsupported
	}
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	line, err := r.answer(func() (string, error) {
		_, _ = io.WriteString(r.Stderr, question)
		typed, err := term.ReadPassword(fd)
		return string(typed), err
	})
	_ = term.Restore(fd, before)
	if errors.Is(err, errStopped) { // ReadPassword may have been about to switch the echo off
		time.Sleep(20 * time.Millisecond)
		_ = term.Restore(fd, before)
	}
	_, _ = io.WriteString(r.Stderr, "\n")
	return line, err
}

// answer waits for read, but no longer than the run lasts: a read from a terminal cannot be cancelled, and the process
// ends soon.
func (r *Run) answer(read func() (string, error)) (string, error) {
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := read()
		got <- answer{line, err}
	}()
	select {
	case g := <-got:
		return g.line, g.err
	case <-r.Stopped:
		return "", errStopped
	}
}
