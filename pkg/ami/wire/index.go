package wire

import "encoding/binary"

// A packet's index says where its lines lie: a ref a line, or a wideRef where refs do not do.

// A ref is where a line starts in the packet (16 bits), how long its name is (12), what lies between name and value (2:
// 0 nothing, for there is no name; 1 a colon; 2 a colon and a space) and how long its line end is (1: one byte or two).
// Its value ends where the next line starts, but for the line end.
type ref uint32

// A wideRef is where a line starts (25 bits), the length of its name (12), of what lies between (2) and of its value (25).
// It is for packets of over 64 KiB, for a Command's bare text, whose last line may end before its line does, and for the
// banner, which no blank line ends.
type wideRef uint64

const (
	refBytes  = 4
	wideBytes = 8

	maxRefStart = 1<<16 - 1
	maxText     = 1<<25 - 1
	maxNameLen  = 1<<12 - 1

	refNameShift = 16
	refGapShift  = 28
	refEndShift  = 30

	wideNameShift  = 25
	wideGapShift   = 37
	wideValueShift = 39
)

// newRef describes the line buf[pos:end], whose successor starts at next, of the packet that starts at start. name is
// where its first colon is; that is no name if there is none, or if it is the line's first byte.
func newRef(buf []byte, start, pos, end, next, name int) ref {
	r := ref(pos-start)&maxRefStart | ref(next-end-1)<<refEndShift
	if name <= 0 || name > maxNameLen {
		return r
	}
	gap := 1
	if value := pos + name + 1; value < end && buf[value] == ' ' {
		gap = 2
	}
	return r | ref(name)<<refNameShift | ref(gap)<<refGapShift
}

func (r ref) start() int   { return int(r & maxRefStart) }
func (r ref) nameLen() int { return int(r >> refNameShift & maxNameLen) }
func (r ref) gap() int     { return int(r >> refGapShift & 3) }
func (r ref) lineEnd() int { return int(r>>refEndShift&1) + 1 }

// wide returns the same line's wideRef, given where it starts and ends, its line end not counted.
func (r ref) wide(start, end int) wideRef {
	value := start + r.nameLen() + r.gap()
	return wideRef(start) | wideRef(r.nameLen())<<wideNameShift | wideRef(r.gap())<<wideGapShift | wideRef(end-value)<<wideValueShift
}

func (r wideRef) start() int   { return int(r & maxText) }
func (r wideRef) nameLen() int { return int(r >> wideNameShift & maxNameLen) }
func (r wideRef) gap() int     { return int(r >> wideGapShift & 3) }
func (r wideRef) value() int   { return r.start() + r.nameLen() + r.gap() }
func (r wideRef) end() int     { return r.value() + int(r>>wideValueShift) }

// An index is a packet's index being written.
type index struct {
	refs []byte
	wide bool
}

func (x *index) empty() bool { return len(x.refs) == 0 }

// keptIndex is how many bytes of an index are kept for the next packet.
const keptIndex = 32 << 10

// reset empties the index, and lets a large one go.
func (x *index) reset() {
	x.wide = false
	if x.refs = x.refs[:0]; cap(x.refs) > keptIndex {
		x.refs = nil
	}
}

// add appends the line that goes from start to end.
func (x *index) add(r ref, start, end int) {
	if start > maxRefStart {
		x.widen(start)
	}
	if x.wide {
		x.refs = binary.LittleEndian.AppendUint64(x.refs, uint64(r.wide(start, end)))
	} else {
		x.refs = binary.LittleEndian.AppendUint32(x.refs, uint32(r))
	}
}

// widen makes wideRefs of what refs there are. next is where the line behind them starts.
func (x *index) widen(next int) {
	if x.wide {
		return
	}
	n := len(x.refs) / refBytes
	wide := make([]byte, n*wideBytes)
	for i := n - 1; i >= 0; i-- {
		r := ref(binary.LittleEndian.Uint32(x.refs[i*refBytes:]))
		binary.LittleEndian.PutUint64(wide[i*wideBytes:], uint64(r.wide(r.start(), next-r.lineEnd())))
		next = r.start()
	}
	x.refs, x.wide = wide, true
}

// last returns the last line, of a wide index.
func (x *index) last() wideRef {
	return wideRef(binary.LittleEndian.Uint64(x.refs[len(x.refs)-wideBytes:]))
}

// dropLast takes the last line out of a wide index.
func (x *index) dropLast() { x.refs = x.refs[:len(x.refs)-wideBytes] }
