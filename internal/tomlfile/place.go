package tomlfile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Place is where something stands in a text: line and column from 1, in characters.
type Place struct{ Line, Column int }

func (p Place) String() string { return fmt.Sprintf("line %d, column %d", p.Line, p.Column) }

// Places says where the values of a text stand, by their keys: "call.ring", and "queues[1].warn" in the second [[queues]]. A
// table, and an element of an array of tables, is where its header is. What is within an array or an inline table is not
// there; the value around it is. The text has to be one that can be decoded.
func Places(text string) map[string]Place {
	s := scanner{text: text, places: make(map[string]Place), count: make(map[string]int)}
	for s.at < len(text) {
		s.statement()
	}
	return s.places
}

// At returns the place of a key, or of the nearest thing around it.
func At(places map[string]Place, key string) Place {
	for {
		if p, ok := places[key]; ok {
			return p
		}
		cut := strings.LastIndexAny(key, ".[")
		if cut < 0 {
			return Place{1, 1}
		}
		key = key[:cut]
	}
}

// A scanner goes through the statements of a text.
type scanner struct {
	text   string
	at     int
	table  string // the current header
	places map[string]Place
	count  map[string]int // elements of each array of tables

	seen, lines, start int // bytes that were looked at for line ends, how many they have, and where the last line starts
}

// place is where a byte stands; it is asked for bytes in their order.
func (s *scanner) place(at int) Place {
	for ; s.seen < at; s.seen++ {
		if s.text[s.seen] == '\n' {
			s.lines, s.start = s.lines+1, s.seen+1
		}
	}
	return Place{s.lines + 1, utf8.RuneCountInString(s.text[s.start:at]) + 1}
}

// statement takes a header, a key with its value, or what is neither: a comment, or space.
func (s *scanner) statement() {
	s.space(" \t\r\n")
	switch rest := s.text[s.at:]; {
	case rest == "":
	case rest[0] == '#':
		s.line()
	case rest[0] == '[':
		start := s.at
		several := strings.HasPrefix(rest, "[[")
		s.at++
		if several {
			s.at++
		}
		s.table = s.inside(s.key("]"), several)
		s.places[s.table] = s.place(start)
		s.line()
	default:
		key := s.inside(s.key("="), false)
		if _, isKey := strings.CutPrefix(s.text[s.at:], "="); !isKey {
			s.line()
			return
		}
		s.at++
		s.space(" \t")
		if s.table != "" {
			key = s.table + "." + key
		}
		s.places[key] = s.place(s.at)
		s.value()
	}
}

// inside names a key, a part of a table's name behind that of an array of tables with its last element. With several it is a
// new element itself.
func (s *scanner) inside(parts []string, several bool) string {
	name := ""
	for i, part := range parts {
		if i > 0 {
			name += "."
		}
		name += part
		last := i == len(parts)-1
		if several && last {
			s.count[name]++
		}
		if n := s.count[name]; n > 0 && (several || !last) {
			name += "[" + strconv.Itoa(n-1) + "]"
		}
	}
	return name
}

// key takes a dotted key up to the byte that ends it.
func (s *scanner) key(end string) (parts []string) {
	for s.at < len(s.text) {
		s.space(" \t")
		switch c := s.text[s.at:]; {
		case c == "" || strings.Contains(end+"\n", c[:1]):
			return parts
		case c[0] == '.':
			s.at++
		case c[0] == '"' || c[0] == '\'':
			stop := stringEnd(s.text, s.at)
			part := s.text[s.at:stop]
			if plain, err := strconv.Unquote(part); err == nil && c[0] == '"' {
				part = plain
			} else {
				part = strings.Trim(part, "'\"")
			}
			parts, s.at = append(parts, part), stop
		default:
			n := strings.IndexAny(c, " \t.\n"+end)
			if n < 0 {
				n = len(c)
			}
			parts, s.at = append(parts, c[:n]), s.at+n
		}
	}
	return parts
}

// value skips a value, which ends with its line unless an array or a string goes on.
func (s *scanner) value() {
	nested := 0
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case '\n':
			if nested == 0 {
				return
			}
		case '#':
			s.line()
			continue
		case '"', '\'':
			s.at = stringEnd(s.text, s.at)
			continue
		case '[', '{':
			nested++
		case ']', '}':
			nested--
		}
		s.at++
	}
}

func (s *scanner) space(of string) {
	s.at = len(s.text) - len(strings.TrimLeft(s.text[s.at:], of))
}

// line goes to the end of the line.
func (s *scanner) line() {
	if n := strings.IndexByte(s.text[s.at:], '\n'); n >= 0 {
		s.at += n
	} else {
		s.at = len(s.text)
	}
}
