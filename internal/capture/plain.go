package capture

import (
	"bytes"
	"errors"
	"strings"

	"github.com/apntalk/amictl/internal/packet"
	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A plain reads a capture without other text, as fast as the decoder can: what is read goes into the decoder's buffer.
type plain struct {
	dec   *wire.Decoder
	chunk []byte // what was read last, where it lies in the decoder
	held  []byte // what the decoder had left before that
	head  []byte // scratch
}

// space returns room to read into. What the decoder has left is kept, for it may have to be read in another way.
func (p *plain) space() []byte {
	left := p.dec.Buffered()
	if n := left - len(p.chunk); n > 0 {
		p.held = append(p.held[len(p.held)-n:], p.chunk...)
	} else {
		p.held = append(p.held[:0], p.chunk[-n:]...)
	}
	p.chunk = p.dec.Space()
	return p.chunk
}

func (p *plain) wrote(n int) {
	p.dec.Wrote(n)
	p.chunk = p.chunk[:n]
}

// left returns what the decoder has left, in two pieces.
func (p *plain) left() (a, b []byte) {
	n := p.dec.Buffered()
	if n <= len(p.chunk) {
		return nil, p.chunk[len(p.chunk)-n:]
	}
	return p.held[len(p.held)+len(p.chunk)-n:], p.chunk
}

// ahead returns the next bytes of two pieces behind blank lines, enough to tell how they begin.
func (p *plain) ahead(a, b []byte) []byte {
	const enough = 64
	switch {
	case len(a) == 0:
		a = b
	case len(a) < enough:
		p.head = append(append(p.head[:0], a...), b[:min(len(b), enough)]...)
		a = p.head
	}
	return skipBlank(a)
}

// errOther is of text that is not for a plain to read.
var errOther = errors.New("other text")

// toPlain has what comes read as a plain capture.
func (r *Reader) toPlain() {
	r.plain, r.clean = &plain{dec: wire.NewDecoder(wire.Limits{}), held: bytes.Clone(r.buf[r.pos:r.end])}, 0
	r.plain.dec.Feed(r.plain.held)
	r.pos, r.end, r.full = 0, 0, 0
}

// toLines has what comes read line by line.
func (r *Reader) toLines() {
	if r.plain == nil {
		return
	}
	a, b := r.plain.left()
	r.unread(a, b)
	r.plain, r.clean = nil, 0
}

// unread puts what is in two pieces into the buffer.
func (r *Reader) unread(a, b []byte) {
	r.buf = append(append(r.buf[:0], a...), b...)
	r.pos, r.end, r.full = 0, len(r.buf), len(r.buf)
	if len(r.buf) < firstBuffer {
		r.buf = append(r.buf, make([]byte, firstBuffer-len(r.buf))...)
	}
}

// nextPlain reads the next packet of a plain capture into m. The decoder decodes nothing that does not begin as a packet does,
// so that it never takes other text for one.
func (r *Reader) nextPlain(m *wire.Message) (err error) {
	p := r.plain
	a, b := p.left() // once it is decoded, the packet is in there no more
	switch yes, sure := startsPlain(p.ahead(a, b)); {
	case !sure && !r.over:
		return wire.ErrMore
	case !yes:
		return errOther
	}
	*m, err = p.dec.Next()
	if err != nil && (r.over || err != wire.ErrMore) || err == nil && hidesMore(m) { //nolint:errorlint // the decoder's own
		r.unread(a, b)
		r.plain, r.clean = nil, 0
		return errOther
	}
	if blank := len(a) + len(b) - p.dec.Buffered() - len(m.Text()); blank > 0 {
		r.at.Line += bytes.Count(first(a, b, blank), []byte{'\n'})
	}
	if err == nil {
		r.at.Line += m.Len() + 1
		r.para.first = false
		r.blanks++
	}
	return err
}

// first returns the first n bytes of two pieces.
func first(a, b []byte, n int) []byte {
	if n <= len(a) {
		return a[:n]
	}
	return append(bytes.Clone(a), b[:n-len(a)]...)
}

// startsPlain tells a packet that begins as Asterisk writes it, other than a Command's bare text.
func startsPlain(b []byte) (yes, sure bool) {
	const event, response = "Event: ", "Response: "
	switch {
	case len(b) < len(event):
		return false, false
	case string(b[:len(event)]) == event:
		return true, true
	case len(b) <= len(response):
		return false, !strings.HasPrefix(response, string(b))
	}
	return string(b[:len(response)]) == response && b[len(response)]|0x20 != 'f', true
}

// hidesMore reports whether a packet looks as if there was another one in it, behind a banner or a line of other text, or
// colours. It looks at names by their length and a letter, for it is asked of each packet.
func hidesMore(m *wire.Message) bool {
	p := inside.Of(m)
	index, text := p.Index, p.Text
	if p.Wide || len(text) < len("Event: x") || !isLetter(text[len("Event: ")]) {
		return hidesAnything(p)
	}
	for at := packet.RefBytes; at+packet.RefBytes <= len(index); at += packet.RefBytes {
		r := packet.Ref(index[at]) | packet.Ref(index[at+1])<<8 | packet.Ref(index[at+2])<<16 | packet.Ref(index[at+3])<<24
		switch r.NameLen() {
		case len("Event"):
			if c := text[r.Start()+1]; c|0x20 == 'v' {
				return hidesAnything(p)
			}
		case len("Response"):
			if c := text[r.Start()]; c|0x20 == 'r' {
				return hidesAnything(p)
			}
		case 0:
			return hidesAnything(p)
		}
	}
	return false
}

// hidesAnything is hidesMore, of a packet for which it takes a closer look.
func hidesAnything(p *packet.Packet) bool {
	for i := range p.Len() {
		name, value := p.Line(i)
		switch {
		case i == 0 && strings.IndexByte(value, '\x1b') >= 0:
			return true
		case i == 0:
		case wire.EqualFold(name, "Event"):
			return true
		case wire.EqualFold(name, "Response") && i+1 < p.Len():
			if _, _, next := p.Parts(i + 1); answers([]byte(next)) {
				return true
			}
		case name == "" && (strings.Contains(value, banner) || strings.IndexByte(value, '\x1b') >= 0 || strings.TrimSpace(value) == ""):
			return true
		}
	}
	return false
}

// skipBlank returns b without the blank lines at its front.
func skipBlank(b []byte) []byte {
	for len(b) > 0 {
		switch {
		case b[0] == '\n':
			b = b[1:]
		case len(b) > 1 && b[0] == '\r' && b[1] == '\n':
			b = b[2:]
		default:
			return b
		}
	}
	return b
}
