package wire

import (
	"bytes"
	"io"

	"github.com/apntalk/amictl/internal/packet"
)

const (
	bannerPrefix = "Asterisk Call Manager"
	endCommand   = "--END COMMAND--"

	smallBuffer = 4 << 10  // an idle session's read buffer
	largeBuffer = 64 << 10 // a busy one's; only a single large packet goes beyond
	minSpace    = 1 << 10  // Space never offers less
	shrinkAfter = 8        // small reads in a row before a buffer shrinks
)

// A Decoder turns a server's byte stream into messages, whatever the pieces it arrives in. It is fed through Space
// and Wrote (a socket) or Feed (bytes at hand) and drained with Next. It is not safe for concurrent use.
type Decoder struct {
	limits Limits

	buf  []byte
	r, w int // buf[r:w] is the packet being assembled and what came behind it
	pos  int // start of the line being assembled
	scan int // buf[pos:scan] holds no line end

	want  int // size the buffer should have, follows the load
	small int // reads in a row that needed little

	idx         packet.Index // of the packet's lines so far
	kind        Kind
	phase       phase
	headers     int  // lines
	extra       int  // what short lines of an answer count beyond their bytes
	marked      bool // the last Follows line ended in --END COMMAND--
	sawID       bool // Follows: ActionID was read, the text begins
	loose       bool // Follows, but not Asterisk's: a blank line ends it
	text        followsText
	needsBanner bool
	discarded   uint64
	failed      error // a final error, returned for ever

	skip skipper
}

// phase is where in a packet the decoder stands.
type phase uint8

const (
	inHeaders     phase = iota
	inFollowsHead       // after "Response: Follows": at most Privilege and ActionID
	inFollowsText
	inSkip // throwing the rest of an over-size packet away
)

// NewDecoder returns a decoder for a stream that may start anywhere between packets. With limits that cannot be honoured
// (see [Limits.Check]) its Next returns that error and nothing else.
func NewDecoder(l Limits) *Decoder {
	return &Decoder{limits: l.withDefaults(), want: smallBuffer, failed: l.Check()}
}

// NewSessionDecoder returns a decoder for a fresh connection: the first line must be a banner.
func NewSessionDecoder(l Limits) *Decoder {
	d := NewDecoder(l)
	d.needsBanner = true
	return d
}

// Space returns room to read into, at least 1 KiB. It ends the life of borrowed messages.
func (d *Decoder) Space() []byte {
	if d.r == d.w {
		d.pos -= d.r
		d.scan -= d.r
		d.r, d.w = 0, 0
		if cap(d.buf) != d.want {
			d.buf = make([]byte, d.want)
		}
	}
	if cap(d.buf)-d.w >= minSpace && d.r == 0 {
		return d.buf[d.w:cap(d.buf)]
	}
	held := d.w - d.r
	if cap(d.buf)-held < max(minSpace, cap(d.buf)/4) || cap(d.buf) < d.want {
		grown := make([]byte, max(2*cap(d.buf), d.want))
		copy(grown, d.buf[d.r:d.w])
		d.buf = grown
	} else {
		copy(d.buf, d.buf[d.r:d.w])
	}
	d.pos -= d.r
	d.scan -= d.r
	d.r, d.w = 0, held
	return d.buf[d.w:cap(d.buf)]
}

// Wrote tells that n bytes were read into the front of the last Space, and adapts the buffer's size to the load.
func (d *Decoder) Wrote(n int) {
	space := cap(d.buf) - d.w
	d.w += n
	switch {
	case n == space:
		d.want = min(max(2*d.want, smallBuffer), largeBuffer)
		d.small = 0
	case n < d.want/8 && d.want > smallBuffer:
		if d.small++; d.small >= shrinkAfter {
			d.want, d.small = smallBuffer, 0
		}
	default:
		d.small = 0
	}
}

// Feed copies p into the decoder. It ends the life of borrowed messages.
func (d *Decoder) Feed(p []byte) {
	for len(p) > 0 {
		n := copy(d.Space(), p)
		d.Wrote(n)
		p = p[n:]
	}
}

// Buffered returns how many bytes wait in an incomplete packet or behind it.
func (d *Decoder) Buffered() int { return d.w - d.r }

// memory returns the bytes of the decoder's own buffers.
func (d *Decoder) memory() int { return cap(d.buf) + cap(d.idx.Refs) }

