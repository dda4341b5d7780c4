package run

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// What is read through it is what was there, however it comes, and with the error that ended it.
func TestStoppableReadsAll(t *testing.T) {
	text := strings.Repeat("0123456789abcdef", 3*chunkSize/16+1)
	broken := errors.New("broken")
	for name, in := range map[string]io.Reader{
		"whole":       strings.NewReader(text),
		"halves":      iotest.HalfReader(strings.NewReader(text)),
		"data at end": iotest.DataErrReader(strings.NewReader(text)),
	} {
		got, err := io.ReadAll(NewStoppable(in, nil))
		if err != nil || string(got) != text {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(text), err)
		}
	}
	got, err := io.ReadAll(NewStoppable(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)), nil))
	if !errors.Is(err, broken) || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
}

// A read that waits for ever ends when the run does, and so does every later one.
func TestStoppableStops(t *testing.T) {
	in, out := io.Pipe()
	defer func() { _ = out.Close() }()
	stopped := make(chan struct{})
	s := NewStoppable(in, stopped)
	go func() { _, _ = out.Write([]byte("abc")) }()
	buf := make([]byte, 16)
	if n, err := io.ReadFull(s, buf[:3]); err != nil || !bytes.Equal(buf[:n], []byte("abc")) {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	close(stopped)
	for range 2 {
		if n, err := s.Read(buf); n != 0 || !errors.Is(err, errStopped) {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
}
