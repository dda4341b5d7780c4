// Package packed makes bytes of events and events of bytes. A packet is copied as it lies in memory, with its index, so that
// nothing is decoded again. The form is for one process: it has no version, and a reader trusts what it reads.
package packed

import (
	"encoding/binary"
	"math"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/packet"
	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami"
)

// What the first byte says.
const (
	isEvent = iota
	isGap
)

// noTime stands for the zero time.
const noTime = math.MinInt64

// Append appends an event or a gap to dst, for a Reader.
func Append(dst []byte, ev *ami.Event) []byte {
	if ev.Gap != nil {
		dst = append(dst, isGap)
		dst = appendText(dst, string(ev.Gap.Reason))
		dst = binary.LittleEndian.AppendUint64(dst, ev.Gap.Dropped)
		dst = appendTime(dst, ev.Gap.Since)
		dst = appendTime(dst, ev.Gap.Until)
	} else {
		p := inside.Of(&ev.Message)
		dst = append(dst, isEvent, p.Kind, flag(p.Follows), flag(p.Wide))
		dst = appendText(dst, p.Index)
		dst = appendText(dst, p.Text)
	}
	dst = appendText(dst, ev.Node)
	dst = appendTime(dst, ev.Received)
	dst = binary.LittleEndian.AppendUint64(dst, ev.Seq)
	return binary.LittleEndian.AppendUint64(dst, ev.Session)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

func appendTime(dst []byte, t time.Time) []byte {
	n := int64(noTime)
	if !t.IsZero() {
		n = t.UnixNano()
	}
	return binary.LittleEndian.AppendUint64(dst, uint64(n))
}

func flag(on bool) byte {
	if on {
		return 1
	}
	return 0
}

// A Reader makes events of what Append wrote.
type Reader struct {
	event ami.Event
	gap   ami.Gap
	nodes map[string]string // names that do not alias what is read
	rest  []byte
}

// Event returns the event of a record, borrowed: it is valid as long as the record, and until the next call.
func (r *Reader) Event(record []byte) *ami.Event {
	r.rest = record[1:]
	r.event = ami.Event{}
	if record[0] == isGap {
		r.gap = ami.Gap{Reason: ami.GapReason(r.own(r.text())), Dropped: r.number(), Since: r.time(), Until: r.time()}
		r.event.Gap = &r.gap
	} else {
		head := r.rest
		r.rest = head[3:]
		p := inside.Of(&r.event.Message)
		*p = packet.Packet{Kind: head[0], Follows: head[1] != 0, Wide: head[2] != 0, Index: r.text(), Text: r.text()}
	}
	r.event.Node = r.own(r.text())
	r.event.Received, r.event.Seq, r.event.Session = r.time(), r.number(), r.number()
	return &r.event
}

// text returns the next text, borrowed.
func (r *Reader) text() string {
	n := binary.LittleEndian.Uint32(r.rest)
	text := packet.Borrow(r.rest[4 : 4+n])
	r.rest = r.rest[4+n:]
	return text
}

func (r *Reader) number() uint64 {
	n := binary.LittleEndian.Uint64(r.rest)
	r.rest = r.rest[8:]
	return n
}

func (r *Reader) time() time.Time {
	n := int64(r.number())
	if n == noTime {
		return time.Time{}
	}
	return time.Unix(0, n)
}

// own returns a copy of a text, the same for all that are equal. Only names of nodes and reasons are given to it.
func (r *Reader) own(text string) string {
	if s, ok := r.nodes[text]; ok {
		return s
	}
	if r.nodes == nil {
		r.nodes = make(map[string]string)
	}
	s := strings.Clone(text)
	r.nodes[s] = s
	return s
}
