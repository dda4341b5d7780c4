package packet

import "encoding/binary"

// A packet's index says where its lines lie: a Ref a line, or a WideRef where refs do not do.

// A Ref is where a line starts in the packet (16 bits), how long its name is (12), what lies between name and value (2:
// 0 nothing, for there is no name; 1 a colon; 2 a colon and a space) and how long its line end is (1: one byte or two).
// Its value ends where the next line starts, but for the line end.
type Ref uint32

// A WideRef is where a line starts (25 bits), the length of its name (12), of what lies between (2) and of its value (25).
// It is for packets of over 64 KiB, for a Command's bare text, whose last line may end before its line does, and for the
// banner, which no blank line ends.
type WideRef uint64

const (
	RefBytes  = 4
	WideBytes = 8

	keptIndex = 32 << 10 // bytes that an empty index keeps room for

	MaxRefStart = 1<<16 - 1
	MaxText     = 1<<25 - 1
	maxNameLen  = 1<<12 - 1

	refNameShift = 16
	refGapShift  = 28
	refEndShift  = 30

	wideNameShift  = 25
	wideGapShift   = 37
	wideValueShift = 39
)

// NewRef describes the line buf[pos:end], whose successor starts at next, of the packet that starts at start. name is
// where its first colon is; that is no name if there is none, or if it is the line's first byte.
func NewRef(buf []byte, start, pos, end, next, name int) Ref {
	r := Ref(pos-start)&MaxRefStart | Ref(next-end-1)<<refEndShift
	if name <= 0 || name > maxNameLen {
		return r
	}
	gap := 1
	if value := pos + name + 1; value < end && buf[value] == ' ' {
		gap = 2
	}
	return r | Ref(name)<<refNameShift | Ref(gap)<<refGapShift
}

func (r Ref) Start() int   { return int(r & MaxRefStart) }
func (r Ref) NameLen() int { return int(r >> refNameShift & maxNameLen) }
func (r Ref) Gap() int     { return int(r >> refGapShift & 3) }
func (r Ref) lineEnd() int { return int(r>>refEndShift&1) + 1 }

// wide returns the same line's WideRef, given where it starts and ends, its line end not counted.
func (r Ref) wide(start, end int) WideRef {
	value := start + r.NameLen() + r.Gap()
	return WideRef(start) | WideRef(r.NameLen())<<wideNameShift | WideRef(r.Gap())<<wideGapShift | WideRef(end-value)<<wideValueShift
}

func (r WideRef) Start() int   { return int(r & MaxText) }
func (r WideRef) NameLen() int { return int(r >> wideNameShift & maxNameLen) }
func (r WideRef) Gap() int     { return int(r >> wideGapShift & 3) }
func (r WideRef) value() int   { return r.Start() + r.NameLen() + r.Gap() }
func (r WideRef) End() int     { return r.value() + int(r>>wideValueShift) }

// An Index is a packet's index being written.
type Index struct {
	Refs []byte
	Wide bool
}

func (x *Index) Empty() bool { return len(x.Refs) == 0 }

// Reset empties the index, and lets a large one go.
func (x *Index) Reset() {
	x.Wide = false
	if x.Refs = x.Refs[:0]; cap(x.Refs) > keptIndex {
		x.Refs = nil
	}
}

// Add appends the line that goes from start to end.
func (x *Index) Add(r Ref, start, end int) {
	if start > MaxRefStart {
		x.widen(start)
	}
	if x.Wide {
		x.Refs = binary.LittleEndian.AppendUint64(x.Refs, uint64(r.wide(start, end)))
	} else {
		x.Refs = binary.LittleEndian.AppendUint32(x.Refs, uint32(r))
	}
}

// widen makes wideRefs of what refs there are. next is where the line behind them starts.
func (x *Index) widen(next int) {
	if x.Wide {
		return
	}
	n := len(x.Refs) / RefBytes
	wide := make([]byte, n*WideBytes)
	for i := n - 1; i >= 0; i-- {
		r := Ref(binary.LittleEndian.Uint32(x.Refs[i*RefBytes:]))
		binary.LittleEndian.PutUint64(wide[i*WideBytes:], uint64(r.wide(r.Start(), next-r.lineEnd())))
		next = r.Start()
	}
	x.Refs, x.Wide = wide, true
}

// Last returns the last line, of a wide index.
func (x *Index) Last() WideRef {
	return WideRef(binary.LittleEndian.Uint64(x.Refs[len(x.Refs)-WideBytes:]))
}

// DropLast takes the last line out of a wide index.
func (x *Index) DropLast() { x.Refs = x.Refs[:len(x.Refs)-WideBytes] }
