package redact

import (
	"regexp"
	"strings"
	"sync"
)

// maxName is how far back from a = or : the name before it is looked for, in bytes.
const maxName = 128

// assignment hides the whole rest of `NAME=value`, `name => value` or, as a Command prints it, `name : value`, if that
// is what s begins with.
func (r *Redactor) assignment(spans []span, base int, s string, where place) []span {
	i := 0
	for i < len(s) && s[i] != '=' && s[i] != ':' {
		i++
	}
	if i == len(s) {
		return spans
	}
	at := valueStart(s, i+1)
	name := strings.TrimSpace(s[:i])
	if r.secretKey(name) {
		if at < len(s) {
			spans = append(spans, span{base + at, base + len(s)})
		}
		return spans
	}
	if from, to := mixed(name, s[at:], where); from < to {
		spans = append(spans, span{base + at + from, base + at + to})
	}
	return spans
}

// variables hides values in a Variable header: NAME=value,NAME=value as Asterisk's application arguments, in which
// quotes, parentheses and brackets protect a comma. A piece without = belongs to the one before.
func (r *Redactor) variables(spans []span, base int, s string) []span {
	from, secret := -1, false // the secret value's start; whether the piece at hand is one
	end := func(to int) {
		if secret && from < to {
			spans = append(spans, span{base + from, base + to})
		}
	}
	for start := 0; start <= len(s); {
		stop := argumentEnd(s, start)
		if i := strings.IndexByte(s[start:stop], '='); i >= 0 {
			if start > 0 {
				end(start - 1)
			}
			from, secret = start+i+1, r.secretKey(s[start:start+i])
		}
		start = stop + 1
	}
	end(len(s))
	return spans
}

// argumentEnd returns where the argument that begins at start ends, as AST_STANDARD_APP_ARGS splits.
func argumentEnd(s string, start int) int {
	quoted, parens, brackets := false, 0, 0
	for i := start; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '(':
			parens++
		case c == ')':
			parens = max(parens-1, 0)
		case c == '[':
			brackets++
		case c == ']':
			brackets = max(brackets-1, 0)
		case c == ',' && parens == 0 && brackets == 0:
			return i
		}
	}
	return len(s)
}

// command hides the value in `database put FAMILY KEY VALUE` and `dialplan set global NAME VALUE`.
func (r *Redactor) command(spans []span, base int, s string) []span {
	if !foldPrefix(s, "database put ") && !foldPrefix(s, "dialplan set ") {
		return spans
	}
	for start := 0; start < len(s); {
		end := strings.IndexByte(s[start:], ' ')
		if end < 0 {
			return spans
		}
		end += start
		if r.secretKey(s[start:end]) && end+1 < len(s) {
			return append(spans, span{base + end + 1, base + len(s)})
		}
		start = end + 1
	}
	return spans
}

// assignments hides the values of telling names anywhere in s: NAME=value, name = value, name => value, "name":"value",
// name:value, and `name: value` where the name begins the line or, in a listing, anywhere. A quoted value ends at its
// quote, another before the next name or at the end.
func (r *Redactor) assignments(spans []span, base int, s string, where place) []span {
	if strings.IndexByte(s, '=') < 0 && strings.IndexByte(s, ':') < 0 {
		return spans
	}
	quotes := 0 // " before i, escaped or not
	text := len(s) - len(strings.TrimLeft(s, " \t"))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i+1 < len(s) && s[i+1] == '"' {
				quotes++ // JSON in JSON
				i++
			}
			continue
		case '"':
			quotes++
			continue
		case '=', ':':
		default:
			continue
		}
		start, end := nameBefore(s, i)
		name := s[start:end]
		part := mixedName(name, where)
		if start == end || !part && !r.secretKey(name) {
			continue
		}
		named := end < i && strings.ContainsAny(s[end:i], `"'`)
		prose := s[i] == ':' && i+1 < len(s) && s[i+1] == ' ' && !named && where != listing && start > text && s[start-1] != '=' // SIPADDHEADER01=Authorization: …
		at := valueStart(s, i+1)
		if prose || at >= len(s) {
			continue
		}
		from, to := valueExtent(s, at, quotes%2 == 1)
		if part && !r.secretKey(name) {
			if s[i] == ':' && !named {
				continue // prose
			}
			hideFrom, hideTo := mixed(name, s[from:to], where)
			from, to = from+hideFrom, from+hideTo
		}
		if from < to {
			spans = append(spans, span{base + from, base + to})
			quotes += strings.Count(s[i:to], `"`)
			i = to - 1
		}
	}
	return spans
}

// nameBefore returns the name that ends before the = or : at i, without quotes and spaces around it.
func nameBefore(s string, i int) (start, end int) {
	end = i
	for end > 0 && i-end < maxName && isQuoting[s[end-1]] {
		end--
	}
	start = end
	for start > 0 && end-start < maxName && isName[s[start-1]] {
		start--
	}
	return start, end
}

// A byteSet says of each byte whether it is one of some.
type byteSet [256]bool

func setOf(chars string) (t byteSet) {
	for i := range len(chars) {
		t[chars[i]] = true
	}
	return t
}

