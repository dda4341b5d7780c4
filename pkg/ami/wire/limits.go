package wire

import (
	"errors"
	"fmt"
)

// Limits caps what a decoder accepts from a server. A zero field takes its default.
type Limits struct {
	Banner  int // bytes of the greeting line
	Line    int // bytes of one line of an event, its end not counted
	Headers int // lines of an event
	Packet  int // bytes of an event
	Answer  int // bytes of a response or of raw text; beyond the first 64 KiB a line counts at least 8
}

// Defaults of [Limits].
const (
	DefaultBanner  = 256
	DefaultLine    = 1 << 20
	DefaultHeaders = 1024
	DefaultPacket  = 1 << 20
	DefaultAnswer  = 16 << 20 // GetConfig answers one header a line of the file, Command one a line of output
)

func (l Limits) withDefaults() Limits {
	def := func(v *int, d, most int) {
		if *v <= 0 {
			*v = d
		}
		*v = min(*v, most)
	}
	def(&l.Banner, DefaultBanner, maxText/4)
	def(&l.Line, DefaultLine, maxText/4)
	def(&l.Headers, DefaultHeaders, maxText/8)
	def(&l.Packet, DefaultPacket, maxText/4)
	def(&l.Answer, DefaultAnswer, maxText/2+1)
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
