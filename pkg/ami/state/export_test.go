package state

import "fmt"

// Leftovers says what the core keeps of calls and bridges, "" for nothing.
func (w *Watcher) Leftovers() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.core.servers {
		callers := 0
		for _, l := range s.waiting {
			callers += len(l.callers)
		}
		if n := len(s.legs) + len(s.calls) + len(s.joined) + len(s.rooms) + len(s.queuesOf) + callers; n > 0 {
			return fmt.Sprintf("%s keeps %d legs, %d calls, %d bridges, %d rooms, %d who wait",
				s.name, len(s.legs), len(s.calls), len(s.joined), len(s.rooms), callers)
		}
	}
	return ""
}
