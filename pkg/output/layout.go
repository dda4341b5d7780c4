package output

import (
	"strings"
	"unicode/utf8"
	"unsafe"
)

// A layout is what an earlier packet taught: which names come in which order, how each is written, and which of them
// repeat. Almost every packet has the layout of one before it, and then a comparison a line says what a hash would.
//
// A layout that does not fit costs those comparisons and nothing else. It is replaced when it has not fitted a few times in
// a row, and ever later if that was for nothing, for there are packets that never look alike.
type layout struct {
	event    string
	from     int
	lift     lifting
	opening  []byte // what is written before the first line
	lossy    bool   // the event's name is not UTF-8
	lines    []layoutLine
	text     []byte
	misses   int // in a row
	patience int // with misses, before it is replaced
}

// A layoutLine is one line of a layout. Its places are in the layout's text.
type layoutLine struct {
	name, nameEnd uint16 // as it came
	key, keyEnd   uint16 // as it is written, see layout.key
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
	maxLayouts     = 512     // of a Printer
	maxLayoutBytes = 1 << 20 // of all of them; beyond it all are forgotten
	maxLayoutLines = 512     // of a packet that is learned
	maxLayoutText  = 8 << 10 // of the names and keys of one
	learnAfter     = 4       // packets in a row that the layout at hand did not fit
	mostPatience   = 256
)

// place returns where the layout of such packets is kept, or may be: one of two places.
func (t *names) place(w *fieldWriter) **layout {
	h := hashName(w.name) + uint32(w.m.Len())*0x9e3779b1 + uint32(w.lift)
	one := &t.layouts[h%maxLayouts]
	if (*one).mayFit(w) {
		return one
	}
	if two := &t.layouts[(h+1)%maxLayouts]; (*two).mayFit(w) || *one != nil && *two == nil {
		return two
	}
	return one
}

// mayFit reports whether the packet has as many lines, of which the same are wanted.
func (l *layout) mayFit(w *fieldWriter) bool {
	return l != nil && len(l.lines) == w.m.Len() && l.from == w.from && l.lift == w.lift && l.event == w.name
}

// key returns the key of a line as it is written, from its first quote to the first quote of its value.
func (l *layout) key(i int) []byte { return l.text[l.lines[i].key:l.lines[i].keyEnd] }

// known writes the lines of a packet as long as they are those of the layout, and returns the line that is not.
func (w *fieldWriter) known(dst []byte, l *layout) (_ []byte, i int) {
	dst = append(dst, l.opening...)
	w.lossy = l.lossy
	comma := w.comma()
	for i = w.from; i < len(l.lines); i++ {
		line := &l.lines[i]
		name, value := w.m.Line(i)
		if name != string(l.text[line.name:line.nameEnd]) {
			return dst, i
		}
		switch line.kind {
		case newName:
			dst = w.pair(dst, l.key(i), value, comma)
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

// forget puts the lines before line i into the table, for the layout is not the packet's. Its keys end in a colon so long.
func (t *names) forget(l *layout, from, i, colon int) {
	t.links = t.links[:0]
	for j := from; j < i; j++ {
		line := &l.lines[j]
		if line.kind < newName {
			continue
		}
		name, _ := t.m.Line(j)
		key := l.key(j)
		t.add(j, name, hashWritten(key[1:len(key)-colon]))
	}
}

// learn makes a layout of a packet that was written, in place of one that did not fit. A packet that is too large has none.
func (w *fieldWriter) learn(old *layout) *layout {
	n, length := w.m.Len(), len(w.name)
	for i := range min(n, maxLayoutLines) {
		name, _ := w.m.Line(i)
		length += 2 * len(name)
	}
	if n > maxLayoutLines || length > maxLayoutText {
		return old
	}
	l := &layout{event: strings.Clone(w.name), from: w.from, lift: w.lift, patience: learnAfter}
	forgotten := 0
	if old != nil {
		forgotten = old.size()
		l.lines, l.text, l.opening, l.patience = old.lines[:0], old.text[:0], old.opening[:0], min(2*old.patience, mostPatience)
	}
	l.opening, l.lossy = w.opening(l.opening), w.event && !utf8.ValidString(w.name)
	for i := range n {
		name, _ := w.m.Line(i)
		l.line(name, i >= w.from && !w.leavesOut(name), w.colon())
		if len(l.text) > maxLayoutText { // for its escapes
			w.names.learned -= forgotten
			return nil
		}
	}
	for i := w.from; w.names.repeats() && i < n; i++ {
		if !w.names.heads(i) {
			continue
		}
		for j := w.names.next(i); j != 0; j = w.names.next(j) {
			l.lines[j].kind, l.lines[j].first = oldName, uint16(i)
		}
	}
	t := w.names
	if t.learned += l.size() - forgotten; t.learned > maxLayoutBytes {
		t.learned, t.layouts = 0, [maxLayouts]*layout{}
		return nil
	}
	return l
}

// size is what the layout takes, in bytes.
func (l *layout) size() int {
	return int(unsafe.Sizeof(*l)) + len(l.text) + len(l.opening) + len(l.lines)*int(unsafe.Sizeof(layoutLine{}))
}

// line adds a line of that name.
func (l *layout) line(name string, wanted bool, colon string) {
	line := layoutLine{name: uint16(len(l.text))}
	l.text = append(l.text, name...)
	line.nameEnd, line.key = uint16(len(l.text)), uint16(len(l.text))
	switch {
	case wanted && name != "":
		line.kind = newName
		l.text, line.lossy = appendString(l.text, name)
		l.text = append(l.text[:len(l.text)-1], colon...)
	case wanted:
		line.kind = noName
	}
	line.keyEnd = uint16(len(l.text))
	l.lines = append(l.lines, line)
}
