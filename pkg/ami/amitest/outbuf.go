package amitest

import (
	"sync"
)

// markKind says what a stretch of output was, for the ledger.
type markKind uint8

const (
	markReply  markKind = iota // a complete reply, or the end event of a list
	markError                  // a complete Response: Error
	markPart                   // the head of a list, or anything that completes no reply
	markItem                   // a list item
	markEvent                  // an event that no action asked for
	markJunk                   // bytes that a fault made up
	markUnsent                 // an encoded event that was not counted yet
	markKinds  = int(markUnsent)
)

// mark ends a packet within an outbuf.
type mark struct {
	end   int    // offset behind the packet's last byte
	num   uint64 // event number, 0 for none
	class Class  // of an event
	kind  markKind
}

// outbuf is encoded output and the ends of its packets.
type outbuf struct {
	b     []byte
	marks []mark
}

func (o *outbuf) empty() bool { return len(o.b) == 0 && len(o.marks) == 0 }

// close ends a packet at the present end of the buffer.
func (o *outbuf) close(kind markKind) {
	o.marks = append(o.marks, mark{end: len(o.b), kind: kind})
}

// move appends all of src to o and empties src, trading buffers where it can.
func (o *outbuf) move(src *outbuf) {
	if o.empty() {
		*o, *src = *src, *o
		src.reset()
		return
	}
	o.appendMarks(src.marks, len(o.b))
	o.b = append(o.b, src.b...)
	src.reset()
}

func (o *outbuf) appendMarks(ms []mark, base int) {
	for _, m := range ms {
		m.end += base
		o.marks = append(o.marks, m)
	}
}

func (o *outbuf) reset() { o.b, o.marks = o.b[:0], o.marks[:0] }

// keep is how much of a buffer an idle session may hold on to, in bytes.
const keep = 1024

// keepMarks is how many marks an idle session may hold on to.
const keepMarks = 8

// prepare makes an empty buffer ready for much output.
func (o *outbuf) prepare() {
	if cap(o.b) < pooled {
		o.b = getBuf()[:0]
	}
	if cap(o.marks) < pooledMarks {
		o.marks = (*markPool.Get().(*[]mark))[:0]
	}
}

// shrink gives large memory back to the pools. Only for an empty buffer.
func (o *outbuf) shrink() {
	if cap(o.b) > keep {
		putBuf(o.b)
		o.b = nil
	}
	if cap(o.marks) > keepMarks {
		if ms := o.marks; cap(ms) >= pooledMarks && cap(ms) <= 16*pooledMarks {
			markPool.Put(&ms)
		}
		o.marks = nil
	}
}

// pooledMarks is the size of the shared mark buffers.
const pooledMarks = 1024

var markPool = sync.Pool{New: func() any { ms := make([]mark, pooledMarks); return &ms }}

// pooled is the size of the shared buffers that busy sessions read and write
// through.
const pooled = 64 << 10

var bufPool = sync.Pool{New: func() any { b := make([]byte, pooled); return &b }}

func getBuf() []byte { return *bufPool.Get().(*[]byte) }

func putBuf(b []byte) {
	if cap(b) < pooled || cap(b) > 16*pooled {
		return
	}
	b = b[:cap(b)]
	bufPool.Put(&b)
}

// header appends "name: value\r\n".
func appendHeader(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ':', ' ')
	b = append(b, value...)
	return append(b, '\r', '\n')
}
