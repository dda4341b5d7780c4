package ami

import (
	"testing"
	"time"
)

func TestTurnOfAReader(t *testing.T) {
	var turn turn
	start := time.Now()
	for i, read := range []struct {
		bytes int
		at    time.Duration
		over  bool
	}{
		{turnBytes - 1, 0, false},
		{1, 0, true},
		{turnBytes - 1, time.Hour, false}, // slow: however long it takes
		{1, time.Hour, true},
		{turnBytes, time.Hour + turnTime - 1, false}, // a flood: however much it is
		{turnBytes, time.Hour + turnTime - 1, false},
		{1, time.Hour + turnTime, true},
		{1, 2 * time.Hour, false},
	} {
		if over := turn.over(read.bytes, start.Add(read.at)); over != read.over {
			t.Errorf("read %d, %d bytes at %v: over is %v", i, read.bytes, read.at, over)
		}
	}
}
