package capture

import (
	"bytes"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A verdict is what a line means for the packet that is open.
type verdict uint8

const (
	part   verdict = iota // it belongs to it, or to nothing
	closes                // it is the end of it
	apart                 // it is not its own any more, and the packet is whole
	cuts                  // the packet stops short of it
	wait                  // the line behind it decides
)

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
	case apart:
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
		if v := r.blankEnough(n); v != part {
			return v
		}
	case r.closesFence(bare):
		return apart
	case d.mayHold(r.blanks) && !likeHeader(bare):
		if d.hold(line) {
			return apart
		}
		return part
	}
	if !d.dead && !(d.release() && d.add(line)) {
		r.draftTooLong()
	}
	return part
}

// blankEnough reports by closes whether a line of spaces alone ends the packet. One in a value does not.
func (r *Reader) blankEnough(n int) verdict {
	if r.draft.prefix != nil || r.draft.tail != "" || r.draft.colour {
		return closes
	}
	next, state := r.ahead(n)
	switch {
	case state == wait:
		return wait
	case len(bytes.TrimSpace(next)) == 0, startsPacket(next):
		return closes
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
	case bytes.Contains(line, []byte(banner)) && !isHeader(line), isDump(line), string(line) == "--" && !d.follows: // grep's sign between two places
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
		return apart
	case isDebug(line), starts && at == 0:
		return r.unended()
	case r.draft.prefix.layout():
		return apart
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
		return apart
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
	if r.clean++; r.clean >= enoughClean && r.fence == 0 && r.mark < 0 {
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
