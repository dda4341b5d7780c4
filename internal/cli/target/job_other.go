//go:build unix && !linux

package target

import "syscall"

func jobAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// descendants returns the process alone: its group is all that is known of what it has started.
func descendants(root int) []int { return []int{root} }
