package ami

import "time"

const (
	// throttleBytes is from how many bytes of segments on a ring is crowded, if half of it is not less. They have to bridge
	// the time that the reader takes to wake up, and are no more than a subscription keeps anyway. Events that are small, or
	// half as long as a segment, leave much of one unused.
	throttleBytes = poolSize * largeSegment

	// throttlePace is the longest rest after a read of 64 KiB: a flood is read at 9 MB/s or more, whatever the consumer
	// takes. Asterisk cuts a session off that does not let it write for writetimeout, 100 ms unless manager.conf says
	// otherwise. The kernel lets a blocked writer go on only when a third of its buffer, up to 4 MiB, is free, so that a
	// short read now and then is not enough.
	throttlePace = 7 * time.Millisecond

	// throttleMost is the longest rest of all, after a read of a large packet. It leaves a busy host time to wake up.
	throttleMost = 40 * time.Millisecond
)

// longestRest returns how long the reader may wait for room after a read of that many bytes.
func longestRest(n int) time.Duration {
	return min(throttleMost, throttlePace*time.Duration(n)/(64<<10))
}

// awaitRoom returns when the rings that would rather wait than lose events have room, or at due. It belongs to the reader.
func (f *feed) awaitRoom(due time.Time) {
	var timer *time.Timer
	for {
		r := f.crowded()
		if r == nil {
			return
		}
		if timer == nil {
			left := time.Until(due)
			if left <= 0 {
				return
			}
			timer = time.NewTimer(left)
			defer timer.Stop()
		}
		select {
		case <-r.room:
		case <-timer.C:
			return
		}
	}
}

// crowded returns a ring that the reader should wait for, or nil.
func (f *feed) crowded() *ring {
	for _, r := range f.list() {
		if r.room != nil && r.await() {
			return r
		}
	}
	return nil
}

// await reports whether the ring is crowded. If it is, room tells when it is so no longer.
func (r *ring) await() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.awaited = r.crowded() && !r.closed
	return r.awaited
}

// admit tells a waiting reader that there is room. Called under mu.
func (r *ring) admit() {
	if !r.awaited || r.crowded() {
		return
	}
	r.awaited = false
	select {
	case r.room <- struct{}{}:
	default:
	}
}

// crowded reports whether more is queued than a consumer that keeps up needs. Called under mu.
func (r *ring) crowded() bool {
	most := r.sub.ringBytes / 2
	if r.budget != nil {
		most = min(most, int(r.budget.share()/2))
	}
	return r.n > 0 && (r.segs.held > throttleBytes || r.n > r.sub.ringEvents/2 || r.bytes > most)
}
