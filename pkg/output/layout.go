package output

import "github.com/apntalk/amictl/pkg/ami/wire"

// A layout is what an earlier packet taught: which names come in which order, how each is written, and which of them
// repeat. Almost every packet has the layout of one before it, and then a comparison a line says what a hash would.
//
// A layout that does not fit costs those comparisons and nothing else. It is replaced when it has not fitted a few times in
// a row, so that packets which never look alike are not learned for nothing.
type layout struct {
	event  string
	from   int
	lift   lifting
	lines  []layoutLine
	text   []byte
	misses int // in a row
}

// A layoutLine is one line of a layout. Its places are in the layout's text.
type layoutLine struct {
	name, nameEnd uint16 // as it came
	key, keyEnd   uint16 // as it is written, from its first quote to the first quote of its value
	first         uint16 // the line whose name it repeats
	kind          lineKind
	lossy         bool // the name is not UTF-8
}

type lineKind uint8

const (
	leftOut lineKind = iota // lifted out, or not among the fields asked for
	noName
	newName
	oldName
)

const (
	maxLayouts     = 128     // of a Printer
	maxLayoutLines = 512     // of a packet that is learned
	maxLayoutText  = 8 << 10 // of the names and keys of one
	learnAfter     = 4       // packets that the layout at hand did not fit
)

// place returns where the layout of such packets is kept.
func (t *names) place(m *wire.Message, lift lifting) **layout {
	h := hashName(m.Name()) + uint32(m.Len())*0x9e3779b1 + uint32(lift)
	return &t.layouts[h%maxLayouts]
}

// mayFit reports whether the packet has as many lines, of which the same are wanted.
func (l *layout) mayFit(w *fieldWriter) bool {
	return l != nil && len(l.lines) == w.m.Len() && l.from == w.from && l.lift == w.lift && l.event == w.m.Name()
}

// known writes the lines of a packet as long as they are those of the layout, and returns the line that is not.
func (w *fieldWriter) known(dst []byte, l *layout) (_ []byte, i int) {
	for i = w.from; i < len(l.lines); i++ {
		line := &l.lines[i]
		name, value := w.m.Line(i)
		if name != string(l.text[line.name:line.nameEnd]) {
			return dst, i
		}
		switch line.kind {
		case newName:
			dst = w.pair(dst, l.text[line.key:line.keyEnd], value)
			w.lossy = w.lossy || line.lossy
		case oldName:
			w.names.link(int(line.first), i)
			w.lossy = w.lossy || line.lossy
		case noName:
			w.bare = true
		}
	}
	return dst, i
}

// pair writes a key with its quotes and colon, a value and a comma.
func (w *fieldWriter) pair(dst, key []byte, value string) []byte {
	if !plainASCII(value) {
		dst = w.escaped(append(dst, key...), value)
		return append(dst, '"', ',')
	}
	at := len(dst)
	size := len(key) + len(value) + 2
	if cap(dst)-at < size {
		dst = append(append(dst, key...), value...)
		return append(dst, '"', ',')
	}
	dst = dst[:at+size]
	copy(dst[at:], key)
	copy(dst[at+len(key):], value)
	dst[at+size-2], dst[at+size-1] = '"', ','
	return dst
}

// forget puts the lines before line i into the table, for the layout is not the packet's.
func (t *names) forget(l *layout, from, i int) {
	t.links = t.links[:0]
	for j := from; j < i; j++ {
		if line := &l.lines[j]; line.kind >= newName {
			name, _ := t.m.Line(j)
			t.add(j, name, hashWritten(l.text[line.key+1:line.keyEnd-3]))
		}
	}
}

// learn makes a layout of a packet that was written, unless it is too large for one.
func (w *fieldWriter) learn(l *layout) *layout {
	n := w.m.Len()
	if n > maxLayoutLines {
		return l
	}
	if l == nil {
		l = &layout{}
	}
	*l = layout{from: w.from, lift: w.lift, lines: l.lines[:0], text: l.text[:0], event: l.event}
	for i := range n {
		name, _ := w.m.Line(i)
		var line layoutLine
		switch {
		case i < w.from || w.leavesOut(name):
		case name == "":
			line.kind = noName
		default:
			line.kind = newName
		}
		line.name = uint16(len(l.text))
		l.text = append(l.text, name...)
		line.nameEnd, line.key = uint16(len(l.text)), uint16(len(l.text))
		if line.kind == newName {
			l.text, line.lossy = AppendString(l.text, name)
			l.text = append(l.text, ':', '"')
		}
		line.keyEnd = uint16(len(l.text))
		if len(l.text) > maxLayoutText {
			return nil
		}
		l.lines = append(l.lines, line)
	}
	for i := w.from; w.names.repeats() && i < n; i++ {
		for j := i; w.names.heads(i); {
			if j = w.names.next(j); j == 0 {
				break
			}
			l.lines[j].kind, l.lines[j].first = oldName, uint16(i)
		}
	}
	if l.event != w.m.Name() {
		l.event = string([]byte(w.m.Name()))
	}
	return l
}
