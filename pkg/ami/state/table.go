package state

import (
	"strings"
	"time"
)

const (
	// tombTime is how long a tombstone stands if the end that it waits for never comes.
	tombTime = 5 * time.Minute
	// goneTime is how long a channel is remembered that was hung up.
	goneTime = 10 * time.Second
	// driftTime is how long after an audit an event may still explain what it found.
	driftTime = 30 * time.Second
)

// A table holds the objects of one kind on one server.
type table[T any, P interface {
	*T
	Object
}] struct {
	rows  map[string]*row[T]
	tombs map[string]time.Time // what a list lacked and whose end is still to be told → since when
	odd   map[string]time.Time // what an audit corrected and no event has explained yet → since when
}

// A row is one object, and what the core keeps beside it.
type row[T any] struct {
	obj  *T     // shared once published: replaced, never changed
	seen uint64 // the session that showed it last
	born uint64 // the session that showed that it was there: by its beginning, or in a list
	mark uint32 // the list that had it last
	from source // what lists it
}

// find returns the row of a key, nil if there is none, and notes that an event told about it.
func (t *table[T, P]) find(s *server, key string) *row[T] {
	if len(t.odd) > 0 {
		delete(t.odd, key)
	}
	r := t.rows[key]
	if r != nil {
		r.seen = s.session
	}
	return r
}

// open returns the row of a key for an event to write to, made if there is none, and a copy of its object to edit. It
// returns nil if the key's end is due, or there is no room.
func (t *table[T, P]) open(s *server, key string) (*row[T], T) {
	var blank T
	if r := t.find(s, key); r != nil {
		return r, *r.obj
	}
	if _, dead := t.tombs[key]; dead || !usable(key) || !s.room(len(t.rows)) {
		return nil, blank
	}
	return &row[T]{seen: s.session, born: s.session, mark: s.lists}, blank
}

// listed is open for an item of a list: the server has it now, so no end is due.
func (t *table[T, P]) listed(s *server, key string, from source) (*row[T], T) {
	var blank T
	delete(t.tombs, key)
	r := t.rows[key]
	if r == nil {
		if !usable(key) || !s.room(len(t.rows)) {
			return nil, blank
		}
		r = &row[T]{}
	} else {
		blank = *r.obj
	}
	r.seen, r.born, r.mark, r.from = s.session, s.session, s.lists, from
	return r, blank
}

// save publishes what became of a row's copy. It reports whether the object is new.
func (t *table[T, P]) save(s *server, r *row[T], next T, e *edit) bool {
	if r.obj != nil && e.n == 0 {
		return false
	}
	fresh := r.obj == nil
	r.obj = &next
	p := P(r.obj)
	if !fresh {
		s.emit(Change{Op: OpChange, Object: p, Changed: e.changed()})
		return false
	}
	if t.rows == nil {
		t.rows = make(map[string]*row[T])
	}
	t.rows[p.Key()] = r
	s.emit(Change{Op: OpAdd, Object: p})
	return true
}

// suspect notes what an audit had to correct, until an event explains it.
func (t *table[T, P]) suspect(s *server, key string) {
	if !s.auditing || len(t.odd) >= maxSuspects {
		return
	}
	if t.odd == nil {
		t.odd = make(map[string]time.Time)
	}
	t.odd[strings.Clone(key)] = s.now
}

// end removes what an event says is over, or the tombstone that waited for it.
func (t *table[T, P]) end(s *server, key string) *row[T] {
	delete(t.tombs, key)
	r := t.find(s, key)
	if r != nil {
		t.remove(s, key, r)
	}
	return r
}

func (t *table[T, P]) remove(s *server, key string, r *row[T]) {
	delete(t.rows, key)
	s.emit(Change{Op: OpRemove, Object: P(r.obj)})
}

// sweep removes what the list under way lacks, and calls gone for each. What this session has shown leaves a tombstone:
// its end is due.
func (t *table[T, P]) sweep(s *server, from source, gone func(key string, r *row[T], due bool)) {
	for key, r := range t.rows {
		if r.mark == s.lists || r.from != from && r.from != 0 {
			continue
		}
		due := r.seen == s.session
		if s.unlisted && due {
			continue
		}
		if due = due && len(t.tombs) < s.core.limit; due {
			if t.tombs == nil {
				t.tombs = make(map[string]time.Time)
			}
			if t.tombs[key] = s.now; r.born != s.session { // its end may have been told before this session
				t.tombs[key] = s.now.Add(goneTime - tombTime)
			}
		}
		t.suspect(s, key)
		t.remove(s, key, r)
		if gone != nil {
			gone(key, r, due)
		}
	}
}

// forget ends what waits for events of a session that is over.
func (t *table[T, P]) forget() { t.tombs, t.odd = nil, nil }

// tick lets old tombstones fall and returns how many findings of an audit no event explained.
func (t *table[T, P]) tick(now time.Time, fell func(key string)) (drift uint64) {
	for key, since := range t.tombs {
		if now.Sub(since) > tombTime {
			delete(t.tombs, key)
			if fell != nil {
				fell(key)
			}
		}
	}
	for key, since := range t.odd {
		if now.Sub(since) > driftTime {
			delete(t.odd, key)
			drift++
		}
	}
	return drift
}

// clear removes everything, for a node that is no longer followed.
func (t *table[T, P]) clear(s *server) {
	for key, r := range t.rows {
		t.remove(s, key, r)
	}
	t.forget()
}
