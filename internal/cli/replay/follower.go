package replay

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/apntalk/amictl/internal/cli/run"
)

const followEvery = 200 * time.Millisecond // how often a file that is followed is looked at

// A follower reads a file that grows. Its Read returns io.EOF when the file was emptied or another one has its name, as log
// rotation leaves it, and when the time is over; reopen tells these apart.
type follower struct {
	name string
	file *os.File
	read int64 // bytes
	ctx  context.Context
	idle func() error // called before it waits
	note func(format string, args ...any)

	until    time.Time // zero: no bound
	replaced *os.File  // the file that has the name now
	emptied  bool
}

// Read waits for more at the end of the file.
func (f *follower) Read(p []byte) (int, error) {
	for {
		n, err := f.file.Read(p)
		f.read += int64(n)
		switch {
		case n > 0:
			return n, nil
		case err != nil && !errors.Is(err, io.EOF):
			return 0, err
		case f.replaced != nil, f.emptied: // it was read once more since
			return 0, io.EOF
		}
		if f.look() {
			continue
		}
		if !f.until.IsZero() && !time.Now().Before(f.until) {
			return 0, io.EOF
		}
		if err := f.idle(); err != nil {
			return 0, err
		}
		run.Pause(f.ctx, followEvery)
		if f.ctx.Err() != nil {
			return 0, f.ctx.Err()
		}
	}
}

// look reports whether the file was emptied or replaced. One that is replaced by an empty file is written to until its writer
// knows: it is left only when the new one has something.
func (f *follower) look() bool {
	is, err := f.file.Stat()
	if err == nil && is.Size() < f.read {
		f.emptied = true
		return true
	}
	named, failed := os.Stat(f.name)
	if err != nil || failed != nil || os.SameFile(is, named) || named.Size() == 0 || !named.Mode().IsRegular() {
		return false
	}
	if f.replaced, err = os.Open(f.name); err != nil {
		f.replaced = nil
	}
	return f.replaced != nil
}

// reopen goes on with what Read stopped at: the file from its beginning, with nothing left of what it was, or the new one.
func (f *follower) reopen() (fresh bool, err error) {
	switch {
	case f.replaced != nil:
		_ = f.file.Close()
		f.file, f.replaced, f.read = f.replaced, nil, 0
		f.note("--from: %s was replaced, and the new one is followed", f.name)
		return false, nil
	case f.emptied:
		f.emptied, f.read = false, 0
		f.note("--from: %s was emptied, and is followed from its beginning", f.name)
		_, err = f.file.Seek(0, io.SeekStart)
		return true, err
	}
	return false, io.EOF
}
