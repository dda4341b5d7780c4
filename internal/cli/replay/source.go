package replay

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/unpack"
)

// A source is the files of --from, one after the other. With --follow the last one grows, and may be replaced.
type source struct {
	run     *run.Run
	command string
	names   []string
	next    int       // of names
	grows   *follower // the last one, once it is followed
	follow  bool
	until   time.Time // when that ends; zero: never

	name string // of the file at hand
	file io.Closer
}

// check refuses what cannot be read before anything is.
func (s *source) check() error {
	for i, name := range s.names {
		if name == "-" {
			if s.follow && i == len(s.names)-1 {
				return fail.Usage("standard input is read as it comes; leave --follow out", "--follow is for a file that grows")
			}
			continue
		}
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return fail.Usage(fail.ReadHint, "--from: %v", err)
		case info.IsDir():
			return fail.Usage("give the files in it; --from may repeat", "--from: %s is a folder", name)
		case !info.Mode().IsRegular():
			if s.follow && i == len(s.names)-1 {
				return fail.Usage("a pipe is read as it comes; leave --follow out", "--follow is for a file that grows, and %s is not one", name)
			}
			continue
		}
		file, err := os.Open(name)
		if err != nil {
			return fail.Usage(fail.ReadHint, "--from: %v", err)
		}
		_ = file.Close()
	}
	return nil
}

// open returns the text of the next file, and io.EOF behind the last one. fresh tells that nothing of the file before it can
// go on here.
func (s *source) open(ctx context.Context, idle func() error) (text *bufio.Reader, fresh bool, err error) {
	s.close()
	in, fresh, err := s.input(ctx, idle)
	if err != nil {
		return nil, fresh, err
	}
	text, packed, err := unpack.New(in)
	var format *unpack.FormatError
	switch {
	case errors.As(err, &format):
		return nil, fresh, fail.Input("`"+format.Convert(s.name)+" | amictl "+s.command+" --from -`", "--from: %s cannot be read: %v", readableName(s.name), format)
	case err != nil:
		return nil, fresh, err
	case packed != "" && s.grows != nil:
		return nil, fresh, fail.Usage("leave --follow out, or put the log that is being written last", "--from: %s is compressed by %s, and such a file does not grow", s.name, packed)
	}
	return text, fresh, nil
}

// input opens the next file.
func (s *source) input(ctx context.Context, idle func() error) (in io.Reader, fresh bool, err error) {
	if s.grows != nil {
		fresh, err = s.grows.reopen()
		return s.grows, fresh, err
	}
	if s.next == len(s.names) {
		return nil, false, io.EOF
	}
	s.name = s.names[s.next]
	s.next++
	file, err := s.run.Open(s.name, "--from")
	if err != nil {
		return nil, false, err
	}
	s.file = file
	if s.follow && s.next == len(s.names) {
		if of, ok := file.(*os.File); ok {
			s.file = nil // the follower's now
			s.grows = &follower{name: s.name, file: of, ctx: ctx, idle: idle, note: s.run.Note, until: s.until}
			return s.grows, false, nil
		}
	}
	return run.NewStoppable(file, ctx.Done()), false, nil
}

func (s *source) close() {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}

// end closes what is open.
func (s *source) end() {
	s.close()
	if s.grows != nil {
		_ = s.grows.file.Close()
	}
}
