//go:build unix

package top

import "syscall"

// suspend gives the terminal back and stops, as a shell's user expects of Ctrl-Z. It goes on where it was.
func (s *shell) suspend() {
	given := false
	s.term.use(func() { given = s.term.screen.Suspend() == nil })
	if !given {
		return
	}
	_ = syscall.Kill(0, syscall.SIGTSTP)
	s.term.use(func() { _ = s.term.screen.Resume() })
	s.term.sync()
}
