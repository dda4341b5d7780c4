package capture

import (
	"bytes"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A draft is a packet that is put together line by line.
type draft struct {
	open   bool
	dead   bool // it is over a limit, and counted: its end is all that is looked for
	at     Place
	text   []byte // its lines so far
	held   []byte // a line of text that is the packet's if a header follows
	prefix prefix // nil: nothing stands before its lines
	tail   string // what stands for their carriage return
	colour bool   // they have escape sequences

	response bool
	follows  bool // a Command's bare text, up to its end mark
	marked   bool
}

// begin starts a packet with its first line. It returns what stands before its lines.
func (d *draft) begin(at Place, line []byte, p prefix, colour bool) prefix {
	if cap(d.text) > 4*firstBuffer { // a large one came
		d.text = nil
	}
	*d = draft{open: true, at: at, text: d.text[:0], held: d.held[:0], colour: colour}
	if len(p) > 0 {
		d.prefix = bytes.Clone(p)
	}
	line, d.tail = cutTail(line)
	_, value, _ := bytes.Cut(line, []byte{':'})
	d.response = begins(line, responseStart)
	d.follows = d.response && wire.EqualFold(string(bytes.TrimSpace(value)), "Follows")
	d.add(line)
	return d.prefix
}

// add adds a line, without its end. It reports whether there is room for it.
func (d *draft) add(line []byte) bool {
	most := wire.DefaultPacket + 4<<10
	if d.response {
		most += wire.DefaultAnswer
	}
	if len(d.text)+len(line) > most {
		return false
	}
	d.text = append(append(d.text, line...), '\r', '\n')
	return true
}

// hold keeps a line of text until it is clear whether it is the packet's. Two in a row are not.
func (d *draft) hold(line []byte) (second bool) {
	if len(d.held) > 0 {
		return true
	}
	d.held = append(d.held[:0], line...)
	return false
}

// release adds the line that was held.
func (d *draft) release() bool {
	held := d.held
	d.held = held[:0]
	return len(held) == 0 || d.add(held)
}

// mayHold reports whether a line of text can be another message of the log that the packet is in.
func (d *draft) mayHold(blanks int) bool { return blanks == 0 && d.prefix != nil && !d.prefix.layout() }
