package bench

import (
	"time"

	"golang.org/x/sys/unix"
)

// nap sleeps exactly, but for the 50 µs by which Linux lets a thread oversleep. A timer of Go's is late by up to a millisecond
// while nothing else happens: it is the time-out of an epoll_wait, which counts milliseconds.
func nap(d time.Duration) {
	t := unix.NsecToTimespec(int64(max(d-timerSlack, 1)))
	_ = unix.Nanosleep(&t, nil) // whoever is woken early looks again
}

// timerSlack is what a thread of Linux has unless somebody changes it, see prctl(2).
const timerSlack = 50 * time.Microsecond
