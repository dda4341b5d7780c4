package sim

import (
	"os/exec"
	"syscall"
)

// endsWithUs has the kernel kill the command when we die without a word. SIGTERM would be politer, and an interactive
// shell ignores it.
func endsWithUs(child *exec.Cmd) {
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
