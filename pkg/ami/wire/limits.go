package wire

import (
	"errors"
	"fmt"
)

// Limits caps what a decoder accepts from a server. A zero field takes its default.
type Limits struct {
	Banner          int // bytes of the greeting line
	Line            int // bytes of one line, its end not counted
	Headers         int // lines of an event or of raw text
	ResponseHeaders int // lines of a response other than Output: GetConfig answers one header a line of the file
	Packet          int // bytes of a packet, Output lines not counted
	Output          int // bytes of a Command's output, line ends and header names included; a line counts at least 8
}

// Defaults of [Limits].
const (
	DefaultBanner          = 256
	DefaultLine            = 1 << 20
	DefaultHeaders         = 1024
	DefaultResponseHeaders = 64 << 10
	DefaultPacket          = 1 << 20
	DefaultOutput          = 16 << 20
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
	def(&l.ResponseHeaders, DefaultResponseHeaders, maxText/8)
	def(&l.Packet, DefaultPacket, maxText/4)
	def(&l.Output, DefaultOutput, maxText/2+1)
	return l
}

// ErrMore is what [Decoder.Next] returns when it holds no whole packet: feed it and ask again.
var ErrMore = errors.New("wire: more bytes needed")

// A LimitError says that a server sent more than a limit allows. The decoder can go on: it throws the rest of that
// packet away and decodes the next one. A session had better end, for it lost something it cannot name.
type LimitError struct {
	What  string // "banner", "line", "headers", "packet" or "output"
	Limit int    // in bytes; for "headers" in lines
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
