package output

import (
	"slices"

	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// manyLines is the length from which a packet's names are kept in a map: comparing each with all before it is faster
// below and quadratic above (GetConfig answers a header for each line of a file).
const manyLines = 128

// A fieldWriter appends the keys fields, multi and text of one packet.
type fieldWriter struct {
	m     *wire.Message
	from  int                    // the first line that is not lifted out
	omit  func(name string) bool // names lifted out of fields, nil for none
	only  []string               // if not empty: the names to keep
	lossy bool

	textless bool // the bare lines are a Command's output, written elsewhere

	seen    [16]uint64       // a bit for each name's hash: a clear bit says that the name is new
	places  map[string][]int // instead of seen for packets of many lines: where each name stands
	bare    bool             // there are lines without a name
	repeats bool
}

// append writes the fields; the object must be open and hold a key already.
func (w *fieldWriter) append(dst []byte) []byte {
	packet := inside.Of(w.m)
	n := w.m.Len()
	if n > manyLines {
		w.places = make(map[string][]int)
	}
	dst = slices.Grow(dst, len(w.m.Text())+4*n+64) // enough, unless much needs escapes
	dst = append(dst, `,"fields":{`...)
	open := len(dst)
	for i := w.from; i < n; i++ {
		name, value, line := packet.Parts(i)
		if name == "" {
			w.bare = true
			continue
		}
		if w.omit != nil && w.omit(name) || len(w.only) > 0 && !contains(w.only, name) {
			continue
		}
		whole := plainASCII(line)
		plain := whole || plainASCII(name)
		if !w.first(i, name, plain) {
			w.repeats = true
			continue
		}
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = w.name(dst, name, plain)
		dst = append(dst, ':', '"')
		if whole || plainASCII(value) {
			dst = append(dst, value...)
		} else {
			dst = w.escaped(dst, value)
		}
		dst = append(dst, '"')
	}
	dst = append(dst, '}')
	if w.repeats {
		dst = w.multi(dst)
	}
	if w.bare && !w.textless {
		dst = w.text(dst)
	}
	return dst
}

func (w *fieldWriter) name(dst []byte, name string, plain bool) []byte {
	dst = append(dst, '"')
	if plain {
		dst = append(dst, name...)
	} else {
		dst = w.escaped(dst, name)
	}
	return append(dst, '"')
}

func (w *fieldWriter) escaped(dst []byte, s string) []byte {
	dst, lossy := appendEscaped(dst, s)
	w.lossy = w.lossy || lossy
	return dst
}

// first reports whether line i is the first of its name, and remembers the name.
func (w *fieldWriter) first(i int, name string, plain bool) bool {
	if w.places != nil {
		name = key(name, plain)
		w.places[name] = append(w.places[name], i)
		return len(w.places[name]) == 1
	}
	var h uint32 // names that need escapes share a bit, for different ones can become the same key
	if n := len(name); plain {
		h = (uint32(name[0]) | uint32(name[n/2])<<8 | uint32(name[n-1])<<16 | uint32(n)<<24) * 2654435761 >> 22
	}
	word, bit := &w.seen[h>>6], uint64(1)<<(h&63)
	if *word&bit == 0 {
		*word |= bit
		return true
	}
	for j := w.from; j < i; j++ {
		if earlier, _ := w.m.Line(j); sameKey(earlier, name, plain) {
			return false
		}
	}
	return true
}

// multi writes all values of each name that repeats, ordered by first occurrence.
func (w *fieldWriter) multi(dst []byte) []byte {
	dst = append(dst, `,"multi":{`...)
	open := len(dst)
	w.seen = [16]uint64{}
	places := w.places
	if places != nil {
		w.places = make(map[string][]int)
	}
	for i := w.from; i < w.m.Len(); i++ {
		name, _ := w.m.Line(i)
		if name == "" || w.omit != nil && w.omit(name) || len(w.only) > 0 && !contains(w.only, name) {
			continue
		}
		plain := plainASCII(name)
		if !w.first(i, name, plain) {
			continue
		}
		all := places[key(name, plain)]
		if places == nil {
			all = w.all(i, name, plain)
		}
		if len(all) < 2 {
			continue
		}
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = append(w.name(dst, name, plain), ':', '[')
		for k, j := range all {
			if k > 0 {
				dst = append(dst, ',')
			}
			dst = w.value(dst, j)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// all returns the places of a name from line i on.
func (w *fieldWriter) all(i int, name string, plain bool) (places []int) {
	for j := i; j < w.m.Len(); j++ {
		if other, _ := w.m.Line(j); sameKey(other, name, plain) {
			places = append(places, j)
		}
	}
	return places
}

func (w *fieldWriter) text(dst []byte) []byte {
	dst = append(dst, `,"text":[`...)
	open := len(dst)
	for i := w.from; i < w.m.Len(); i++ {
		if name, _ := w.m.Line(i); name != "" {
			continue
		}
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = w.value(dst, i)
	}
	return append(dst, ']')
}

func (w *fieldWriter) value(dst []byte, i int) []byte {
	_, value := w.m.Line(i)
	dst, lossy := appendString(dst, value)
	w.lossy = w.lossy || lossy
	return dst
}

// key returns the JSON key that a name becomes, as it is written.
func key(name string, plain bool) string {
	if plain {
		return name
	}
	escaped, _ := appendEscaped(nil, name)
	return string(escaped)
}

// sameKey reports whether a name becomes the same JSON key as name, of which is known whether it is plain.
func sameKey(other, name string, plain bool) bool {
	return other == name || !plain && other != "" && key(other, false) == key(name, false)
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if wire.EqualFold(n, name) {
			return true
		}
	}
	return false
}
