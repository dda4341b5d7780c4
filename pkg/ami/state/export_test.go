package state

import (
	"fmt"
	"slices"
)

// GoneTime is how long what is gone is remembered.
const GoneTime = goneTime

// Leftovers says what the core keeps of calls and bridges, "" for nothing.
func (w *Watcher) Leftovers() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.core.servers {
		callers := 0
		for _, l := range s.waiting {
			callers += len(l.callers)
		}
		if n := len(s.legs) + len(s.calls) + len(s.joined) + len(s.rooms) + len(s.queuesOf) + len(s.leaving) + s.visits.n + callers; n > 0 {
			return fmt.Sprintf("%s keeps %d legs, %d calls, %d bridges, %d rooms, %d who wait",
				s.name, len(s.legs), len(s.calls), len(s.joined), len(s.rooms), callers)
		}
	}
	return ""
}

// Check compares what the core keeps beside its objects with the objects.
func (w *Watcher) Check() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.core.check()
}

func (c *core) check() error {
	for _, s := range c.servers {
		for _, f := range []func() error{s.checkCalls, s.checkBridges, s.checkQueues, s.checkBounds} {
			if err := f(); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	return nil
}

func (s *server) checkCalls() error {
	live := 0
	for id, c := range s.calls {
		var sum call
		for i, l := range c.live {
			if l.call != c || l.at != i || s.legs[l.Uniqueid] != l {
				return fmt.Errorf("leg %s of call %s is not in its place", l.Uniqueid, id)
			}
			sum.tally(l, 1)
			r := s.channels.rows[l.Uniqueid]
			if r == nil && !l.dying {
				return fmt.Errorf("leg %s has no channel", l.Uniqueid)
			}
			if r != nil && r.obj.Linkedid != c.linkedid {
				return fmt.Errorf("channel %s of %s is in call %s", l.Uniqueid, r.obj.Linkedid, id)
			}
		}
		if sum.ringing != c.ringing || sum.bridged != c.bridged || sum.held != c.held || sum.up != c.up || sum.waiting != c.waiting || sum.guesses != c.guesses || sum.dying != c.dying {
			return fmt.Errorf("call %s counts %+v, its legs %+v", id, *c, sum)
		}
		up := len(c.live) - c.dying
		if len(c.live) == 0 || (c.obj != nil) != (up > 0) || up > 0 && c.obj.Legs != up {
			return fmt.Errorf("call %s has %d legs and says %+v", id, len(c.live), c.obj)
		}
		live += len(c.live)
	}
	if live != len(s.legs) {
		return fmt.Errorf("%d legs are in calls, of %d", live, len(s.legs))
	}
	return nil
}

func (s *server) checkBridges() error {
	in := 0
	for id, p := range s.joined {
		r := s.bridges.rows[id]
		if r == nil {
			if !p.implied {
				return fmt.Errorf("%d channels are in bridge %q, which is not there", len(p.ids), id)
			}
			in += len(p.ids)
			continue
		}
		if r.obj.Count != len(p.ids) || !slices.Equal(r.obj.Channels, p.ids[:min(len(p.ids), maxShown)]) {
			return fmt.Errorf("bridge %q says %d %v, and %v are in it", id, r.obj.Count, r.obj.Channels, p.ids)
		}
		for _, uid := range p.ids {
			if ch := s.channels.rows[uid]; ch == nil || ch.obj.Bridge != id {
				return fmt.Errorf("channel %q is in bridge %q and does not say so", uid, id)
			}
		}
		in += len(p.ids)
	}
	for uid, r := range s.channels.rows {
		if b := r.obj.Bridge; b != "" && s.joined[b] != nil && !slices.Contains(s.joined[b].ids, uid) {
			return fmt.Errorf("channel %q says that it is in bridge %q, which has %v", uid, b, s.joined[b].ids)
		}
		if l := s.legs[uid]; l != nil {
			p := s.joined[r.obj.Bridge]
			if talks := r.obj.Bridge != "" && p != nil && len(p.ids) > 1; talks != l.bridged {
				return fmt.Errorf("channel %q in bridge %q: talks %v, its leg says %v", uid, r.obj.Bridge, talks, l.bridged)
			}
		}
	}
	return nil
}

func (s *server) checkQueues() error {
	members, callers := map[string]int{}, map[string]int{}
	for _, r := range s.members.rows {
		members[r.obj.Queue]++
	}
	for _, r := range s.callers.rows {
		callers[r.obj.Queue]++
	}
	for name, r := range s.queues.rows {
		if q := r.obj; q.Members != members[name] || q.Callers != callers[name] {
			return fmt.Errorf("queue %q says %d members, %d callers, and has %d, %d", name, q.Members, q.Callers, members[name], callers[name])
		}
	}
	return nil
}

func (s *server) checkBounds() error {
	for what, n := range map[string]int{
		"channels": len(s.channels.rows), "tombstones": len(s.channels.tombs), "legs": len(s.legs) / 2, "calls": len(s.calls) / 2,
		"bridges": len(s.bridges.rows), "parties": len(s.joined) / 2, "lines": len(s.waiting), "devices": len(s.devices.rows),
		"endpoints": len(s.endpoints.rows), "hints": len(s.hints.rows), "queues": len(s.queues.rows), "members": len(s.members.rows),
		"callers": len(s.callers.rows), "rooms": len(s.rooms), "parked": len(s.parked.rows), "who wait": len(s.queuesOf), "gone": len(s.gone), "leaving": len(s.leaving) / 2,
	} {
		if n > s.core.limit {
			return fmt.Errorf("%d %s, the limit is %d", n, what, s.core.limit)
		}
	}
	return nil
}
