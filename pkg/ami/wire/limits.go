package wire

import (
	"errors"
	"fmt"

	"github.com/apntalk/amictl/internal/packet"
)

// Limits caps what a decoder accepts from a server. A zero field takes its default. A limit that cannot be honoured,
// below zero or over what is said here, is refused: see [Limits.Check].
type Limits struct {
	Banner  int // bytes of the greeting line; 8 MiB at most
	Line    int // bytes of one line of an event, its end not counted; 8 MiB at most
	Headers int // lines of an event; 4 Mi at most
	Packet  int // bytes of an event; 8 MiB at most
	Answer  int // bytes of a response or of raw text; beyond the first 64 KiB a line counts at least 8; 16 MiB at most
}

// Defaults of [Limits].
const (
	DefaultBanner  = 256
	DefaultLine    = 1 << 20
	DefaultHeaders = 1024
	DefaultPacket  = 1 << 20
	DefaultAnswer  = 16 << 20 // GetConfig answers one header a line of the file, Command one a line of output
)

// What a packet's index can tell: a place in a packet has 25 bits.
const (
	mostBytes  = 8 << 20
	mostLines  = 4 << 20
	mostAnswer = 16 << 20

	_ = uint(packet.MaxText - mostBytes - mostAnswer - 1) // it must not overflow
)

// A limit is one of Limits.
type limit struct {
	name      string
	field     *int
	def, most int
}

func (l *Limits) each() []limit {
	return []limit{
		{"Banner", &l.Banner, DefaultBanner, mostBytes},
		{"Line", &l.Line, DefaultLine, mostBytes},
		{"Headers", &l.Headers, DefaultHeaders, mostLines},
		{"Packet", &l.Packet, DefaultPacket, mostBytes},
		{"Answer", &l.Answer, DefaultAnswer, mostAnswer},
	}
}

// Check returns an error that names the first limit that cannot be honoured, or nil.
func (l Limits) Check() error {
	for _, one := range l.each() {
		if v := *one.field; v < 0 || v > one.most {
			return fmt.Errorf("wire: the limit %s is %d, and must be between 0 (its default, %d) and %d", one.name, v, one.def, one.most)
		}
	}
	return nil
}

func (l Limits) withDefaults() Limits {
	for _, one := range l.each() {
		if *one.field == 0 {
			*one.field = one.def
		}
	}
	return l
}

// ErrMore is what [Decoder.Next] returns when it holds no whole packet: feed it and ask again.
var ErrMore = errors.New("wire: more bytes needed")

// A LimitError says that a server sent more than a limit allows. The decoder can go on: it throws the rest of that
// packet away and decodes the next one. A session had better end, unless Head names what it lost.
type LimitError struct {
	What  string // "banner", "line", "headers", "packet" or "answer"
	Limit int    // in bytes; for "headers" in lines
	Head  string // the packet's beginning, at most 512 bytes
}

func (e *LimitError) Error() string {
	unit := "bytes"
	if e.What == "headers" {
		unit = "lines"
	}
	return fmt.Sprintf("wire: %s over the limit of %d %s", e.What, e.Limit, unit)
}

// A BannerError says that the first line of a stream is not an Asterisk's greeting. It is final.
type BannerError struct {
	Got string // the line's beginning, at most 64 bytes
}

func (e *BannerError) Error() string {
	return fmt.Sprintf("wire: not an Asterisk manager: it greets with %q", e.Got)
}

// A TruncatedError says that a stream ended inside a packet, which was thrown away.
type TruncatedError struct {
	Bytes int // of the partial packet
}

func (e *TruncatedError) Error() string {
	return fmt.Sprintf("wire: the stream ended inside a packet, %d bytes thrown away", e.Bytes)
}