// End tells that the stream is over: it returns a *TruncatedError if that was inside a packet, else io.EOF.
func (d *Decoder) End() error {
	if n := d.w - d.r; n > 0 || d.phase == inSkip {
		return &TruncatedError{Bytes: n}
	}
	return io.EOF
}

// Discarded returns how many bytes of over-size packets were thrown away so far.
func (d *Decoder) Discarded() uint64 { return d.discarded }

// Next returns the next packet, borrowed, or ErrMore when none is whole yet. Blank lines between packets are skipped.
//
// A *LimitError ends one packet: calling Next again throws the rest of it away and goes on behind it. A *BannerError
// is final, as is a LimitError about the banner.
func (d *Decoder) Next() (Message, error) {
	if d.failed != nil {
		return Message{}, d.failed
	}
	if d.needsBanner {
		return d.banner()
	}
	if !d.idx.Empty() && d.pos == d.r {
		d.idx.Reset() // the last call ended a packet
	}
	for {
		if d.phase == inSkip && !d.skipped() {
			return Message{}, ErrMore
		}
		if d.phase == inHeaders && d.plain() && d.plainLines() {
			return d.packet(), nil
		}
		i := bytes.IndexByte(d.buf[d.scan:d.w], '\n')
		if i < 0 {
			d.scan = d.w
			if d.w-d.pos > d.mostLine()+1 {
				return Message{}, d.lineOver()
			}
			return Message{}, ErrMore
		}
		next := d.scan + i + 1
		end := next - 1
		if end > d.pos && d.buf[end-1] == '\r' {
			end--
		}
		if end-d.pos > d.mostLine() {
			return Message{}, d.lineOver()
		}
		done, err := d.line(end, next)
		if err != nil {
			return Message{}, err
		}
		d.pos, d.scan = next-d.text.back, next-d.text.back
		d.text.back = 0
		if done {
			return d.packet(), nil
		}
	}
}

// plain reports whether what comes next may be lines for plainLines: those behind the first, or a first one spelled as
// Asterisk spells it.
func (d *Decoder) plain() bool {
	if !d.idx.Empty() {
		return !d.idx.Wide
	}
	const event, response = "Event: ", "Response: "
	switch b := d.buf[d.pos:d.w]; {
	case len(b) > len(event) && string(b[:len(event)]) == event:
		d.begin(Event)
	case len(b) > len(response) && string(b[:len(response)]) == response && b[len(response)]|0x20 != 'f': // Follows
		d.begin(Response)
	default:
		return false
	}
	return true
}

// plainLines takes the whole lines at hand, which is what a busy stream consists of, and reports whether the packet is whole. It leaves every line that is not well within the limits to line.
func (d *Decoder) plainLines() (done bool) {
	p := lines{
		buf: d.buf[:d.w], start: d.r, pos: d.pos, from: d.scan, idx: d.idx.Refs,
		most: min(d.w, d.r+d.mostBytes(), d.r+packet.MaxRefStart), line: d.mostLine(), left: d.mostHeaders() - d.headers,
	}
	before := p.left
	if hasMarks {
		done = p.takeMarked()
	}
	if !done {
		done = p.take()
	}
	d.headers += before - p.left
	if p.pos != d.pos {
		d.pos, d.scan, d.idx.Refs = p.pos, p.pos, p.idx
	}
	return done
}

// isAnswer reports whether the packet being assembled may be a whole file's contents, all in one answer.
func (d *Decoder) isAnswer() bool { return !d.idx.Empty() && (d.kind == Response || d.kind == Raw) }

// mostHeaders is how many lines a packet of this kind may have.
func (d *Decoder) mostHeaders() int {
	if d.kind == Event {
		return d.limits.Headers
	}
	return mostAnswer
}

// mostBytes is how long a packet of this kind may be.
func (d *Decoder) mostBytes() int {
	if d.kind == Event {
		return d.limits.Packet
	}
	return d.limits.Answer
}

// mostLine is how long a line may be: GetConfigJSON answers a file in one.
func (d *Decoder) mostLine() int {
	if d.isAnswer() {
		return d.limits.Answer
	}
	return d.limits.Line
}

// lineOver gives up a packet with a line that is too long.
func (d *Decoder) lineOver() error {
	if d.isAnswer() {
		return d.over("answer", d.limits.Answer)
	}
	return d.over("line", d.limits.Line)
}

