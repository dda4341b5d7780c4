package ami

import (
	"cmp"
	"slices"
)

// minWriteBuffer holds the largest action there is: 128 lines of 1,024 bytes and the blank one.
const minWriteBuffer = 128*1024 + 2

// An outbuf holds encoded actions that the writer has not taken yet. Places in it are offsets in the session's whole
// outgoing stream. A call that ends before it was taken is cut out, so that "not sent" stays true.
type outbuf struct {
	buf   []byte
	base  uint64 // stream offset of buf[0]
	end   uint64 // stream offset behind the last byte
	holes []hole // calls cut out
	dead  int    // bytes of holes that still lie in buf
}

// A hole is the place of a call that was cut out; its offsets stay used, so that no other call's move.
type hole struct {
	start, end uint64
	removed    bool // its bytes are gone from buf
}

// appended tells that n bytes were appended to buf.
func (o *outbuf) appended(n int) { o.end += uint64(n) }

// live returns the bytes that would be written.
func (o *outbuf) live() int { return len(o.buf) - o.dead }

// cut takes the bytes of one call out, unless they went with a write, which failed before it came to them.
func (o *outbuf) cut(start, end uint64) {
	if start < o.base {
		return
	}
	o.holes = append(o.holes, hole{start: start, end: end})
	o.dead += int(end - start)
	if o.dead > len(o.buf)/2 {
		o.compact()
	}
}

// compact moves the live bytes together. Halving at least, it costs a constant a byte appended.
func (o *outbuf) compact() {
	slices.SortFunc(o.holes, func(a, b hole) int { return cmp.Compare(a.start, b.start) })
	kept := o.buf[:0]
	from := 0         // in buf: what is not yet copied
	gone := uint64(0) // bytes of holes before here that are no longer in buf
	for i := range o.holes {
		h := &o.holes[i]
		if !h.removed {
			at := int(h.start - o.base - gone)
			kept = append(kept, o.buf[from:at]...)
			from = at + int(h.end-h.start)
			h.removed = true
		} else {
			gone += h.end - h.start
		}
	}
	o.buf = append(kept, o.buf[from:]...)
	o.dead = 0
	o.mergeHoles()
}

// mergeHoles makes one hole of neighbours, so that there are never more of them than live calls.
func (o *outbuf) mergeHoles() {
	n := 0
	for _, h := range o.holes {
		if n > 0 && o.holes[n-1].end == h.start {
			o.holes[n-1].end = h.end
			continue
		}
		o.holes[n] = h
		n++
	}
	o.holes = o.holes[:n]
}

// reach returns the stream offset up to which the first n bytes of a compacted buf go.
func (o *outbuf) reach(n int) uint64 {
	at := o.base + uint64(n)
	for _, h := range o.holes {
		if h.start > at || h.start == at && n < len(o.buf) {
			break
		}
		at += h.end - h.start
	}
	return at
}

// take hands everything over to the writer and continues in spare.
func (o *outbuf) take(spare []byte) outbuf {
	if o.dead > 0 {
		o.compact()
	}
	taken := *o
	*o = outbuf{buf: spare[:0], base: taken.end, end: taken.end}
	return taken
}
