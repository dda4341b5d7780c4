//go:build unix

package top

import "syscall"

// suspend gives the terminal back and stops, as a shell's user expects of Ctrl-Z. It goes on where it was.
func (s *shell) suspend() {
	if s.term.screen.Suspend() != nil {
		return
	}
	_ = syscall.Kill(0, syscall.SIGTSTP)
	_ = s.term.screen.Resume()
	s.term.screen.Sync()
}
