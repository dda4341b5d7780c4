//go:build !unix

package sim

import (
	"os"
	"syscall"
)

var forwarded = []os.Signal{os.Interrupt}

func killedBy(*os.ProcessState) syscall.Signal { return 0 }

func ignoreBackgroundReads() {}

func enoughDescriptors(int) error { return nil }
