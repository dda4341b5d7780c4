//go:build !linux

package bench

import "time"

// nap sleeps. Where the network is polled by kqueue, timers are exact.
func nap(d time.Duration) { time.Sleep(d) }
