package output

import (
	"slices"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A fieldWriter appends the keys fields, multi and text of one packet.
type fieldWriter struct {
	m     *wire.Message
	from  int      // the first line that is not lifted out
	lift  lifting  // which names are lifted out of fields
	only  []string // if not empty: the names to keep
	lossy bool

	textless bool // the bare lines are a Command's output, written elsewhere
	passing  bool // names are shared with writers that keep other fields: nothing can be learned

	names *names
	bare  bool // there are lines without a name
}

// append writes the fields; the object must be open and hold a key already.
func (w *fieldWriter) append(dst []byte) []byte {
	t := w.names
	t.m = w.m
	dst = slices.Grow(dst, len(w.m.Text())+4*w.m.Len()+64) // enough, unless much needs escapes
	dst = append(dst, `,"fields":{`...)
	open := len(dst)
	if w.passing {
		t.reset()
		dst = w.unknown(dst, w.from)
	} else {
		dst = w.guess(dst)
	}
	if len(dst) > open {
		dst = dst[:len(dst)-1] // the last comma
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

// guess writes the lines by the layout of an earlier packet, and those that are not in it.
func (w *fieldWriter) guess(dst []byte) []byte {
	t, i := w.names, w.from
	place := t.place(w.m, w.lift)
	l := *place
	fits := l.mayFit(w)
	if fits {
		if dst, i = w.known(dst, l); i == w.m.Len() {
			l.misses = 0
			return dst
		}
	}
	t.reset()
	if fits {
		t.forget(l, w.from, i)
	}
	dst = w.unknown(dst, i)
	if l != nil {
		if l.misses++; l.misses < learnAfter {
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
	return w.lift != liftNothing && w.lift.lifts(name) || len(w.only) > 0 && !contains(w.only, name)
}

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
		dst = append(dst, '"')
		dst = w.escaped(dst, name)
		dst = append(dst, '"', ':', '[')
		for j := i; ; _, value = w.m.Line(j) {
			dst = append(dst, '"')
			dst = w.escaped(dst, value)
			dst = append(dst, '"', ',')
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
