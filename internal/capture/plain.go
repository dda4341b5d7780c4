package capture

import (
	"bytes"
	"errors"
	"strings"

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

// ahead returns the next bytes behind blank lines, enough to tell how they begin.
func (p *plain) ahead() []byte {
	a, b := p.left()
	if len(a) > 0 {
		const enough = 64
		if len(a) < enough {
			p.head = append(append(p.head[:0], a...), b[:min(len(b), enough)]...)
			a = p.head
		}
		b = a
	}
	return skipBlank(b)
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

// nextPlain returns the next packet of a plain capture. The decoder decodes nothing that does not begin as a packet does, so
// that it never takes other text for one.
func (r *Reader) nextPlain() (wire.Message, error) {
	p := r.plain
	switch yes, sure := startsPlain(p.ahead()); {
	case !sure && !r.over:
		return wire.Message{}, wire.ErrMore
	case !yes:
		return wire.Message{}, errOther
	}
	a, b := p.left() // once it is decoded, the packet is in there no more
	m, err := p.dec.Next()
	if err != nil && (r.over || !errors.Is(err, wire.ErrMore)) || err == nil && hidesMore(m.Text()) {
		r.unread(a, b)
		r.plain, r.clean = nil, 0
		return wire.Message{}, errOther
	}
	if blank := len(a) + len(b) - p.dec.Buffered() - len(m.Text()); blank > 0 {
		r.at.Line += bytes.Count(first(a, b, blank), []byte{'\n'})
	}
	if err == nil {
		r.at.Line += strings.Count(m.Text(), "\n")
		r.para.first = false
		r.blanks++
	}
	return m, err
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

// hidesMore reports whether the text of a packet looks as if there was another one in it, or a colour in its first line. It
// searches for what is rare, for it is asked of each packet.
func hidesMore(text string) bool {
	rest := text[len("Event: "):]
	if i := strings.Index(rest, "vent:"); i >= 0 && hidesEvent(rest, i) {
		return true
	}
	if i := strings.Index(rest, "Manager/"); i >= 0 && strings.HasSuffix(rest[:i], "Asterisk Call ") {
		return true
	}
	return !isLetter(rest[0]) && strings.Contains(text[:strings.IndexByte(text, '\n')], "\x1b")
}

// hidesEvent reports whether a line of the text begins with Event, where i is the first that may be one.
func hidesEvent(text string, i int) bool {
	for i >= 0 {
		if i > 1 && text[i-1]|0x20 == 'e' && (text[i-2] == '\n' || text[i-2] == 'm') { // a line's first, or behind a colour
			return true
		}
		text = text[i+1:]
		i = strings.Index(text, "vent:")
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
