package run

import (
	"io"
	"os"
)

// A stoppable reads from what may never say anything, such as a pipe or a terminal: a read that waits there cannot be
// cancelled, so another goroutine does it, and Read gives up when stopped is closed.
type stoppable struct {
	in      io.Reader
	stopped <-chan struct{}
	chunks  chan chunk  // nil: nothing was read yet
	free    chan []byte // buffers to read into: one is read while the other one is taken
	rest    []byte      // of the chunk at hand
	buf     []byte      // that it is in
	err     error
}

// A chunk is what one read returned.
type chunk struct {
	buf []byte
	n   int
	err error
}

const chunkSize = 64 << 10 // bytes of one read

// NewStoppable returns what reads from in until stopped is closed.
func NewStoppable(in io.Reader, stopped <-chan struct{}) io.Reader {
	return &stoppable{in: in, stopped: stopped}
}

// Read is not safe for concurrent use. Its error is errStopped once the run is over.
func (s *stoppable) Read(p []byte) (int, error) {
	if s.chunks == nil {
		s.start()
	}
	for len(s.rest) == 0 {
		if s.err != nil {
			return 0, s.err
		}
		if s.buf != nil {
			s.free <- s.buf
			s.buf = nil
		}
		select {
		case c := <-s.chunks:
			s.buf, s.rest, s.err = c.buf, c.buf[:c.n], c.err
		case <-s.stopped:
			s.err = errStopped
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// start begins to read. The goroutine ends at the input's end; one that waits for more when the run is stopped ends with
// the process.
func (s *stoppable) start() {
	s.chunks, s.free = make(chan chunk, 1), make(chan []byte, 2)
	s.free <- make([]byte, chunkSize)
	s.free <- make([]byte, chunkSize)
	go func() {
		for buf := range s.free {
			n, err := s.in.Read(buf)
			s.chunks <- chunk{buf, n, err}
			if err != nil {
				return
			}
		}
	}()
}

// A lateFile is opened by its first Read: opening a named pipe waits for whoever writes to it, and a stoppable can give
// that up as well. The file is closed at its end, or with the process.
type lateFile struct {
	name string
	file *os.File
}

func (l *lateFile) Read(p []byte) (int, error) {
	if l.file == nil {
		f, err := os.Open(l.name)
		if err != nil {
			return 0, err
		}
		l.file = f
	}
	n, err := l.file.Read(p)
	if err != nil {
		_ = l.file.Close()
	}
	return n, err
}
