// Package packet is what package wire and the engine around it share and nobody else needs: how a packet's bytes lie in
// memory, so that they can be copied into the engine's buffers and be messages again without being decoded twice.
package packet

import (
	"strings"
	"unsafe"
)

// A Packet is one packet: its text and the place of every line in it.
type Packet struct {
	Text    string // as it came, line ends included
	Index   string // of its lines, see Ref
	Kind    uint8  // a wire.Kind
	Follows bool   // "Response: Follows": headers, then bare text up to --END COMMAND-- (Asterisk 13 and older)
	Wide    bool   // Index holds WideRefs
}

// load reads eight bytes of the index.
func (p *Packet) load(at int) uint64 {
	s := p.Index[at : at+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func (p *Packet) ref(i int) Ref {
	s := p.Index[i*RefBytes : i*RefBytes+RefBytes]
	return Ref(s[0]) | Ref(s[1])<<8 | Ref(s[2])<<16 | Ref(s[3])<<24
}

func (p *Packet) wideRef(i int) WideRef { return WideRef(p.load(i * WideBytes)) }

// place returns where line i starts, the length of its name, and where its value starts and ends.
func (p *Packet) place(i int) (start, name, value, end int) {
	if p.Wide {
		r := p.wideRef(i)
		return r.Start(), r.NameLen(), r.value(), r.End()
	}
	var r Ref
	if at := i * RefBytes; at < len(p.Index)-RefBytes {
		two := p.load(at)
		r, end = Ref(two), Ref(two>>32).Start()
	} else {
		r, end = p.ref(i), p.blank()
	}
	start, name = r.Start(), r.NameLen()
	return start, name, start + name + r.Gap(), end - r.lineEnd()
}

// Start returns where line i starts in Text.
func (p *Packet) Start(i int) int {
	start, _, _, _ := p.place(i)
	return start
}

// blank returns where the blank line starts that ends the packet.
func (p *Packet) blank() int {
	n := len(p.Text) - 1
	if n > 0 && p.Text[n-1] == '\r' {
		n--
	}
	return n
}

// Len returns the number of lines, without the blank one that ends the packet.
func (p *Packet) Len() int {
	if p.Wide {
		return len(p.Index) / WideBytes
	}
	return len(p.Index) / RefBytes
}

// Line returns name and value of line i; the name is empty when it is not a header.
func (p *Packet) Line(i int) (name, value string) {
	start, n, v, end := p.place(i)
	return p.Text[start : start+n], p.Text[v:end]
}

// Parts is Line, with the line as it came but for its end.
func (p *Packet) Parts(i int) (name, value, line string) {
	start, n, v, end := p.place(i)
	return p.Text[start : start+n], p.Text[v:end], p.Text[start:end]
}

// NameLen returns the length of line i's name, 0 if it is not a header.
func (p *Packet) NameLen(i int) int {
	if p.Wide {
		return p.wideRef(i).NameLen()
	}
	return p.ref(i).NameLen()
}

// Size returns the bytes that text and index hold.
func (p *Packet) Size() int { return len(p.Text) + len(p.Index) }

// Clone returns a copy that borrows nothing, in one allocation of Size bytes.
func (p *Packet) Clone() Packet {
	var b strings.Builder
	b.Grow(len(p.Text) + len(p.Index))
	b.WriteString(p.Text)
	b.WriteString(p.Index)
	s := b.String()
	return Packet{Text: s[:len(p.Text)], Index: s[len(p.Text):], Kind: p.Kind, Follows: p.Follows, Wide: p.Wide}
}

// A Packed tells how a packet lies in a buffer that Pack filled. It holds no pointer.
type Packed struct {
	text, index uint32
	kind        uint8
	follows     bool
	wide        bool
}

// Pack copies text and index to the front of dst, which must have room for Size bytes.
func (p *Packet) Pack(dst []byte) Packed {
	n := copy(dst, p.Text)
	k := copy(dst[n:], p.Index)
	return Packed{text: uint32(n), index: uint32(k), kind: p.Kind, follows: p.Follows, wide: p.Wide}
}

// Size returns the bytes that the packed packet takes.
func (p *Packed) Size() int { return int(p.text) + int(p.index) }

// Packet returns the packet at the front of src, borrowed: it and every string taken from it are valid until src is
// written again.
func (p *Packed) Packet(src []byte) Packet {
	s := Borrow(src[:p.Size()])
	return Packet{Text: s[:p.text], Index: s[p.text:], Kind: p.kind, Follows: p.follows, Wide: p.wide}
}

// Borrow views b as a string without a copy, for what is documented to live until b is written again.
func Borrow(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
