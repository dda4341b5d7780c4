package amidoor

import "sync"

// buffers are what answers and events are gathered in, for as long as they are.
var buffers sync.Pool

// Sizes of buffers, in bytes.
const (
	newBuffer  = 16 << 10
	keptBuffer = 2 * flushSize // a larger one is not kept
)

func takeBuffer() []byte {
	if b, ok := buffers.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 0, newBuffer)
}

func giveBuffer(b []byte) {
	if cap(b) < newBuffer || cap(b) > keptBuffer {
		return
	}
	b = b[:0]
	buffers.Put(&b)
}