// line takes the line buf[pos:end], whose successor starts at next, and reports whether the packet is whole.
func (d *Decoder) line(end, next int) (done bool, err error) {
	if d.phase == inHeaders {
		return d.header(end, next)
	}
	if d.phase == inFollowsHead {
		name, _ := splitHeader(d.buf[d.pos:end])
		isID := EqualFold(packet.Borrow(name), "ActionID")
		if !d.sawID && (isID || d.headers == 1 && EqualFold(packet.Borrow(name), "Privilege")) {
			d.sawID = isID
			return d.header(end, next)
		}
		if d.loose = d.headers == 1 && misspelt(packet.Borrow(name)); d.loose {
			d.phase = inHeaders
			return d.header(end, next)
		}
		d.phase = inFollowsText
	}
	return d.followsLine(end, next)
}

// header takes one line of an ordinary packet.
func (d *Decoder) header(end, next int) (done bool, err error) {
	line := d.buf[d.pos:end]
	first := d.idx.Empty()
	if len(line) == 0 {
		if first { // blank lines between packets: two after SuccessfulAuth and Command, more elsewhere
			d.r = next
			return false, nil
		}
		if d.loose && d.marked {
			d.endMark()
		}
		return true, nil
	}
	r := packet.NewRef(d.buf, d.r, d.pos, end, next, bytes.IndexByte(line, ':'))
	name, value := line[:r.NameLen()], line[r.NameLen()+r.Gap():]
	if first {
		if len(name) == 0 && bytes.HasPrefix(line, []byte(bannerPrefix)) {
			d.begin(Banner)
			d.idx.Wide = true
			return true, d.push(r, end, next)
		}
		d.classify(name, value)
	}
	d.marked = d.loose && bytes.HasSuffix(line, []byte(endCommand))
	return false, d.push(r, end, next)
}

// classify begins a packet by its first header.
func (d *Decoder) classify(name, value []byte) {
	switch {
	case EqualFold(packet.Borrow(name), "Event"):
		d.begin(Event)
	case EqualFold(packet.Borrow(name), "Response"):
		d.begin(Response)
		if EqualFold(packet.Borrow(value), "Follows") {
			d.phase = inFollowsHead
			d.idx.Wide = true
		}
	default:
		d.begin(Raw)
	}
}

func (d *Decoder) begin(k Kind) {
	d.kind, d.headers, d.extra, d.marked, d.sawID, d.loose = k, 0, 0, false, false, false
	d.text = followsText{own: d.text.own}
}

// push records a line. A short one of an answer counts what its index costs.
func (d *Decoder) push(r packet.Ref, end, next int) error {
	d.headers++
	if most := d.mostHeaders(); d.headers > most {
		return d.over("headers", most)
	}
	if d.kind != Event {
		d.extra += max(0, packet.WideBytes-(next-d.pos))
	}
	if most := d.mostBytes(); next-d.r+d.extra > most {
		if d.kind == Event {
			return d.over("packet", most)
		}
		return d.over("answer", most)
	}
	d.idx.Add(r, d.pos-d.r, end-d.r)
	return nil
}

// packet hands out buf[r:pos] and readies the decoder for the next one; idx lives until then.
func (d *Decoder) packet() Message {
	m := Message{packet.Packet{
		Text: packet.Borrow(d.buf[d.r:d.pos]), Index: packet.Borrow(d.idx.Refs), Kind: uint8(d.kind),
		Follows: d.phase != inHeaders || d.loose, Wide: d.idx.Wide,
	}}
	d.phase = inHeaders
	d.r = d.pos
	return m
}

// banner takes the greeting, and refuses another protocol at its first differing byte, without waiting for a line.
func (d *Decoder) banner() (Message, error) {
	have := d.buf[d.r:d.w]
	n := min(len(have), len(bannerPrefix))
	if string(have[:n]) != bannerPrefix[:n] {
		if i := bytes.IndexByte(have, '\n'); i >= 0 {
			have = have[:i]
		}
		d.failed = &BannerError{Got: string(bytes.TrimRight(have[:min(len(have), 64)], "\r"))}
		return Message{}, d.failed
	}
	i := bytes.IndexByte(have, '\n')
	if i > d.limits.Banner || i < 0 && len(have) > d.limits.Banner {
		d.failed = &LimitError{What: "banner", Limit: d.limits.Banner}
		return Message{}, d.failed
	}
	if i < 0 {
		return Message{}, ErrMore
	}
	d.needsBanner = false
	return d.Next()
}

func splitHeader(line []byte) (name, value []byte) {
	if c := bytes.IndexByte(line, ':'); c > 0 {
		return line[:c], line[c+1:]
	}
	return nil, line
}
