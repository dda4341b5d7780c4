package output

import (
	"slices"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A fieldWriter appends the keys event, fields, multi and text of one packet.
type fieldWriter struct {
	m     *wire.Message
	name  string   // the packet's
	event bool     // the name is written as the key event
	from  int      // the first line that is not lifted out
	lift  lifting  // which names are lifted out of fields
	only  []string // if not empty: the names to keep
	lossy bool

	textless bool // the bare lines are a Command's output, written elsewhere
	passing  bool // names are shared with writers that keep other fields: nothing can be learned

	names *names
	fit   *layout // the packet's, if there is one
	bare  bool    // there are lines without a name
}

// append writes the fields; the object must be open and hold a key already.
func (w *fieldWriter) append(dst []byte) []byte {
	t := w.names
	t.m = w.m
	dst = slices.Grow(dst, len(w.m.Text())+4*w.m.Len()+64) // enough, unless much needs escapes
	if w.passing {
		t.reset()
		dst = w.unknown(w.opening(dst), w.from)
	} else {
		dst = w.guess(dst)
	}
	if dst[len(dst)-1] == ',' { // behind the last one
		dst = dst[:len(dst)-1]
	}
	dst = append(dst, '}')
	if t.repeats() {
		dst = w.multi(dst)
	}
	t.release()
	if w.bare && !w.textless {
		dst = w.text(dst)
	}
	return dst
}

// opening writes the key event and begins fields.
func (w *fieldWriter) opening(dst []byte) []byte {
	if w.event {
		dst = appendStringKey(dst, "event", w.name, &w.lossy)
	}
	return append(dst, `,"fields":{`...)
}

// guess writes the lines by the layout of an earlier packet, and those that are not in it.
func (w *fieldWriter) guess(dst []byte) []byte {
	t, i := w.names, w.from
	place := t.place(w)
	l := *place
	if !l.mayFit(w) {
		t.reset()
		dst = w.opening(dst)
	} else {
		if dst, i = w.known(dst, l); i == w.m.Len() {
			l.misses, l.patience, w.fit = 0, learnAfter, l
			return dst
		}
		t.reset()
		t.forget(l, w.from, i)
	}
	dst = w.unknown(dst, i)
	if l != nil {
		if l.misses++; l.misses < l.patience {
			return dst
		}
	}
	*place = w.learn(l)
	return dst
}

// unknown writes the lines from line i on by the table of names.
func (w *fieldWriter) unknown(dst []byte, i int) []byte {
	for n := w.m.Len(); i < n; i++ {
		name, value, line := w.m.Parts(i)
		if name == "" {
			w.bare = true
			continue
		}
		if w.leavesOut(name) {
			continue
		}
		start := len(dst)
		if plainASCII(line) {
			if w.names.add(i, name, hashName(name)) {
				dst = append(append(append(dst, '"'), name...), '"', ':', '"')
				dst = append(append(dst, value...), '"', ',')
			}
			continue
		}
		dst = w.escaped(append(dst, '"'), name)
		if !w.names.add(i, name, hashWritten(dst[start+1:])) {
			dst = dst[:start]
			continue
		}
		dst = w.escaped(append(dst, '"', ':', '"'), value)
		dst = append(dst, '"', ',')
	}
	return dst
}

// leavesOut reports whether the lines of that name are not in fields.
func (w *fieldWriter) leavesOut(name string) bool {
	return w.lift.lifts(name) || len(w.only) > 0 && !contains(w.only, name)
}

// pair writes what stands before a value, up to its first quote, the value, a quote and a comma.
func (w *fieldWriter) pair(dst, before []byte, value string) []byte {
	if !plainASCII(value) {
		dst = w.escaped(append(dst, before...), value)
		return append(dst, '"', ',')
	}
	at := len(dst)
	size := len(before) + len(value) + 2
	if cap(dst)-at < size {
		dst = slices.Grow(dst, size)
	}
	dst = dst[:at+size]
	copy(dst[at:], before)
	copy(dst[at+len(before):], value)
	dst[at+size-2], dst[at+size-1] = '"', ','
	return dst
}

var oneQuote = []byte{'"'}

func (w *fieldWriter) escaped(dst []byte, s string) []byte {
	if plainASCII(s) {
		return append(dst, s...)
	}
	dst, lossy := appendEscaped(dst, s)
	w.lossy = w.lossy || lossy
	return dst
}

// multi writes all values of each name that repeats, ordered by first occurrence.
func (w *fieldWriter) multi(dst []byte) []byte {
	dst = append(dst, `,"multi":{`...)
	for i := w.from; i < w.m.Len(); i++ {
		if !w.names.heads(i) {
			continue
		}
		name, value := w.m.Line(i)
		if w.fit != nil {
			dst = append(dst, w.fit.key(i)...)
		} else {
			dst = append(w.escaped(append(dst, '"'), name), '"', ':', '"')
		}
		dst[len(dst)-1] = '[' // in place of the quote
		for j := i; ; _, value = w.m.Line(j) {
			dst = w.pair(dst, oneQuote, value)
			if j = w.names.next(j); j == 0 {
				break
			}
		}
		dst[len(dst)-1] = ']' // in place of the last comma
		dst = append(dst, ',')
	}
	dst[len(dst)-1] = '}'
	return dst
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
	dst, lossy := AppendString(dst, value)
	w.lossy = w.lossy || lossy
	return dst
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if wire.EqualFold(n, name) {
			return true
		}
	}
	return false
}
