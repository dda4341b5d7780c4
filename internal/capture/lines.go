package capture

import (
	"bytes"
	"errors"
	"io"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// nextLines returns the next packet, read line by line.
func (r *Reader) nextLines() (wire.Message, error) {
	for {
		if r.tooLong && !r.skipLine() {
			return wire.Message{}, wire.ErrMore
		}
		line, n, err := r.line(r.pos)
		switch {
		case errors.Is(err, io.EOF):
			if m, ok := r.last(); ok {
				return m, nil
			}
			return wire.Message{}, err
		case err != nil:
			return wire.Message{}, err
		case n > maxLine:
			r.longLine(line)
			continue
		}
		read := r.outside
		if r.draft.open {
			read = r.inside
		}
		if m, ok, err := read(line, n); ok || err != nil {
			return m, err
		}
	}
}

// line returns the line at a place of the buffer and its length with its end; io.EOF if there is none, ErrMore if it is not
// there yet. Of one that is longer than maxLine it returns the beginning.
func (r *Reader) line(from int) (line []byte, n int, err error) {
	rest := r.buf[from:r.end]
	n = bytes.IndexByte(rest, '\n') + 1
	if n == 0 {
		n = len(rest)
		if n <= maxLine && !r.over {
			return nil, 0, wire.ErrMore
		}
	}
	switch {
	case n == 0:
		return nil, 0, io.EOF
	case n > maxLine:
		return rest[:maxLine], n, nil
	}
	return trimEnd(rest[:n]), n, nil
}

// longLine begins to pass over a line that is too long.
func (r *Reader) longLine(line []byte) {
	r.tooLong = true
	if r.draft.open {
		r.draftTooLong()
		return
	}
	r.clean = 0
	if startsPacket(line) || isEscaped(line[:maxPrefix]) {
		r.lose(r.at)
	}
}

// skipLine passes over what there is of a line that is too long, and reports whether that is all of it.
func (r *Reader) skipLine() bool {
	rest := r.buf[r.pos:r.end]
	i := bytes.IndexByte(rest, '\n')
	if i < 0 {
		r.advance(len(rest))
		r.tooLong = !r.over
		return r.over
	}
	r.advance(i + 1)
	r.tooLong = false
	return true
}

// draftTooLong counts the open packet as lost, for a line of it is too long.
func (r *Reader) draftTooLong() {
	if r.draft.open && !r.draft.dead {
		r.draft.dead = true
		r.lose(r.draft.at)
	}
}

// outside takes a line that is in no packet.
func (r *Reader) outside(raw []byte, n int) (m wire.Message, is bool, err error) {
	line := withoutColours(raw)
	if len(bytes.TrimSpace(line)) == 0 {
		r.endParagraph()
		r.advance(n)
		return m, false, nil
	}
	if isBanner(line) {
		r.endParagraph()
		r.para.first = false
		r.advance(n)
		m, err = r.decode(line)
		return m, err == nil, nil
	}
	at, p, v := r.starts(line, n)
	switch v {
	case wait:
		return m, false, wire.ErrMore
	case closes:
		r.endParagraph()
		r.para.first = false
		r.usual = r.draft.begin(r.at, line[at:], p, len(line) != len(raw))
		if at > 0 || len(line) != len(raw) || r.draft.tail != "" {
			r.clean = 0
		}
	default:
		r.other(line)
	}
	r.advance(n)
	return m, false, nil
}

// other notes a line of other text.
func (r *Reader) other(line []byte) {
	r.clean = 0
	r.dump = isDump(line)
	switch c, bare := fenceOf(line); {
	case c != 0 && r.fence == 0:
		r.fence = c
	case c != 0 && c == r.fence && bare:
		r.fence = 0
	}
	if isEscaped(line) {
		r.lose(r.at)
	}
	r.para.note(line, r.at)
}

// starts reports by closes whether a packet starts in this line, where, and what stands before its lines; part is no, wait
// that the next line decides.
func (r *Reader) starts(line []byte, n int) (at int, p prefix, v verdict) {
	at, word, ok := findStart(line)
	switch {
	case !ok:
		return 0, nil, part
	case r.dump:
		return at, nil, closes
	case at == 0 && (r.para.known == 0 || r.para.action):
		return 0, nil, closes
	case at > 0 && (!word || isKnown(headerName(bytes.TrimRight(line[:at], " ")))):
		return 0, nil, part
	}
	next, state := r.ahead(n)
	if state == wait {
		return 0, nil, wait
	}
	if _, again := r.usual.strip(line); again && next == nil && len(r.usual) > 0 { // cut off behind its first line
		return at, nil, closes
	}
	if at == 0 {
		if isPrivileged(next) || answers(next) {
			return 0, nil, closes
		}
		return 0, nil, part
	}
	p, ok = before(line[:at], next)
	if !ok {
		return 0, nil, part
	}
	return at, p, closes
}

// before tells what stands before a packet's other lines, given what stands before its first and the line behind that; ok is
// false if no packet starts there.
func before(first, next []byte) (p prefix, ok bool) {
	p = first
	if rest, ok := p.strip(next); ok {
		rest, _ = cutTail(rest)
		return p, isHeader(rest) || len(bytes.TrimSpace(rest)) == 0 && len(next) > 0
	}
	if name := headerName(next); name != "" { // a log's head, in the first line alone; or a header that speaks of events
		return nil, isKnown(name) || headerName(bytes.TrimRight(first, " ")) == ""
	}
	bare := bytes.TrimLeft(next, " \t")
	indent := next[:len(next)-len(bare)]
	return indent, len(indent) > 0 && prefix(first).layout() && isHeader(bare) // an item of a list
}

// ahead returns the line behind the one at hand, without colours; none at the end of the input.
func (r *Reader) ahead(n int) ([]byte, verdict) {
	next, _, err := r.line(r.pos + n)
	switch {
	case errors.Is(err, wire.ErrMore):
		return nil, wait
	case err != nil:
		return nil, part
	}
	return withoutColours(next), part
}
