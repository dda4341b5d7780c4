package manager

import "bytes"

// Limits of Asterisk's input side (manager.h, get_input in manager.c).
const (
	// MaxLine is the size of the server's line buffer: a line and its line end
	// fit in it together, so 1022 bytes with CRLF and 1023 with a bare LF.
	MaxLine = 1024
	// MaxHeaders is AST_MAX_MANHEADERS.
	MaxHeaders = 128
	// maxIdleArena is what an idle session keeps of the memory of its last message.
	maxIdleArena = 2048
)

// Verdict says what became of the lines fed so far.
type Verdict uint8

const (
	// NeedMore: no message is complete yet.
	NeedMore Verdict = iota
	// GotMessage: a message is complete and well formed.
	GotMessage
	// GotTooMany: more than 128 headers.
	GotTooMany
	// GotTooLong: a line overflowed the line buffer.
	GotTooLong
)

// What the server answers to messages that it cannot read, and to one without an Action (do_message, process_message).
const (
	TooManyText  = "Too many lines in message or allocation failure"
	TooLongText  = "Failed to parse message: line too long"
	NoActionText = "Missing action in request"
	DeniedText   = "Permission denied"
)

// span is one header line within the arena of a message.
type span struct{ start, end int32 }

// An Input turns the bytes of a client into messages exactly as get_input and
// do_message do. The zero value is ready. It does no I/O and keeps no reference
// to what it is fed.
type Input struct {
	arena   []byte // the lines of the message being read, without line ends
	lines   []span
	lost    bool // a header was dropped: hdr_loss in do_message
	tooLong bool // MESSAGE_LINE_TOO_LONG, which outlives a message with lost headers
	ended   bool // the message in arena was handed out; the next feed starts afresh
}

// Feed takes complete lines from b until a message ends. n is how much of b was
// consumed; what remains must be offered again, with more bytes behind it.
func (in *Input) Feed(b []byte) (n int, v Verdict) {
	if in.ended {
		in.reset()
	}
	for {
		rest := b[n:]
		window := rest
		if len(window) > MaxLine {
			window = window[:MaxLine]
		}
		nl := bytes.IndexByte(window, '\n')
		if nl < 0 {
			if len(window) < MaxLine {
				return n, NeedMore
			}
			// No line end within the buffer: Asterisk drops all but the last byte,
			// which may be half a CRLF, and takes the tail as a line of its own.
			n += MaxLine - 1
			in.tooLong = true
			continue
		}
		n += nl + 1
		line := window[:nl]
		if nl > 0 && line[nl-1] == '\r' {
			line = line[:nl-1]
		}
		// The line is a C string from here on.
		if z := bytes.IndexByte(line, 0); z >= 0 {
			line = line[:z]
		}
		if len(line) == 0 {
			return n, in.end()
		}
		in.add(line)
	}
}

func (in *Input) add(line []byte) {
	if len(in.lines) >= MaxHeaders {
		in.lost = true
		return
	}
	start := len(in.arena)
	in.arena = append(in.arena, line...)
	in.lines = append(in.lines, span{int32(start), int32(len(in.arena))})
}

func (in *Input) end() Verdict {
	in.ended = true
	switch {
	case in.lost:
		return GotTooMany
	case in.tooLong:
		in.tooLong = false
		return GotTooLong
	}
	return GotMessage
}

func (in *Input) reset() {
	in.arena, in.lines = in.arena[:0], in.lines[:0]
	in.lost, in.ended = false, false
}

// Shrink gives back the memory of a large message; called before an idle wait.
func (in *Input) Shrink() {
	if !in.ended || cap(in.arena) <= maxIdleArena {
		return
	}
	in.reset()
	in.arena, in.lines = nil, nil
}

// Len returns how many header lines the message has.
func (in *Input) Len() int { return len(in.lines) }

// Line returns a header line as it came; it is valid until the next Feed.
func (in *Input) Line(i int) []byte {
	return in.arena[in.lines[i].start:in.lines[i].end]
}

// First returns the value of the first header of that name (astman_get_header):
// names ignore case, the colon follows at once, leading blanks and control
// characters of the value are skipped. skipEmpty passes over empty values.
func (in *Input) First(name string, skipEmpty bool) []byte {
	for i := range in.lines {
		v, ok := HeaderValue(in.Line(i), name)
		if !ok || (skipEmpty && len(v) == 0) {
			continue
		}
		return v
	}
	return nil
}

// HeaderValue returns the value of a line if it is a header of that name.
func HeaderValue(line []byte, name string) (value []byte, ok bool) {
	if len(line) <= len(name) || line[len(name)] != ':' {
		return nil, false
	}
	for i := range len(name) {
		if Lower(line[i]) != Lower(name[i]) {
			return nil, false
		}
	}
	return skipBlanks(line[len(name)+1:]), true
}

// skipBlanks is ast_skip_blanks: everything below '!' is blank.
func skipBlanks(b []byte) []byte {
	for len(b) > 0 && b[0] < 33 {
		b = b[1:]
	}
	return b
}

// Lower returns an ASCII letter in lower case, and any other byte as it is.
func Lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// Blanks are the bytes that ast_skip_blanks passes over, as one that ends a line does not come.
const Blanks = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\v\f\r\x0e\x0f" +
	"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f "
