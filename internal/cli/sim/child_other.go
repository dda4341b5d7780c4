//go:build !unix

package sim

import (
	"os"
	"syscall"
)

var forwarded = []os.Signal{os.Interrupt}

// fromTerminal reports true: a console sends its events to everybody attached to it.
func fromTerminal(os.Signal) bool { return true }

func killedBy(*os.ProcessState) syscall.Signal { return 0 }

func ignoreBackgroundReads() {}

func enoughDescriptors(int) error { return nil }
