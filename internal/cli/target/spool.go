package target

import (
	"errors"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/spool"
)

// Spool makes what --spool says, and returns how another is made: its files are where TMPDIR says.
func Spool(r *run.Run, size flags.Size) (*spool.Spool, spool.Options, error) {
	o := spool.Options{Disk: size.Value}
	if o.Disk < spool.LeastDisk {
		return nil, o, fail.Usage("such as --spool 1G", "--spool is less than 1M")
	}
	o.Dir, _ = r.Env("TMPDIR")
	s, err := spool.New(o)
	if err != nil {
		return nil, o, fail.Usage("TMPDIR names the folder of its files", "--spool: %v", errors.Unwrap(err))
	}
	return s, o, nil
}
