package manager

import (
	"strconv"
	"time"
)

const (
	originateTime = 30 * time.Second // of an Originate that says nothing (action_originate in manager.c)
	longestTime   = time.Hour
)

// CallTime is how long an Originate with this header Timeout, in milliseconds, lets the other end ring.
func CallTime(timeout string) time.Duration {
	ms, err := strconv.Atoi(timeout)
	if err != nil || ms <= 0 {
		return originateTime
	}
	return min(time.Duration(ms)*time.Millisecond, longestTime)
}
