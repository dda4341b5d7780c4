package tail

import (
	"errors"
	"os"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/output"
)

// openRecord opens the file of --record, which another tail may have filled: --append adds to it, and nothing replaces it. It
// is written at its end, so that whoever empties it meanwhile (logrotate's copytruncate) gets no hole.
func (t *tailer) openRecord() error {
	path := t.options.record
	if path == "-" {
		return fail.Usage("-o jsonl prints them", "--record writes to a file, and not to standard output")
	}
	file, err := openToAppend(path)
	if err != nil {
		return fail.Usage("give a path that you may write to", "--record: %v", err)
	}
	to, err := file.Stat()
	if err != nil {
		return errors.Join(file.Close(), fail.Usage("give a path that you may write to", "--record: %v", err))
	}
	for _, name := range t.options.from {
		if from, err := os.Stat(name); err == nil && os.SameFile(from, to) {
			return errors.Join(file.Close(), fail.Usage("give the record another name", "--record would add to %s, which --from reads", path))
		}
	}
	if to.Mode().IsRegular() && to.Size() > 0 && !t.options.appends {
		return errors.Join(file.Close(), fail.Usage("--append adds to it, another name keeps both", "--record: %s is not empty", path))
	}
	t.file, t.record = file, output.NewRecorder(file, t.run.Redactor())
	if !run.HasTerminal() { // or the end of a terminal would not end the run
		t.run.OnHangup(t.askToReopen)
	}
	return nil
}

func openToAppend(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

// beginRecord ends the line that an earlier tail was killed in, once a session is there or what is replayed is open.
func (t *tailer) beginRecord() error {
	if t.record == nil {
		return nil
	}
	info, err := t.file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return err
	}
	old, err := os.Open(t.options.record)
	if err != nil { // it may be written and not read
		return nil
	}
	defer func() { _ = old.Close() }()
	last := make([]byte, 1)
	if _, err := old.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return nil
	}
	_, err = t.file.WriteString("\n")
	return err
}

// askToReopen is what a SIGHUP does: whoever has renamed the file, such as logrotate, wants a new one of the old name. It
// only asks: whoever takes the events writes the file, and nobody else.
func (t *tailer) askToReopen() {
	t.reopen.Store(true)
	if nudge := t.nudge.Load(); nudge != nil {
		(*nudge)()
	}
}

// reopenRecord goes on in a new file if that was asked for. Where it cannot, the old one is better than none.
func (t *tailer) reopenRecord() error {
	if !t.reopen.Load() {
		return nil
	}
	t.reopen.Store(false)
	if err := t.record.Flush(); err != nil {
		return err
	}
	if info, err := t.file.Stat(); err != nil || !info.Mode().IsRegular() {
		return err
	}
	file, err := openToAppend(t.options.record)
	if err != nil {
		t.run.Note("--record: %v; it continues in the old file", err)
		return nil
	}
	old := t.file
	t.file, t.record = file, output.NewRecorder(file, t.run.Redactor())
	return old.Close()
}

// closeRecord writes what is left. A record that is not whole is a failure of the run.
func (t *tailer) closeRecord() error {
	if t.record == nil {
		return nil
	}
	return errors.Join(t.record.Close(), t.file.Close())
}
