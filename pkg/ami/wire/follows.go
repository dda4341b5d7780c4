package wire

import (
	"bytes"
	"strings"

	"github.com/apntalk/amictl/internal/packet"
)

// A followsText is what the decoder knows of a Command's raw text (Asterisk 13 and older) beside its lines.
type followsText struct {
	own   string // what the session's own ActionIDs begin with; "": not known
	head  int    // where in the packet a line lies that may be another packet's first; 0: none
	blank bool   // the last line was blank
	back  int    // bytes behind the text's end that the next packet begins with
}

// Own tells the decoder what the ActionIDs of its session begin with: something that no text can know. Where such a
// packet begins, a Command's text without an end mark is over.
func (d *Decoder) Own(prefix string) { d.text.own = prefix }

// Unended reports whether the text of a Command is being assembled, all that came of it was looked at, and the last line
// of that is blank: the text may go on, or it lacks its end mark.
func (d *Decoder) Unended() bool {
	return d.phase == inFollowsText && d.text.blank && d.pos == d.w
}

// misspelt tells a module that answers in a form of its own by how it spells Privilege (chan_sccp: Priviledge). Its
// answers have no end mark; a blank line ends them.
func misspelt(name string) bool {
	const stem = "Privil"
	return len(name) > len(stem) && EqualFold(name[:len(stem)], stem) && !strings.ContainsAny(name, " \t")
}

// followsLine takes one line of a Command's raw text. The end mark may be glued to the last text and counts only with
// a blank line behind it, for the text may hold it too (manager.c before 14, action_command).
func (d *Decoder) followsLine(end, next int) (done bool, err error) {
	if d.marked && end == d.pos {
		d.endMark()
		return true, nil
	}
	line := d.buf[d.pos:end]
	if d.isOwn(line) {
		d.text.back = next - d.r - d.text.head
		d.idx.DropLast() // the other packet's first line
		d.idx.DropLast() // the blank one before it
		return true, nil
	}
	d.text.head = 0
	if d.text.blank && (hasFold(line, "Response:") || hasFold(line, "Event:")) {
		d.text.head = d.pos - d.r
	}
	d.text.blank = end == d.pos
	d.marked = bytes.HasSuffix(line, []byte(endCommand))
	return false, d.push(packet.NewRef(d.buf, d.r, d.pos, end, next, -1), end, next)
}

// isOwn reports whether a line is the second of a packet of this session's.
func (d *Decoder) isOwn(line []byte) bool {
	if d.text.head == 0 || d.text.own == "" || !hasFold(line, "ActionID:") {
		return false
	}
	_, id := splitHeader(line)
	return bytes.HasPrefix(bytes.TrimPrefix(id, []byte(" ")), []byte(d.text.own))
}

func hasFold(line []byte, prefix string) bool {
	return len(line) >= len(prefix) && EqualFold(packet.Borrow(line[:len(prefix)]), prefix)
}

// endMark cuts the end mark off the last line of text, and the line too if it held nothing else.
func (d *Decoder) endMark() {
	last := d.idx.Last()
	d.idx.DropLast()
	if end := last.End() - len(endCommand); end > last.Start() {
		d.idx.Add(0, last.Start(), end)
	}
}
