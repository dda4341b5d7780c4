package output

import (
	"slices"

	"github.com/apntalk/amictl/internal/packet/inside"
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

	names  *names
	fit    *layout // the packet's, if there is one
	spread bool    // laid out for people, in a document that is an array
	bare   bool    // there are lines without a name
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
	if w.spread {
		return w.endSpread(dst)
	}
	if dst[len(dst)-1] == ',' { // behind the last one
		dst = dst[:len(dst)-1]
	}
	return w.rest(append(dst, '}'))
}

// rest writes what stands behind the fields, and ends the packet.
func (w *fieldWriter) rest(dst []byte) []byte {
	if w.names.repeats() {
		dst = w.multi(dst)
	}
	w.names.release()
	if w.bare && !w.textless {
		dst = w.text(dst)
	}
	return dst
}

// endSpread ends the fields, and writes what stands behind them.
func (w *fieldWriter) endSpread(dst []byte) []byte {
	comma := len(spreadComma) - 1
	if dst[len(dst)-comma] == ',' {
		dst = appendNewline(dst[:len(dst)-comma], spreadFields-1)
	} else { // there are none
		dst = dst[:len(dst)-len("\n")-2*spreadFields]
	}
	dst = append(dst, '}')
	w.fit = nil // its keys are laid out already
	rest := w.rest(w.names.rest[:0])
	if w.names.rest = rest; cap(rest) > flushAt {
		w.names.rest = nil
	}
	return appendSpread(dst, view(rest), spreadFields-1)
}

// opening writes the key event and begins fields.
func (w *fieldWriter) opening(dst []byte) []byte {
	start := len(dst)
	if w.event {
		dst = appendStringKey(dst, "event", w.name, &w.lossy)
	}
	dst = append(dst, `,"fields":{`...)
	if w.spread {
		dst = appendSpread(dst[:start], string(dst[start:]), spreadFields-1)
	}
	return dst
}

// colon stands between a key and its string, and comma behind that, with their quotes.
func (w *fieldWriter) colon() string {
	if w.spread {
		return spreadColon
	}
	return plainColon
}

func (w *fieldWriter) comma() string {
	if w.spread {
		return spreadComma
	}
	return plainComma
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
		t.forget(l, w.from, i, len(w.colon()))
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
	colon, comma := w.colon(), w.comma()
	packet := inside.Of(w.m)
	for n := w.m.Len(); i < n; i++ {
		name, value, line := packet.Parts(i)
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
				dst = append(append(append(dst, '"'), name...), colon...)
				dst = append(append(dst, value...), comma...)
			}
			continue
		}
		dst = w.escaped(append(dst, '"'), name)
		if !w.names.add(i, name, hashWritten(dst[start+1:])) {
			dst = dst[:start]
			continue
		}
		dst = append(w.escaped(append(dst, colon...), value), comma...)
	}
	return dst
}

// leavesOut reports whether the lines of that name are not in fields.
func (w *fieldWriter) leavesOut(name string) bool {
	return w.lift.lifts(name) || len(w.only) > 0 && !contains(w.only, name)
}

// pair writes what stands before a value, up to its first quote, the value, a quote and a comma.
func (w *fieldWriter) pair(dst, before []byte, value, comma string) []byte {
	if !plainASCII(value) {
		return append(w.escaped(append(dst, before...), value), comma...)
	}
	at := len(dst)
	size := len(before) + len(value) + len(comma)
	if cap(dst)-at < size {
		dst = slices.Grow(dst, size)
	}
	dst = dst[:at+size]
	copy(dst[at:], before)
	copy(dst[at+len(before):], value)
	copy(dst[at+len(before)+len(value):], comma)
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
			dst = w.pair(dst, oneQuote, value, plainComma)
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
	dst, lossy := appendString(dst, value)
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
