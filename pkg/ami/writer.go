package ami

import (
	"runtime"
	"time"
)

// maxRecord is the most that one TLS record may carry to Asterisk: it reads 1,024 bytes at a time, polls the socket
// and not OpenSSL's buffer, and would leave the rest of a longer record waiting (iostream.c, ast_iostream_read).
const maxRecord = 1000

// write is the session's writer: it takes all that callers have appended meanwhile and writes it in one go. It ends
// when the session is dead.
func (c *Conn) write() {
	defer close(c.writerDone)
	var spare []byte
	var fit bufferFit
	for range c.wake {
		runtime.Gosched() // let the callers that are running append theirs: one write for all of them
		for {
			c.mu.Lock()
			if c.state == connDead {
				c.mu.Unlock()
				return
			}
			if c.out.live() == 0 {
				keep := c.out.buf
				if !fit.wanted(max(cap(keep), cap(spare))) { // they take turns
					keep, spare = nil, nil
				}
				c.out.take(keep)
				c.idle = true
				c.mu.Unlock()
				break
			}
			batch := c.out.take(spare)
			c.taken, c.writing = batch.end, len(batch.buf)
			c.mu.Unlock()
			c.pacing = batch.base
			n, err := c.writeAll(batch.buf)
			c.stats.bytesOut.Add(uint64(n))
			c.mu.Lock()
			c.writing = 0
			if err == nil {
				c.written = batch.end
			} else {
				c.written = batch.reach(n)
				if c.cfg.TLS == nil {
					c.taken = c.written // the rest of the batch will never be written
				}
			}
			c.room.call()
			c.mu.Unlock()
			if err != nil {
				c.kill(err)
				return
			}
			fit.used(len(batch.buf))
			spare = batch.buf
		}
	}
}

// A bufferFit tells when the write buffers are much larger than what they hold: an idle session holds little, and a
// busy one does not grow them anew for every write.
type bufferFit struct {
	most  int // bytes of the largest write of late
	small int // idle moments in a row before which it was small
}

func (f *bufferFit) used(n int) { f.most = max(f.most, n) }

// wanted reports, when nothing waits, whether to keep a buffer of that size.
func (f *bufferFit) wanted(size int) bool {
	if size <= 4<<10 || f.most >= size/8 {
		f.small = 0
	} else {
		f.small++
	}
	f.most = 0
	return f.small < quietWrites
}

// quietWrites is how many small loads in a row let a large buffer go. Fewer, and a load that comes in bursts grows it anew
// for each.
const quietWrites = 32

// writeAll writes b, over TLS in records that the server can read. It returns how many bytes the network took, as far
// as that can be known.
func (c *Conn) writeAll(b []byte) (int, error) {
	if c.cfg.TLS == nil {
		return c.nc.Write(b)
	}
	total := 0
	for len(b) > 0 {
		c.pace(c.pacing + uint64(total+min(len(b), maxRecord)))
		n, err := c.nc.Write(b[:min(len(b), maxRecord)])
		total += n
		if err != nil {
			return total, err
		}
		b = b[n:]
	}
	return total, nil
}

// Over TLS no more than tlsWindow bytes are on their way unanswered: where a full receive buffer cuts a record in two,
// Asterisk takes the half it reads for the end and closes the session (seen on 22 and 16 with 4,096 Pings in flight, never with
// 1,024). An action longer than that, or one that is answered late, holds the rest up for paceLimit only.
const (
	tlsWindow = 32 << 10
	paceLimit = time.Second
)

// pace waits until what is unanswered up to that stream offset fits the window. The writer alone calls it.
func (c *Conn) pace(end uint64) {
	if int64(end-c.acked.Load()) <= tlsWindow {
		return
	}
	limit := time.NewTimer(paceLimit)
	defer limit.Stop()
	for int64(end-c.acked.Load()) > tlsWindow && c.Err() == nil {
		select {
		case <-c.acks:
		case <-limit.C:
			return
		}
	}
}

// ack tells the writer that an action was answered. The reader alone calls it, or kill to wake the writer.
func (c *Conn) ack(end uint64) {
	if end > c.acked.Load() {
		c.acked.Store(end)
	}
	select {
	case c.acks <- struct{}{}:
	default:
	}
}

// wakeWriter tells the writer that there is something to do. Called without mu or with it: it never blocks.
func (c *Conn) wakeWriter() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// sent says what is known of a call's bytes. Called under mu.
func (c *Conn) sent(k *call) Sent {
	switch {
	case k.end <= c.written:
		return SentYes
	case k.start >= c.taken:
		return SentNo
	}
	return SentMaybe
}
