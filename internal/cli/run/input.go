package run

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// ClaimStdin makes sure that only one thing reads standard input.
func (r *Run) ClaimStdin(who string) (io.Reader, error) {
	if r.StdinFor != "" {
		return nil, fail.Usage("give one of them a file", "%s and %s both read standard input", r.StdinFor, who)
	}
	r.StdinFor = who
	return r.Stdin, nil
}

// Open opens a file for reading; "-" is standard input.
func (r *Run) Open(name, who string) (io.ReadCloser, error) {
	if name == "-" {
		in, err := r.ClaimStdin(who)
		return io.NopCloser(NewStoppable(in, r.Stopped)), err
	}
	if st, err := os.Stat(name); err == nil && st.Mode()&os.ModeNamedPipe != 0 {
		return io.NopCloser(NewStoppable(&lateFile{name: name}, r.Stopped)), nil
	}
	f, err := os.Open(name)
	if err != nil {
		if strings.HasSuffix(who, name) { // it is named already
			err = withoutPath(err)
		}
		return nil, fail.Usage(fail.ReadHint, "%s: %v", who, err)
	}
	return f, nil
}

// withoutPath is what the system said of a file, without the file.
func withoutPath(err error) error {
	var of *fs.PathError
	if errors.As(err, &of) {
		return of.Err
	}
	return err
}
