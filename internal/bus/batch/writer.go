package batch

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/apntalk/amictl/pkg/ami"
)

// A Writer makes batches. Its zero value is ready.
type Writer struct {
	body    []byte
	last    int64  // nanoseconds of the record before; 0: there is none
	session uint64 // of the packet before; 0: there is none
	seq     uint64
	records int
}

// Len is how many bytes the body has so far.
func (w *Writer) Len() int { return len(w.body) }

// Records is how many records there are so far, marks of sessions not counted.
func (w *Writer) Records() int { return w.records }

// Add appends a packet or a gap.
func (w *Writer) Add(ev *ami.Event) {
	w.records++
	if ev.Gap != nil {
		w.gap(ev.Gap, ev.Received)
		return
	}
	if w.session != ev.Session || ev.Seq < w.seq {
		w.body = binary.AppendUvarint(append(w.body, sessionRecord), ev.Session)
		w.session, w.seq = ev.Session, 0
	}
	w.body = binary.AppendUvarint(append(w.body, packetRecord), ev.Seq-w.seq)
	w.seq = ev.Seq
	w.time(ev.Received)
	text := ev.Text()
	w.body = append(binary.AppendUvarint(w.body, uint64(len(text))), text...)
}

// AddOwner appends a mark that a bridge has taken the node over.
func (w *Writer) AddOwner(o Owner) {
	w.records++
	w.body = binary.AppendUvarint(append(w.body, ownerRecord), o.Epoch)
	w.time(o.Time)
	w.body = append(binary.AppendUvarint(w.body, uint64(len(o.Bridge))), o.Bridge...)
}

func (w *Writer) gap(g *ami.Gap, at time.Time) {
	reason := slices.Index(gapReasons, g.Reason) // -1, a reason of a later engine's, is 0: unknown
	w.body = append(w.body, gapRecord, byte(reason+1))
	w.time(at)
	w.body = binary.AppendUvarint(w.body, g.Dropped)
	w.optional(g.Since)
	w.optional(g.Until)
}

// time appends a time as nanoseconds since the one before it, the first since 1970. No time is the one before it.
func (w *Writer) time(t time.Time) {
	ns := w.last
	if !t.IsZero() {
		ns = t.UnixNano()
	}
	w.body = binary.AppendVarint(w.body, ns-w.last)
	w.last = ns
}

// optional appends a time that may be none, as a byte and nanoseconds since 1970.
func (w *Writer) optional(t time.Time) {
	if t.IsZero() {
		w.body = append(w.body, 0)
		return
	}
	w.body = binary.AppendVarint(append(w.body, 1), t.UnixNano())
}

// Batch appends the batch to dst and begins a new one.
func (w *Writer) Batch(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, Version, s2Packed)
	dst = slices.Grow(dst, s2.MaxEncodedLen(len(w.body)))
	packed := s2.Encode(dst[len(dst):cap(dst)], w.body)
	if len(packed) < len(w.body) {
		dst = dst[:len(dst)+len(packed)]
	} else {
		dst[start+1] = plain
		dst = append(dst, w.body...)
	}
	*w = Writer{body: w.body[:0]}
	return dst
}
