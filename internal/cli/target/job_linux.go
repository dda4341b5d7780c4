package target

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// jobAttr has a command run in a process group of its own, and end with us even if we are killed.
func jobAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// descendants returns a process and all that it has started, and they, as far as their parents are still there: one that
// made itself a session or a group of its own is among them, a daemon is not.
func descendants(root int) []int {
	children := make(map[int][]int)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		text, err := os.ReadFile(name)
		at := bytes.LastIndexByte(text, ')') // PID (COMMAND) STATE PARENT …, and the command may hold anything
		if err != nil || at < 0 {
			continue
		}
		words := bytes.Fields(text[at+1:])
		if len(words) < 2 {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		parent, _ := strconv.Atoi(string(words[1]))
		children[parent] = append(children[parent], pid)
	}
	all := []int{root}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// takeForeground makes us the ones who may read a terminal. We are in the background now, where a SIGTTOU stops who does this,
// unless the thread blocks it. To ignore it would be for good: Go's signal.Reset does not take that back, and a command that
// is started later would have it ignored too, so that it could change the terminal before it has it.
func takeForeground(fd int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var blocked, before unix.Sigset_t
	const bits = 8 * int(unsafe.Sizeof(blocked.Val[0]))
	blocked.Val[(int(unix.SIGTTOU)-1)/bits] |= 1 << ((int(unix.SIGTTOU) - 1) % bits)
	if unix.PthreadSigmask(unix.SIG_BLOCK, &blocked, &before) != nil {
		return
	}
	_ = unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, unix.Getpgrp())
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
}
