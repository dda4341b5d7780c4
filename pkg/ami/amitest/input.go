package amitest

import "bytes"

// Limits of Asterisk's input side (manager.h, get_input in manager.c).
const (
	// maxLine is the size of the server's line buffer: a line and its line end
	// fit in it together, so 1022 bytes with CRLF and 1023 with a bare LF.
	maxLine = 1024
	// maxHeaders is AST_MAX_MANHEADERS.
	maxHeaders = 128
	// maxIdleArena is what an idle session keeps of the memory of its last message.
	maxIdleArena = 2048
)

// verdict says what became of the lines fed so far.
type verdict uint8

const (
	needMore   verdict = iota // no message is complete yet
	gotMessage                // a message is complete and well formed
	gotTooMany                // more than 128 headers
	gotTooLong                // a line overflowed the line buffer
)

// span is one header line within the arena of a message.
type span struct{ start, end int32 }

// input turns the bytes of a client into messages exactly as get_input and
// do_message do. The zero value is ready. It does no I/O and keeps no reference
// to what it is fed.
type input struct {
	arena   []byte // the lines of the message being read, without line ends
	lines   []span
	lost    bool // a header was dropped: hdr_loss in do_message
	tooLong bool // MESSAGE_LINE_TOO_LONG, which outlives a message with lost headers
	ended   bool // the message in arena was handed out; the next feed starts afresh
}

// feed takes complete lines from b until a message ends. n is how much of b was
// consumed; what remains must be offered again, with more bytes behind it.
func (in *input) feed(b []byte) (n int, v verdict) {
	if in.ended {
		in.reset()
	}
	for {
		rest := b[n:]
		window := rest
		if len(window) > maxLine {
			window = window[:maxLine]
		}
		nl := bytes.IndexByte(window, '\n')
		if nl < 0 {
			if len(window) < maxLine {
				return n, needMore
			}
			// No line end within the buffer: Asterisk drops all but the last byte,
			// which may be half a CRLF, and takes the tail as a line of its own.
			n += maxLine - 1
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

func (in *input) add(line []byte) {
	if len(in.lines) >= maxHeaders {
		in.lost = true
		return
	}
	start := len(in.arena)
	in.arena = append(in.arena, line...)
	in.lines = append(in.lines, span{int32(start), int32(len(in.arena))})
}

func (in *input) end() verdict {
	in.ended = true
	switch {
	case in.lost:
		return gotTooMany
	case in.tooLong:
		in.tooLong = false
		return gotTooLong
	}
	return gotMessage
}

func (in *input) reset() {
	in.arena, in.lines = in.arena[:0], in.lines[:0]
	in.lost, in.ended = false, false
}

// shrink gives back the memory of a large message; called before an idle wait.
func (in *input) shrink() {
	if !in.ended || cap(in.arena) <= maxIdleArena {
		return
	}
	in.reset()
	in.arena, in.lines = nil, nil
}

func (in *input) line(i int) []byte {
	return in.arena[in.lines[i].start:in.lines[i].end]
}

// first returns the value of the first header of that name (astman_get_header):
// names ignore case, the colon follows at once, leading blanks and control
// characters of the value are skipped. skipEmpty passes over empty values.
func (in *input) first(name string, skipEmpty bool) []byte {
	for i := range in.lines {
		v, ok := headerValue(in.line(i), name)
		if !ok || (skipEmpty && len(v) == 0) {
			continue
		}
		return v
	}
	return nil
}

func headerValue(line []byte, name string) (value []byte, ok bool) {
	if len(line) <= len(name) || line[len(name)] != ':' {
		return nil, false
	}
	for i := range len(name) {
		if lower(line[i]) != lower(name[i]) {
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

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
