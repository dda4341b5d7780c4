package wire

import "bytes"

// A skipper finds the end of a packet whose bytes are not kept.
type skipper struct {
	follows bool   // the end mark must come before the blank line
	tail    []byte // end of the current line, enough to know a blank line and the end mark
	empty   bool   // nothing of the current line seen yet
	marked  bool   // the last whole line ended in the end mark
}

// mostHead is how much of a packet that is given up tells whose it was.
const mostHead = 512

// over gives up the packet being assembled: what is held of it is thrown away, and Next will skip the rest.
func (d *Decoder) over(what string, limit int) error {
	follows := d.phase == inFollowsHead || d.phase == inFollowsText
	d.skip = skipper{follows: follows, tail: d.skip.tail[:0], empty: true, marked: d.marked}
	head := string(d.buf[d.r:min(d.w, d.r+mostHead)])
	d.discarded += uint64(d.pos - d.r)
	d.r, d.scan = d.pos, d.pos
	d.idx.Reset()
	d.phase = inSkip
	return &LimitError{What: what, Limit: limit, Head: head}
}

// skipped throws bytes away up to the packet's end and reports whether that was reached.
func (d *Decoder) skipped() bool {
	for d.r < d.w {
		piece := d.buf[d.r:d.w]
		i := bytes.IndexByte(piece, '\n')
		if i >= 0 {
			piece = piece[:i+1]
		}
		d.r += len(piece)
		d.discarded += uint64(len(piece))
		d.pos, d.scan = d.r, d.r
		if d.skip.take(piece, i >= 0) {
			d.phase = inHeaders
			return true
		}
	}
	return false
}

// take reads a piece of a line, whole if ended, and reports whether the packet ends with it.
func (s *skipper) take(piece []byte, ended bool) bool {
	const keep = len(endCommand) + 2
	s.tail = append(s.tail, piece[max(0, len(piece)-keep):]...)
	if n := len(s.tail) - keep; n > 0 {
		s.tail = append(s.tail[:0], s.tail[n:]...)
		s.empty = false
	}
	if !ended {
		return false
	}
	line := bytes.TrimSuffix(s.tail[:len(s.tail)-1], []byte("\r"))
	blank := s.empty && len(line) == 0
	done := blank && (!s.follows || s.marked)
	s.marked = bytes.HasSuffix(line, []byte(endCommand))
	s.tail, s.empty = s.tail[:0], true
	return done
}
