//go:build !race

package output

import "testing"

// Under the race detector a sync.Pool drops what it is given now and then.
func TestAppendEventDoesNotAllocate(t *testing.T) {
	ev := busyEvent(t)
	buf := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf = AppendEvent(buf[:0], &ev) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
