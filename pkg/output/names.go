package output

import (
	"hash/maphash"
	"math/bits"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// names tells which lines of a packet have the name of an earlier one, for any number of lines at the same cost a line.
// Names are the same that become the same JSON key: bytes that are not UTF-8 are all U+FFFD.
//
// It is a hash table with open addressing, at most half full. The hash is of the whole name and seeded, so that neither
// names that are like one another nor names made up for the purpose come to lie in one place.
type names struct {
	m     *wire.Message
	slots []slot
	used  int
	links []link // of the lines, once a name repeats

	layouts [maxLayouts]*layout
	learned int // bytes of them, about

	rest []byte // room for what stands behind fields
}

// A slot holds the first line of a name.
type slot struct {
	hash uint32
	line uint32 // plus one; 0: the slot is free
}

// A link is what is known of a line whose name repeats, 0 for nothing: no line that follows another is line 0.
type link struct {
	next uint32 // line of the same name
	last uint32 // line of the same name; for the first one only
}

const (
	fewestSlots = 16
	mostSlots   = 8192 // that a packet begins with, and that are kept for the next one
)

var nameSeed = maphash.MakeSeed()

func hashName(name string) uint32       { return uint32(maphash.String(nameSeed, name)) }
func hashWritten(written []byte) uint32 { return uint32(maphash.Bytes(nameSeed, written)) }

// freeNames are for those who have no Printer.
var freeNames = sync.Pool{New: func() any { return new(names) }}

// reset empties the table, with room for the packet's names.
func (t *names) reset() {
	t.used, t.links = 0, t.links[:0]
	want := min(max(1<<bits.Len(uint(2*t.m.Len())), fewestSlots), mostSlots)
	if cap(t.slots) < want {
		t.slots = make([]slot, want)
		return
	}
	t.slots = t.slots[:want]
	clear(t.slots)
}

// release ends a packet. It lets go of the packet, and of memory that a large one took.
func (t *names) release() {
	t.m, t.links = nil, t.links[:0]
	if cap(t.slots) > mostSlots {
		t.slots = nil
	}
	if cap(t.links) > mostSlots {
		t.links = nil
	}
}

// add takes a line, whose name has that hash as it is written, and reports whether it is the first one of its name.
func (t *names) add(i int, name string, hash uint32) bool {
	mask := uint32(len(t.slots) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		s := &t.slots[at]
		if s.line == 0 {
			*s = slot{hash, uint32(i) + 1}
			if t.used++; t.used > len(t.slots)/2 {
				t.grow()
			}
			return true
		}
		if s.hash != hash {
			continue
		}
		if first := int(s.line - 1); t.same(first, name) {
			t.link(first, i)
			return false
		}
	}
}

func (t *names) grow() {
	old := t.slots
	t.slots = make([]slot, 2*len(old))
	mask := uint32(len(t.slots) - 1)
	for _, s := range old {
		if s.line == 0 {
			continue
		}
		at := s.hash & mask
		for t.slots[at].line != 0 {
			at = (at + 1) & mask
		}
		t.slots[at] = s
	}
}

// same reports whether a line's name becomes the same JSON key as name.
func (t *names) same(line int, name string) bool {
	other, _ := t.m.Line(line)
	for other != name {
		a, n := utf8.DecodeRuneInString(other)
		b, k := utf8.DecodeRuneInString(name)
		if a != b || n == 0 || k == 0 {
			return false
		}
		other, name = other[n:], name[k:]
	}
	return true
}

// link notes that line i has the name of line first.
func (t *names) link(first, i int) {
	if len(t.links) == 0 {
		n := t.m.Len()
		t.links = slices.Grow(t.links, n)[:n]
		clear(t.links)
	}
	last := t.links[first].last
	if last == 0 {
		last = uint32(first)
	}
	t.links[last].next = uint32(i)
	t.links[first].last = uint32(i)
}

// repeats reports whether there is a line whose name repeats.
func (t *names) repeats() bool { return len(t.links) > 0 }

// heads reports whether line i is the first of several of one name.
func (t *names) heads(i int) bool { return t.links[i].last != 0 }

// next returns the line behind line i that has its name, 0 if there is none.
func (t *names) next(i int) int { return int(t.links[i].next) }
