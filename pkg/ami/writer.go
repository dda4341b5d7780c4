package ami

import (
	"runtime"
)

// maxRecord is the most that one TLS record may carry to Asterisk: it reads 1,024 bytes at a time, polls the socket
// and not OpenSSL's buffer, and would leave the rest of a longer record waiting (iostream.c, ast_iostream_read).
const maxRecord = 1000

// write is the session's writer: it takes all that callers have appended meanwhile and writes it in one go. It ends
// when the session is dead.
func (c *Conn) write() {
	defer close(c.writerDone)
	var spare []byte
	for range c.wake {
		runtime.Gosched() // let the callers that are running append theirs: one write for all of them
		for {
			c.mu.Lock()
			if c.state == connDead {
				c.mu.Unlock()
				return
			}
			if c.out.live() == 0 {
				c.out.take(shrunk(c.out.buf))
				c.idle = true
				c.mu.Unlock()
				break
			}
			batch := c.out.take(spare)
			c.taken, c.writing = batch.end, len(batch.buf)
			c.mu.Unlock()
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
			spare = shrunk(batch.buf)
		}
	}
}

// shrunk returns a buffer for reuse, or nil if it is much larger than what it held last: an idle session holds little.
func shrunk(buf []byte) []byte {
	if cap(buf) > 4<<10 && len(buf) < cap(buf)/8 {
		return nil
	}
	return buf
}

// writeAll writes b, over TLS in records that the server can read. It returns how many bytes the network took, as far
// as that can be known.
func (c *Conn) writeAll(b []byte) (int, error) {
	if c.cfg.TLS == nil {
		return c.nc.Write(b)
	}
	total := 0
	for len(b) > 0 {
		n, err := c.nc.Write(b[:min(len(b), maxRecord)])
		total += n
		if err != nil {
			return total, err
		}
		b = b[n:]
	}
	return total, nil
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
