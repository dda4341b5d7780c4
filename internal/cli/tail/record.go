package tail

import (
	"errors"
	"os"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/output"
)

// openRecord opens the file of --record. What it holds stays until there is something to record: see beginRecord. It is
// appended to, so that whoever empties it meanwhile (logrotate's copytruncate) gets no hole.
func (t *tailer) openRecord() (err error) {
	path := t.flags.record
	if path == "-" {
		return fail.Usage("-o jsonl prints them", "--record writes to a file, and not to standard output")
	}
	if t.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return fail.Usage("give a path that you may write to", "--record: %v", err)
	}
	for _, name := range t.flags.from {
		from, err := os.Stat(name)
		if to, failed := t.file.Stat(); err == nil && failed == nil && os.SameFile(from, to) {
			return errors.Join(t.file.Close(), fail.Usage("give the record another name", "--record would overwrite %s, which --from reads", path))
		}
	}
	t.record = output.NewRecorder(t.file, t.run.Redactor())
	return nil
}

// beginRecord empties the file once a session is there, or what is replayed is open. A tail that came to nothing leaves
// the record before it alone.
func (t *tailer) beginRecord() error {
	if t.record == nil {
		return nil
	}
	info, err := t.file.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = t.file.Truncate(0)
	}
	if err != nil {
		return fail.Usage("give a path that you may write to", "--record: %v", err)
	}
	return nil
}

// closeRecord writes what is left. A record that is not whole is a failure of the run.
func (t *tailer) closeRecord() error {
	if t.record == nil {
		return nil
	}
	return errors.Join(t.record.Close(), t.file.Close())
}
