package fleet

import "time"

// Times of a run's pulse.
const (
	beatEvery = 250 * time.Millisecond
	checkEach = 50 * time.Millisecond
	// lostAfter is how long a silence may be. With what the end takes, a run of which one side is gone is over in three seconds.
	lostAfter = 1800 * time.Millisecond
	// pauseFrom is from when on a silence is reported.
	pauseFrom = 750 * time.Millisecond
)

// A pulse is when the other side was heard, by our clock. A time in which we ourselves stood still is nobody's silence.
type pulse struct {
	last    time.Duration
	longest time.Duration // silence
	ended   time.Duration // when the longest was over
}

// heard notes that the other side said something.
func (p *pulse) heard(now time.Duration) {
	if silence := now - p.last; silence > p.longest {
		p.longest, p.ended = silence, now
	}
	p.last = now
}

// silent returns for how long nothing was heard.
func (p *pulse) silent(now time.Duration) time.Duration { return now - p.last }

// A waker finds out that this process stood still, by how late its own ticks are.
type waker struct{ last time.Duration }

// tick returns for how long the process stood still before now; ticks are checkEach apart.
func (w *waker) tick(now time.Duration) (stood time.Duration) {
	if late := now - w.last - checkEach; w.last > 0 && late > beatEvery {
		stood = late
	}
	w.last = now
	return stood
}
