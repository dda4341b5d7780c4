package capture

import (
	"bytes"
	"errors"
	"io"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A verdict is what a line means for the packet that is open.
type verdict uint8

const (
	part   verdict = iota // it belongs to it, or to nothing
	closes                // it is the end of it
	before                // it is not its own any more, and the packet is whole
	cuts                  // the packet stops short of it
	wait                  // the line behind it decides
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
	if _, again := r.usual.strip(line); again && next == nil && at > 0 { // cut off behind its first line
		return at, nil, closes
	}
	if at == 0 {
		if isPrivileged(next) || answers(next) {
			return 0, nil, closes
		}
		return 0, nil, part
	}
	p = prefix(line[:at])
	if rest, ok := p.strip(next); ok {
		if rest, _ = cutTail(rest); isHeader(rest) || len(bytes.TrimSpace(rest)) == 0 && len(next) > 0 {
			return at, p, closes
		}
		return 0, nil, part
	}
	if isHeader(next) {
		return at, nil, closes
	}
	return 0, nil, part
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

// inside takes a line behind the beginning of a packet. It returns the packet if that makes it whole.
func (r *Reader) inside(raw []byte, n int) (m wire.Message, is bool, err error) {
	switch r.judge(raw, n) {
	case wait:
		return m, false, wire.ErrMore
	case part:
		r.advance(n)
	case cuts:
		r.giveUp()
	case closes:
		r.advance(n)
		m, is = r.finish(true)
	case before:
		m, is = r.finish(false)
	}
	return m, is, nil
}

// judge tells what a line means for the open packet, and adds it.
func (r *Reader) judge(raw []byte, n int) verdict {
	d := &r.draft
	bare := withoutColours(raw)
	if len(bare) == 0 && !d.follows {
		return closes
	}
	line := raw
	if d.colour {
		line = bare
	}
	if d.prefix != nil {
		rest, ok := d.prefix.strip(bare)
		if !ok {
			return r.foreign(bare)
		}
		if whole, ok := d.prefix.strip(line); ok {
			line = whole
		} else {
			line = rest
		}
		bare = rest
	}
	if d.tail != "" {
		line = bytes.TrimSuffix(line, []byte(d.tail))
		bare = bytes.TrimSuffix(bare, []byte(d.tail))
	}
	switch another := r.another(bare, n); {
	case another != part:
		return another
	case d.follows:
		if d.marked && len(bytes.TrimSpace(bare)) == 0 {
			return closes
		}
		d.marked = bytes.HasSuffix(bare, []byte("--END COMMAND--"))
	case len(bytes.TrimSpace(bare)) == 0:
		return closes
	case r.closesFence(bare):
		return before
	case d.mayHold(r.blanks) && !likeHeader(bare):
		if d.hold(line) {
			return before
		}
		return part
	}
	if !d.dead && !(d.release() && d.add(line)) {
		r.draftTooLong()
	}
	return part
}

func (r *Reader) closesFence(line []byte) bool {
	c, bare := fenceOf(line)
	return c != 0 && c == r.fence && bare
}

// another tells a line with which something else begins, although no blank line ended the packet; part is no.
func (r *Reader) another(line []byte, n int) verdict {
	d := &r.draft
	switch {
	case isBanner(line), isDump(line), string(line) == "--" && !d.follows: // grep's sign between two places
		return cuts
	case isDebug(line):
		return r.unended()
	case !startsPacket(line):
		return part
	}
	next, state := r.ahead(n)
	if state == wait {
		return wait
	}
	if d.prefix != nil {
		next, _ = d.prefix.strip(next)
	}
	next = bytes.TrimSuffix(next, []byte(d.tail))
	if begins(line, eventStart) && isPrivileged(next) || begins(line, responseStart) && !d.follows && answers(next) {
		return r.unended()
	}
	return part
}

// foreign tells what a line means that lacks what stands before the packet's other lines.
func (r *Reader) foreign(line []byte) verdict {
	at, word, starts := findStart(line)
	switch {
	case r.closesFence(line):
		return before
	case isDebug(line), starts && at == 0:
		return r.unended()
	case r.draft.prefix.layout():
		return before
	case isBanner(line), isDump(line), string(line) == "--", starts && word:
		return cuts
	}
	return part // the log's other lines
}

// unended is the verdict on a packet behind which the next one begins without a blank line: where there are no blank lines,
// as in the journal, it is whole.
func (r *Reader) unended() verdict {
	if r.blanks == 0 && !r.draft.follows {
		r.splits++
		return before
	}
	return cuts
}

// giveUp counts the open packet as lost.
func (r *Reader) giveUp() {
	if !r.draft.dead {
		r.lose(r.draft.at)
	}
	r.draft.open = false
	r.clean = 0
}

// finish hands out the open packet. blank tells that a blank line ended it.
func (r *Reader) finish(blank bool) (m wire.Message, ok bool) {
	d := &r.draft
	d.open = false
	if d.dead {
		return m, false
	}
	if blank {
		r.blanks++
		d.release()
	} else {
		r.clean = 0
	}
	m, err := r.decode(d.text)
	if err != nil {
		r.lose(d.at)
		return m, false
	}
	if r.clean++; r.clean >= enoughClean && r.fence == 0 {
		r.toPlain()
	}
	return m, true
}

// decode decodes one packet or banner.
func (r *Reader) decode(text []byte) (wire.Message, error) {
	r.one.Feed(text)
	r.one.Feed([]byte("\r\n"))
	m, err := r.one.Next()
	if err != nil || r.one.Buffered() > 0 {
		r.one = wire.NewDecoder(wire.Limits{})
	}
	return m, err
}

// last ends what is open at the end of an input. Only a log without blank lines ends in a packet that is whole.
func (r *Reader) last() (m wire.Message, ok bool) {
	if r.draft.open {
		log := r.splits > 0 || r.draft.prefix != nil && !r.draft.prefix.layout()
		if log && r.blanks == 0 && r.ended && !r.draft.follows {
			if m, ok = r.finish(false); ok {
				return m, true
			}
		} else {
			r.giveUp()
		}
	}
	r.endParagraph()
	return m, false
}
