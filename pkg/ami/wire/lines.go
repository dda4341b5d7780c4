package wire

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/apntalk/amictl/internal/packet"
)

// A lines takes the lines of one packet off a buffer, as long as they are well within the limits and refs do for them.
type lines struct {
	buf   []byte
	start int    // of the packet
	pos   int    // of the line being looked at
	from  int    // buf[pos:from] holds no line end
	most  int    // no line that ends behind it
	line  int    // no line that is longer
	left  int    // no more lines than these
	idx   []byte // of refs
}

// take takes what lines there are, searching for each line end and colon. It reports whether the packet is whole.
func (p *lines) take() (done bool) {
	for p.left > 0 {
		i := bytes.IndexByte(p.buf[p.from:], '\n')
		if i < 0 {
			return false
		}
		end := p.from + i
		if end >= p.most || end-p.pos > p.line {
			return false
		}
		next := end + 1
		if end > p.pos && p.buf[end-1] == '\r' {
			end--
		}
		if end == p.pos {
			p.pos, p.from = next, next
			return true
		}
		name := bytes.IndexByte(p.buf[p.pos:end], ':')
		r := packet.NewRef(p.buf, p.start, p.pos, end, next, name)
		p.idx = binary.LittleEndian.AppendUint32(p.idx, uint32(r))
		p.pos, p.from = next, next
		p.left--
	}
	return false
}

// takeMarked does the same for lines in the whole 64-byte blocks that there are, of which it knows all line ends and
// colons at once. What is in registers here is what the speed of a busy stream hangs on.
func (p *lines) takeMarked() (done bool) {
	buf, pos, idx, left := p.buf, p.pos, p.idx, p.left
	name := -1 // length of the line's name; none yet
	if p.from > pos {
		name = bytes.IndexByte(buf[pos:p.from], ':')
	}
	base := p.from
scan:
	for ; base+64 <= len(buf); base += 64 {
		lf, co := marks((*[64]byte)(buf[base:]))
		for ; lf != 0; lf &= lf - 1 {
			n := bits.TrailingZeros64(lf)
			end := base + n
			if end >= p.most || end-pos > p.line || left == 0 {
				break scan
			}
			if c := bits.TrailingZeros64(co); c < n && name < 0 {
				name = base + c - pos
			}
			next := end + 1
			if end > pos && buf[end-1] == '\r' {
				end--
			}
			if end == pos {
				pos, done = next, true
				break scan
			}
			idx = binary.LittleEndian.AppendUint32(idx, uint32(packet.NewRef(buf, p.start, pos, end, next, name)))
			co &= ^uint64(1) << n
			pos, name = next, -1
			left--
		}
		if co != 0 && name < 0 {
			name = base + bits.TrailingZeros64(co) - pos
		}
	}
	p.pos, p.from, p.idx, p.left = pos, max(pos, base), idx, left
	return done
}

// marksGeneric is marks for any machine.
func marksGeneric(p *[64]byte) (lf, colon uint64) {
	for i, c := range p {
		switch c {
		case '\n':
			lf |= 1 << i
		case ':':
			colon |= 1 << i
		}
	}
	return lf, colon
}
