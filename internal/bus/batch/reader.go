package batch

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Reader takes batches apart, one behind the other.
type Reader struct {
	body    []byte
	at      int
	last    int64 // nanoseconds of the record before
	session uint64
	behind  uint64 // the session of the packet before, which is a gap's
	seq     uint64
	decoder *wire.Decoder
	event   ami.Event
	gap     ami.Gap
	owner   Owner
	unpack  []byte
}

// NewReader returns a reader that has no batch yet.
func NewReader() *Reader {
	return &Reader{decoder: wire.NewDecoder(wire.Limits{Line: mostPacket, Headers: mostLines, Packet: mostPacket, Answer: MostBytes})}
}

// Open begins with a batch. The batch must not change until Next has returned io.EOF. The error is a *VersionError or a
// *FormatError.
func (r *Reader) Open(data []byte) error {
	r.body, r.at, r.last, r.session, r.behind, r.seq = nil, 0, 0, 0, 0, 0
	switch {
	case len(data) < 2:
		return &FormatError{0, "it is too short"}
	case data[0] == 0:
		return &FormatError{0, "version 0 does not exist"}
	case data[0] > Version:
		return &VersionError{data[0]}
	}
	switch data[1] {
	case plain:
		r.body = data[2:]
	case s2Packed:
		n, err := s2.DecodedLen(data[2:])
		if err != nil || n > MostBytes {
			return &FormatError{0, "what is packed is no S2 block of at most 16 MiB"}
		}
		if r.unpack, err = s2.Decode(r.unpack[:cap(r.unpack)], data[2:]); err != nil {
			return &FormatError{0, "what is packed is no S2 block"}
		}
		r.body = r.unpack
	default:
		return &FormatError{0, "it is packed in a way that version 1 does not have"}
	}
	if len(r.body) > MostBytes {
		return &FormatError{0, "it is over 16 MiB"}
	}
	return nil
}

// More reports whether the batch has anything left.
func (r *Reader) More() bool { return r.at < len(r.body) }

// Next returns the next record, which is valid until the next call of one of the reader's methods. The error is io.EOF behind
// the last, or a *FormatError.
func (r *Reader) Next() (Record, error) {
	for {
		if r.at == len(r.body) {
			return Record{}, io.EOF
		}
		kind := r.body[r.at]
		r.at++
		switch kind {
		case packetRecord:
			err := r.packet()
			return Record{Event: &r.event}, err
		case gapRecord:
			err := r.takeGap()
			return Record{Event: &r.event}, err
		case ownerRecord:
			err := r.takeOwner()
			return Record{Owner: &r.owner}, err
		case sessionRecord:
			session, err := r.uvarint("a session")
			if err != nil {
				return Record{}, err
			}
			r.session, r.seq = session, 0
		default:
			r.at--
			return Record{}, r.broken("there is no record of that kind")
		}
	}
}

func (r *Reader) packet() error {
	step, err := r.uvarint("a place")
	if err != nil {
		return err
	}
	at, err := r.time()
	if err != nil {
		return err
	}
	text, err := r.bytes("a packet")
	if err != nil {
		return err
	}
	r.decoder.Feed(text)
	message, err := r.decoder.Next()
	if err == nil && len(message.Text()) != len(text) {
		err = wire.ErrMore
	}
	if err != nil {
		r.decoder = NewReader().decoder // whatever is left of it
		return r.broken("what should be one packet is not")
	}
	r.seq += step
	r.behind = r.session
	r.event = ami.Event{Message: message, Session: r.session, Seq: r.seq, Received: at}
	return nil
}

func (r *Reader) takeGap() error {
	if r.at == len(r.body) {
		return r.broken("a gap is cut off")
	}
	reason := int(r.body[r.at]) - 1
	r.at++
	at, err := r.time()
	if err != nil {
		return err
	}
	r.gap = ami.Gap{Reason: GapUnknown}
	if reason >= 0 && reason < len(gapReasons) {
		r.gap.Reason = gapReasons[reason]
	}
	if r.gap.Dropped, err = r.uvarint("a number of events"); err != nil {
		return err
	}
	if r.gap.Since, err = r.optional(); err != nil {
		return err
	}
	if r.gap.Until, err = r.optional(); err != nil {
		return err
	}
	r.event = ami.Event{Session: r.behind, Received: at, Gap: &r.gap}
	return nil
}

func (r *Reader) takeOwner() error {
	epoch, err := r.uvarint("an epoch")
	if err != nil {
		return err
	}
	at, err := r.time()
	if err != nil {
		return err
	}
	name, err := r.bytes("a bridge's name")
	r.owner = Owner{Bridge: string(name), Epoch: epoch, Time: at}
	return err
}

func (r *Reader) uvarint(what string) (uint64, error) {
	v, n := binary.Uvarint(r.body[r.at:])
	if n <= 0 {
		return 0, r.broken(what + " is cut off")
	}
	r.at += n
	return v, nil
}

func (r *Reader) varint() (int64, error) {
	v, n := binary.Varint(r.body[r.at:])
	if n <= 0 {
		return 0, r.broken("a time is cut off")
	}
	r.at += n
	return v, nil
}

func (r *Reader) time() (time.Time, error) {
	step, err := r.varint()
	r.last += step
	return time.Unix(0, r.last), err
}

func (r *Reader) optional() (time.Time, error) {
	if r.at == len(r.body) {
		return time.Time{}, r.broken("a time is cut off")
	}
	given := r.body[r.at]
	r.at++
	if given == 0 {
		return time.Time{}, nil
	}
	ns, err := r.varint()
	return time.Unix(0, ns), err
}

// bytes takes what begins with its length.
func (r *Reader) bytes(what string) ([]byte, error) {
	n, err := r.uvarint(what)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(r.body)-r.at) {
		return nil, r.broken(what + " is cut off")
	}
	b := r.body[r.at : r.at+int(n)]
	r.at += int(n)
	return b, nil
}

func (r *Reader) broken(what string) error { return &FormatError{r.at, what} }
