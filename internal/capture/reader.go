package capture

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

const (
	firstBuffer = 128 << 10                // a read of 64 KiB fits behind the rest of a packet
	maxLine     = wire.DefaultLine + 4<<10 // with what stands before it
	enoughClean = 64                       // packets in a row without other text, after which it is taken for a plain capture
)

// A Place is where something stands.
type Place struct {
	File string
	Line int // from 1
}

// A Loss is what could not be read: packets that are cut off, have lost their beginning or are over a limit of [wire.Limits].
type Loss struct {
	Packets int
	First   Place
}

// String is what to say of it.
func (l Loss) String() string {
	text := fmt.Sprintf("%d packets are lost, the first at line %d", l.Packets, l.First.Line)
	if l.Packets == 1 {
		text = fmt.Sprintf("1 packet is lost, at line %d", l.First.Line)
	}
	if l.First.File != "" {
		text += " of " + l.First.File
	}
	return text
}

// A Reader takes the packets out of one or more inputs. Next hands them out, and Fill reads on when Next asks for more; so
// a caller knows when it is about to wait.
type Reader struct {
	in   io.Reader
	buf  []byte
	pos  int // buf[pos:end] is to be looked at
	end  int
	full int  // buf[end:full] is of the next input, where a packet does not go on
	over bool // nothing follows buf[:end] that belongs to it
	done bool // Fill saw the end of in

	at   Place // of buf[pos]
	mark int   // where the next input begins in buf, if what is before it may go on there; else -1
	next string

	lost Loss

	plain *plain // nil: what comes is read line by line
	clean int    // packets since the last other text

	one     *wire.Decoder // of single packets
	draft   draft
	usual   prefix // what stood before the packet before
	para    paragraph
	fence   byte // the character of the code fence that is open, or 0
	dump    bool // the line behind the head of a packet in tcpdump's text
	ended   bool // buf[:pos] ends in a line's end
	tooLong bool // the rest of a line that is over maxLine comes
	blanks  int  // packets that a blank line ended
	splits  int  // packets that another one ended
}

// NewReader returns a reader without an input: see Open.
func NewReader() *Reader {
	return &Reader{mark: -1, one: wire.NewDecoder(wire.Limits{})}
}

// Open begins the next input, such as the next one of rotated files. A packet that the input before it broke off may go on
// there; End rules that out. file is its name in Place.
func (r *Reader) Open(in io.Reader, file string) {
	r.toLines()
	r.in, r.done = in, false
	if r.over || r.pos == r.end && !r.draft.open {
		r.over = false
		r.begin(file)
		return
	}
	r.mark, r.next = r.end, file
}

// begin starts an input at pos that has nothing to do with what was before it.
func (r *Reader) begin(file string) {
	r.at = Place{file, 1}
	r.draft.open, r.para, r.fence, r.dump, r.tooLong = false, paragraph{first: true}, 0, false, false
	r.blanks, r.splits, r.usual = 0, 0, nil
	r.toPlain()
}

// End tells that nothing follows what was read so far. Next then hands out what is left, and io.EOF.
func (r *Reader) End() { r.over = true }

// Lost returns what could not be read so far.
func (r *Reader) Lost() Loss { return r.lost }

// Fill reads once from the input. At its end it returns io.EOF: then comes another Open, or End.
func (r *Reader) Fill() error {
	for range maxEmptyReads {
		n, err := r.in.Read(r.space())
		r.wrote(n)
		r.done = errors.Is(err, io.EOF)
		if n > 0 && !r.done {
			return nil // a lasting error comes again
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// maxEmptyReads in a row are no progress.
const maxEmptyReads = 100

// space returns room to read into.
func (r *Reader) space() []byte {
	if r.plain != nil {
		return r.plain.space()
	}
	if r.pos > 0 {
		r.compact()
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	return r.buf[r.end:]
}

// wrote tells how many bytes were read into the front of the space.
func (r *Reader) wrote(n int) {
	if r.plain != nil {
		r.plain.wrote(n)
		return
	}
	r.end += n
	r.full = r.end
}

// compact moves what is left to the front, and lets a large buffer go that one large packet needed.
func (r *Reader) compact() {
	to := r.buf
	if len(to) > firstBuffer && r.end-r.pos < firstBuffer/2 {
		to = make([]byte, firstBuffer)
	}
	copy(to, r.buf[r.pos:r.end])
	r.buf = to
	r.end -= r.pos
	if r.mark >= 0 {
		r.mark -= r.pos
	}
	r.pos, r.full = 0, r.end
}

// Next returns the next packet, borrowed: it is valid until the next call of any method. It returns wire.ErrMore when Fill
// has to read on, and io.EOF when nothing is left behind End.
func (r *Reader) Next() (m wire.Message, err error) {
	for {
		if r.plain != nil {
			if err = r.nextPlain(&m); err != errOther { //nolint:errorlint // it is never wrapped, and this is what speed hangs on
				return m, err
			}
			r.toLines()
		}
		if r.mark >= 0 && !r.over {
			if err := r.join(); err != nil {
				return wire.Message{}, err
			}
		}
		m, err = r.nextLines()
		if errors.Is(err, io.EOF) && r.full > r.end { // the input that broke off is done with, the next one begins
			r.end, r.over, r.mark = r.full, false, -1
			r.begin(r.next)
			continue
		}
		return m, err
	}
}

// join decides whether the packet that an input broke off goes on in the next one. If not, that one has to wait until the
// first is done with.
func (r *Reader) join() error {
	if r.mark < r.pos {
		r.mark = -1
		return nil
	}
	ahead := r.buf[r.mark:r.end]
	i := bytes.IndexByte(ahead, '\n')
	if i < 0 && len(ahead) < maxPrefix && !r.done {
		return wire.ErrMore
	}
	if len(ahead) == 0 {
		return nil
	}
	if i >= 0 {
		ahead = ahead[:i]
	}
	broken := r.buf[r.pos:r.mark]
	midLine := len(broken) > 0 && broken[len(broken)-1] != '\n'
	if r.continues(ahead, midLine) {
		return nil
	}
	r.full, r.end, r.over = r.end, r.mark, true
	return nil
}

// continues reports whether a line may be the next one, or the rest, of a packet that was broken off before it.
func (r *Reader) continues(line []byte, midLine bool) bool {
	line = trimEnd(line)
	if _, _, starts := findStart(line); starts || isBanner(line) || isAction(line) {
		return false
	}
	if midLine || len(line) == 0 {
		return true
	}
	p := r.draft.prefix
	if !r.draft.open { // what stands before a packet's first line is not known to be before the others
		first, _, _ := bytes.Cut(r.buf[r.pos:r.mark], []byte{'\n'})
		if at, word, ok := findStart(withoutColours(trimEnd(first))); ok && word {
			p = first[:at]
		}
	}
	if len(p) > 0 {
		_, ok := p.strip(line)
		return ok
	}
	return isHeader(line)
}

// advance moves pos on, and the place with it.
func (r *Reader) advance(n int) {
	passed := r.buf[r.pos : r.pos+n]
	if r.mark >= 0 && r.pos+n > r.mark {
		passed = r.buf[r.mark : r.pos+n]
		r.at, r.mark = Place{r.next, 1}, -1
	}
	r.at.Line += bytes.Count(passed, []byte{'\n'})
	r.ended = n > 0 && r.buf[r.pos+n-1] == '\n'
	r.pos += n
}

func (r *Reader) lose(at Place) {
	if r.lost.Packets++; r.lost.Packets == 1 {
		r.lost.First = at
	}
}