var (
	isQuoting = setOf(" \t\"'\\")           // may be between a name and its = or :
	endsUser  = setOf(" \t\n\f\r:@/,;<>\"") // is not part of a user's name in a URL
	isName    = func() byteSet {
		t := setOf("_-.()/")
		for c := range t {
			t[c] = t[c] || alnum(byte(c))
		}
		return t
	}()
)

func nameByte(c byte) bool { return isName[c] }

// valueStart returns where a value begins behind its = or :, past spaces and the > of =>.
func valueStart(s string, i int) int {
	if i < len(s) && s[i] == '>' {
		i++
	}
	for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	return i
}

// valueExtent returns what of s to hide for a value that begins at i: the inside of quotes; a JSON array or object
// whole; else up to the quote that closes the text around it (inside), to a separator with another name behind it, or
// to the end.
func valueExtent(s string, i int, inside bool) (from, to int) {
	escaped := s[i] == '\\' && i+1 < len(s) && s[i+1] == '"'
	switch {
	case escaped && inside:
		if end := strings.Index(s[i+2:], `\"`); end >= 0 {
			return i + 2, i + 2 + end
		}
		return i, len(s)
	case !inside && (s[i] == '"' || s[i] == '\''):
		if end := closingQuote(s, i); end >= 0 && endsValue(s, end+1) {
			return i + 1, end
		}
		return i, len(s)
	case !inside && (s[i] == '[' || s[i] == '{'):
		if end := closingBracket(s, i); end >= 0 && endsValue(s, end) {
			return i, end
		}
		return i, len(s)
	}
	for j := i; j < len(s); j++ {
		switch c := s[j]; {
		case c == '\\':
			j++
		case c == '"' && inside:
			return i, j
		case strings.IndexByte(" \t,;&|", c) >= 0 && namedBehind(s, j+1):
			return i, j
		}
	}
	return i, len(s)
}

// endsValue reports whether a value can end before s[i]: a quote in the middle of a password does not close it.
func endsValue(s string, i int) bool {
	return i >= len(s) || strings.IndexByte(" \t,;&|)]}>\\\r\n", s[i]) >= 0
}

// namedBehind reports whether `NAME=` or `NAME:` begins at i or behind spaces and a quote there.
func namedBehind(s string, i int) bool {
	for from := i; i < len(s) && i-from < maxName && strings.IndexByte(" \t\"'\\{", s[i]) >= 0; {
		i++
	}
	start := i
	for i < len(s) && i-start < maxName && nameByte(s[i]) {
		i++
	}
	if i == start {
		return false
	}
	for i < len(s) && (s[i] == '"' || s[i] == '\'' || s[i] == '\\') {
		i++
	}
	return i < len(s) && (s[i] == '=' || s[i] == ':')
}

// closingQuote returns where the quote at i is closed, -1 if nowhere.
func closingQuote(s string, i int) int {
	for j := i + 1; j < len(s); j++ {
		switch s[j] {
		case '\\':
			j++
		case s[i]:
			return j
		}
	}
	return -1
}

// closingBracket returns the place behind the bracket or brace that closes the one at i, -1 if there is none.
func closingBracket(s string, i int) int {
	depth := 0
	for j := i; j < len(s); j++ {
		switch s[j] {
		case '"':
			end := closingQuote(s, j)
			if end < 0 {
				return -1
			}
			j = end
		case '[', '{':
			depth++
		case ']', '}':
			if depth--; depth == 0 {
				return j + 1
			}
		}
	}
	return -1
}

// userinfoRE finds user:password@ in URLs, SIP URIs and dial strings; group 1 is the password.
var userinfoRE = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(?:://|\bsips?:|\b(?:SIP|IAX2?|H323|OOH323)[/,])[^\s:@/,;<>"]*:([^\s@<>"]+)@`)
})

// userinfo hides passwords in URLs.
func userinfo(spans []span, base int, s string) []span {
	if !mayHoldUserinfo(s) {
		return spans
	}
	for _, m := range userinfoRE().FindAllStringSubmatchIndex(s, -1) {
		spans = append(spans, span{base + m[2], base + m[3]})
	}
	return spans
}

// mayHoldUserinfo spares most lines the expression: a password needs a : before it, with a name before that which begins
// behind another :, a / or a comma, and an @ behind it with no space, quote or bracket between.
func mayHoldUserinfo(s string) bool {
	ends := false // what is at i goes on up to an @
	for i := strings.LastIndexByte(s, '@'); i > 0; i-- {
		switch c := s[i]; c {
		case '@':
			ends = true
		case ' ', '\t', '\n', '\f', '\r', '<', '>', '"':
			ends = false
		case ':':
			if ends && s[i+1] != '@' && userBehind(s[:i]) {
				return true
			}
		}
	}
	return false
}

// userBehind reports whether s ends in a :, a / or a comma with no more than a user's name behind it.
func userBehind(s string) bool {
	i := len(s) - 1
	for i >= 0 && !endsUser[s[i]] {
		i--
	}
	return i >= 0 && (s[i] == ':' || s[i] == '/' || s[i] == ',')
}
