package output

// A lineWriter writes text of one colour each to a line, and nothing more when that is full.
type lineWriter struct {
	dst   []byte
	from  int  // where the line begins
	width int  // in columns, 0: no limit
	color bool // colour it
	used  int  // columns
	left  bool // there was more to see
	full  bool
}

// text writes text in a colour, or none if that is "".
func (w *lineWriter) text(color, s string) {
	if w.full {
		return
	}
	n := Width(s)
	if w.width > 0 && w.used+n > w.width {
		s = Cut(s, w.width-w.used)
		n, w.full = Width(s), true
	}
	w.begin(color)
	w.dst = append(w.dst, s...)
	w.end(color, n)
}

func (w *lineWriter) begin(color string) {
	if w.color && color != "" {
		w.dst = append(append(append(w.dst, "\x1b["...), color...), 'm')
	}
}

// end ends text of that many columns.
func (w *lineWriter) end(color string, columns int) {
	if w.color && color != "" {
		w.dst = append(w.dst, "\x1b[0m"...)
	}
	w.used += columns
}

// gap writes spaces before text that follows.
func (w *lineWriter) gap(n int) {
	switch {
	case w.full:
	case w.width > 0 && w.used+n >= w.width:
		w.full, w.left = true, true
	default:
		w.dst = appendSpaces(w.dst, n)
		w.used += n
	}
}

// line ends the line, with a mark if there was more to see.
func (w *lineWriter) line() []byte {
	if w.left && (w.width == 0 || w.used+columnGap <= w.width) {
		w.full = false
		w.dst = append(w.dst, ' ')
		w.text("2", cutMark)
	}
	return append(w.dst, '\n')
}

// A part is a piece of a headline.
type part struct {
	text     string
	gap      int // columns before it
	color    string
	tone     Tone
	identity bool
	literal  bool // it is text of the headline, no value
	least    int  // the width to which it is cut before the last parts go
}

// fit cuts the parts of a headline so that they fit behind what is written: first what does not identify, then what does, to
// no less than can be told apart. What is still too much at the end goes.
func (w *lineWriter) fit(parts []part) []part {
	if w.width == 0 {
		return parts
	}
	room, over := w.width-w.used, w.used-w.width
	widths := make([]int, 0, mostParts)
	for i := range parts {
		widths = append(widths, Width(parts[i].text))
		over += parts[i].gap + widths[i]
	}
	if over <= 0 {
		return parts
	}
	floors := make([]int, 0, mostParts)
	for _, names := range []bool{false, true} {
		floors = append(floors[:0], widths...)
		for i := range parts {
			if parts[i].identity == names {
				floors[i] = min(widths[i], parts[i].least)
			}
		}
		over = narrow(widths, floors, over)
	}
	if over > 0 {
		room -= columnGap // for the mark that there was more to see
	}
	for i := range parts {
		p := &parts[i]
		if room -= p.gap; room < min(widths[i], narrowest) && (i > 0 || room < 1) {
			for i > 0 && parts[i-1].literal { // it would belong to what follows
				i--
			}
			return parts[:i]
		}
		if n := min(widths[i], room); p.identity {
			p.text, room = CutMiddle(p.text, n), room-n
		} else {
			p.text, room = cutCell(p.text, n), room-n
		}
	}
	return parts
}

// mostParts is how many parts nearly all headlines have, at most.
const mostParts = 24
