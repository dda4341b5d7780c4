package output

// How JSON for people to read is laid out: each member in a line of its own, two spaces a level.

const (
	spreadColon = `": "` // between a key and a string
	spreadComma = "\",\n      "
	plainColon  = `":"`
	plainComma  = `",`
)

// spreadFields is how deep the fields of an event lie in a document that is an array.
const spreadFields = 3

var spreadLines = func() string {
	b := append(make([]byte, 0, 64), '\n')
	for len(b) < cap(b) {
		b = append(b, ' ')
	}
	return string(b)
}()

func appendNewline(dst []byte, depth int) []byte {
	if 2*depth < len(spreadLines) {
		return append(dst, spreadLines[:1+2*depth]...)
	}
	return appendSpaces(append(dst, '\n'), 2*depth)
}

// appendSpread appends JSON without white space, or a part of such, laid out. depth is how deep its beginning lies.
func appendSpread(dst []byte, s string, depth int) []byte {
	start := 0
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '"':
			for i = inString(s, i+1); i < len(s) && s[i] != '"'; i = inString(s, min(i+2, len(s))) {
			}
			i++
		case ':', ',':
			i++
			dst = append(dst, s[start:i]...)
			if start = i; c == ':' {
				dst = append(dst, ' ')
			} else {
				dst = appendNewline(dst, depth)
			}
		case '{', '[':
			i++
			if i < len(s) && s[i] == c+2 { // its end
				i++
				continue
			}
			depth++
			dst = appendNewline(append(dst, s[start:i]...), depth)
			start = i
		case '}', ']':
			depth--
			dst = appendNewline(append(dst, s[start:i]...), depth)
			start = i
			i++
		default:
			i++
		}
	}
	return append(dst, s[min(start, len(s)):]...)
}
