package wire

import (
	"errors"
	"io"
	"iter"
)

// A Reader reads messages from a stream that is at hand, such as a capture of what a server sent, with or without its
// greeting. It is not safe for concurrent use.
type Reader struct {
	in  io.Reader
	dec *Decoder
}

// NewReader returns a Reader of a stream that starts between two packets.
func NewReader(r io.Reader, l Limits) *Reader { return &Reader{in: r, dec: NewDecoder(l)} }

// All iterates over the messages to the end of the stream. Each is borrowed: it and every string taken from it are valid
// until the loop's next turn; [Message.Clone] keeps one.
//
// A packet over a limit yields its *LimitError in its place, and the next packet follows. Everything else is the last
// pair: a *TruncatedError if the stream ended inside a packet, the reader's own error, or that of limits that cannot be
// honoured. A stream that ended between packets yields no error.
func (r *Reader) All() iter.Seq2[Message, error] {
	return func(yield func(Message, error) bool) {
		for {
			m, err := r.dec.Next()
			switch {
			case err == nil, errors.As(err, new(*LimitError)):
				if !yield(m, err) {
					return
				}
				continue
			case errors.Is(err, ErrMore):
				if err = r.more(); err == nil {
					continue
				}
				if errors.Is(err, io.EOF) {
					err = r.dec.End()
				}
			}
			if !errors.Is(err, io.EOF) {
				yield(Message{}, err)
			}
			return
		}
	}
}

// more reads some bytes. What came with an error is taken first: a lasting error comes again.
func (r *Reader) more() error {
	for range maxEmptyReads {
		n, err := r.in.Read(r.dec.Space())
		r.dec.Wrote(n)
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// maxEmptyReads in a row are no progress.
const maxEmptyReads = 100
