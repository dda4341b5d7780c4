package run

import (
	"time"
)

// progressEvery is the time between two lines of progress.
const progressEvery = 5 * time.Second

// Progress writes a line on standard error every few seconds, if somebody watches it, until stop is called.
func (r *Run) Progress(line func() string) (stop func()) {
	if r.Flags.Quiet || !r.StderrIsTerminal() {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(progressEvery)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				r.Note("%s", line())
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}
