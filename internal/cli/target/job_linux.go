package target

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
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
