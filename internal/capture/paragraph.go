package capture

// A paragraph is what was seen of the lines since the last blank one that are in no packet.
type paragraph struct {
	first  bool // it is the first of its input, which may begin anywhere in a packet
	at     Place
	lines  int
	known  int  // headers of a packet whose beginning is missing
	other  bool // there is a line that is no header
	action bool // it is what a client sent
}

// note takes a line.
func (p *paragraph) note(line []byte, at Place) {
	if p.lines++; p.lines == 1 {
		p.at, p.action = at, isAction(line)
	}
	name := headerName(line)
	switch {
	case isKnown(name):
		p.known++
	case name == "" && !(p.first && p.lines == 1):
		p.other = true
	}
}

// headless reports whether this is a packet without its beginning.
func (p *paragraph) headless() bool {
	switch {
	case p.action:
		return false
	case p.first:
		return p.known > 0 && !p.other
	}
	return p.known > 1
}

// endParagraph counts a packet without its beginning, and begins the next paragraph.
func (r *Reader) endParagraph() {
	if r.para.headless() {
		r.lose(r.para.at)
	}
	r.para = paragraph{first: r.para.first && r.para.lines == 0}
}
