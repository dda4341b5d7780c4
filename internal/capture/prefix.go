package capture

import (
	"bytes"
	"slices"
)

const maxPrefix = 256 // bytes of what may stand before a line

// A prefix is what stands before the first line of a packet: an indent, "> ", a time stamp, the name of a host, a line
// number. Before the packet's other lines stands the same, but for digits and the names of months and days.
type prefix []byte

// findStart looks for the first line of a packet. at is where it begins in the line; name tells whether it holds one word
// alone, as the names of events and the verdicts of responses do.
func findStart(line []byte) (at int, word, ok bool) {
	if startsPacket(line) {
		return 0, true, true
	}
	for _, start := range [][]byte{eventStart, responseStart} {
		i := bytes.Index(line[:min(len(line), maxPrefix+len(start))], start)
		if i <= 0 {
			continue
		}
		before := line[i-1]
		if isLetter(before) || isDigit(before) || before == '_' {
			continue
		}
		return i, isWord(line[i+len(start):]), true
	}
	return 0, false, false
}

// isWord tells " Word", with nothing behind it but the end of a line as some programs write it.
func isWord(b []byte) bool {
	b, _ = cutTail(b)
	if len(b) < 2 || b[0] != ' ' || !isLetter(b[1]) {
		return false
	}
	for _, c := range b[1:] {
		if !isLetter(c) && !isDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// tails are what stands for a carriage return or the end of lines: of cat -A and cat -v, of syslog, of ngrep.
var tails = []string{"^M$", "$", "^M", "#015", "."}

// cutTail returns the line without what stands for its carriage return.
func cutTail(line []byte) (rest []byte, tail string) {
	for _, tail := range tails {
		if rest, ok := bytes.CutSuffix(line, []byte(tail)); ok {
			return rest, tail
		}
	}
	return line, ""
}

// layout tells a prefix of spaces and signs alone, which says nothing about the writer of a line.
func (p prefix) layout() bool {
	return !slices.ContainsFunc(p, func(c byte) bool { return isLetter(c) || isDigit(c) || c >= 0x80 })
}

// strip returns the line without the prefix, if it has one of that form. A blank line may lack the spaces at its end.
func (p prefix) strip(line []byte) (rest []byte, ok bool) {
	if rest, ok = p.match(line); ok {
		return rest, true
	}
	trimmed := prefix(bytes.TrimRight(p, " \t"))
	if len(trimmed) == len(p) || len(trimmed) == 0 {
		return nil, false
	}
	rest, ok = trimmed.match(line)
	return nil, ok && len(bytes.TrimSpace(rest)) == 0
}

func (p prefix) match(line []byte) (rest []byte, ok bool) {
	if p.layout() {
		return bytes.CutPrefix(line, p)
	}
	i, j := 0, 0
	for i < len(p) {
		a, b := run(p, i), run(line, j)
		if !p.alike(i, p[i:i+a], line[j:j+b]) {
			if p[i] == ' ' && i+a < len(p) && isDigit(p[i+a]) { // what is before a number makes room for a longer one
				i += a
				continue
			}
			return nil, false
		}
		i, j = i+a, j+b
	}
	return line[j:], true
}

// run returns the length of what stands at i: a row of letters, of digits or of spaces, or one other byte.
func run(b []byte, i int) int {
	if i == len(b) {
		return 0
	}
	kind := func(c byte) byte {
		switch {
		case isLetter(c):
			return 'a'
		case isDigit(c):
			return '0'
		case c == ' ':
			return ' '
		}
		return 0
	}
	n := 1
	for k := kind(b[i]); k != 0 && i+n < len(b) && kind(b[i+n]) == k; {
		n++
	}
	return n
}

// alike reports whether b may stand in another line where a stands at i.
func (p prefix) alike(i int, a, b []byte) bool {
	switch {
	case len(b) == 0:
		return false
	case bytes.Equal(a, b):
		return true
	case isDigit(a[0]):
		return isDigit(b[0]) && !p.names(i, len(a))
	case isLetter(a[0]):
		return isMoment(a) && isMoment(b)
	case a[0] == ' ':
		return b[0] == ' ' && len(p) > i+len(a)
	case a[0] == ':': // grep's sign for a line of the context
		return b[0] == '-' && p[len(p)-1] == ':'
	}
	return false
}

// names tells digits that are part of a name, such as pbx1 or asterisk[123], and not of a time or a line's number.
func (p prefix) names(i, n int) bool {
	if i == 0 {
		return false
	}
	if isLetter(p[i-1]) {
		return p[i-1] != 'T' || i > 1 && !isDigit(p[i-2])
	}
	return p[i-1] == '[' && i > 1 && isLetter(p[i-2]) && i+n < len(p) && p[i+n] == ']'
}

var moments = []string{
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
	"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "AM", "PM",
}

// isMoment tells the name of a month or a day.
func isMoment(word []byte) bool { return slices.Contains(moments, string(word)) }
