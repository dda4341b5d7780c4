package ami

import "sync"

// A valueTable keeps the values of a batch's actions in flight. The engine knows them by their slots alone, so that its
// tables need not know their type.
type valueTable[T any] struct {
	mu     sync.Mutex
	values []T      // guarded by mu, by slot
	taken  []bool   // likewise
	free   []uint32 // likewise: slots
}

// put keeps a value and returns its slot.
func (t *valueTable[T]) put(v T) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.free); n > 0 {
		slot := t.free[n-1]
		t.free = t.free[:n-1]
		t.values[slot], t.taken[slot] = v, true
		return slot
	}
	t.values, t.taken = append(t.values, v), append(t.taken, true)
	return uint32(len(t.values) - 1)
}

// drop forgets the value of an action that was refused.
func (t *valueTable[T]) drop(slot uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.release(slot)
}

// take appends the value of each result to dst, and frees the slots of those that are ends.
func (t *valueTable[T]) take(dst []T, r *results) []T {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range r.ends {
		e := &r.ends[i]
		slot, over := e.slot, true
		if e.other > 0 {
			o := &r.others[e.other-1]
			slot, over = o.slot, o.item == nil
		}
		dst = append(dst, t.values[slot])
		if over {
			t.release(slot)
		}
	}
	return dst
}

// release frees a slot. Called under mu.
func (t *valueTable[T]) release(slot uint32) {
	var none T
	t.values[slot], t.taken[slot] = none, false
	t.free = append(t.free, slot)
}

// all returns the values that are kept.
func (t *valueTable[T]) all() (all []T) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for slot, taken := range t.taken {
		if taken {
			all = append(all, t.values[slot])
		}
	}
	return all
}

// shrink lets the table go if nothing is in it.
func (t *valueTable[T]) shrink() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.free) == len(t.values) {
		t.values, t.taken, t.free = nil, nil, nil
	}
}
