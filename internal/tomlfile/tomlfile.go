// Package tomlfile decodes TOML that somebody else may have written, and tells each mistake with its place. go-toml parses it, into
// expressions, at 300 MB/s; which tables they mean, and what becomes of them in Go, is decided here, since go-toml's own decoder compares
// each name with all before it: a configuration of 5,000 nodes takes it 60 ms. Size and depth are checked before anything else: then
// 2 MiB of the worst kind take less than a gigabyte, for a moment.
package tomlfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// What a file may have at most. The files of amictl need six parts in a key and three brackets.
const (
	MostBytes  = 2 << 20
	mostParts  = 8 // of a dotted key
	mostNested = 8 // arrays and inline tables in one another
)

// Errors of Read and Decode.
var (
	ErrTooLong = errors.New("it is longer than " + strconv.Itoa(MostBytes>>20) + " MiB")
	errNotUTF8 = errors.New("it has bytes that are 0, as UTF-16 has: write it as UTF-8")
	ErrTooDeep = errors.New("it is nested too deeply: a key has " + strconv.Itoa(mostParts) + " parts at most, and arrays and inline tables " + strconv.Itoa(mostNested) + " levels")
)

// Read reads a whole file, which may be a pipe or a device, and never more than MostBytes of it.
func Read(in io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(in, MostBytes+1))
	if err == nil && len(text) > MostBytes {
		err = ErrTooLong
	}
	return string(text), err
}

// A Key is a key with the tables around it.
type Key []string

// String writes a key as TOML does.
func (k Key) String() string {
	parts := make([]string, len(k))
	for i, part := range k {
		parts[i] = quoted(part)
	}
	return strings.Join(parts, ".")
}

// An Unknown is a key that its table does not have, and what that table has.
type Unknown struct {
	Key
	Known []string
	at    int
}

// Last is the part that is unknown.
func (u Unknown) Last() string { return u.Key[len(u.Key)-1] }

// quoted writes a part of a key, in quotes where it must be.
func quoted(part string) string {
	const bare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"
	if part == "" || strings.Trim(part, bare) != "" {
		return strconv.Quote(part)
	}
	return part
}

// Decode decodes a text that is neither too long nor too deep into a struct, by the toml tags of its fields, or a map. It returns the
// keys that nothing is known of, in their order in the text, each up to its first part that is unknown. For a mistake it returns
// an error that Explain tells with its place.
func Decode(text string, into any) (unknown []Unknown, err error) {
	root, err := read(text)
	if err != nil {
		return nil, err
	}
	d := &decoder{structs: make(map[reflect.Type]map[string]int)}
	if err := d.decode(root, reflect.ValueOf(into), nil); err != nil {
		return nil, placed(text, err)
	}
	slices.SortStableFunc(d.unknown, func(a, b Unknown) int { return cmp.Compare(a.at, b.at) })
	return d.unknown, nil
}

// read reads a text that is neither too long nor too deep.
func read(text string) (*node, error) {
	if len(text) > MostBytes {
		return nil, ErrTooLong
	}
	if line, deep := tooDeep(text); deep {
		return nil, fmt.Errorf("line %d: %w", line, ErrTooDeep)
	}
	if strings.IndexByte(text, 0) >= 0 {
		return nil, errNotUTF8
	}
	root, err := parse(withoutMark(text))
	if err != nil {
		return nil, placed(text, err)
	}
	return root, nil
}

// withoutMark has spaces where an editor left a byte order mark, so that all else stays where it is.
func withoutMark(text string) string {
	if rest, marked := strings.CutPrefix(text, mark); marked {
		return strings.Repeat(" ", len(mark)) + rest
	}
	return text
}

// placed tells a mistake with its line and column.
func placed(text string, err error) error {
	if m := new(mistakeError); errors.As(err, &m) {
		m.place = placeIn(text, m.at)
	}
	return err
}

// Explain says what is wrong with a file that cannot be decoded, and where if that is known.
func Explain(err error) string { return strings.TrimPrefix(err.Error(), "toml: ") }

// tooDeep finds the first line that nests too deeply. It knows of TOML only what strings and comments are: up to the first
// mistake in the text, where the decoder ends, it sees what the decoder does.
func tooDeep(text string) (line int, deep bool) {
	line = 1
	parts, nested := 1, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\n':
			line++
			parts = 1
		case '#':
			if end := strings.IndexByte(text[i:], '\n'); end >= 0 {
				i += end - 1
			} else {
				return 0, false
			}
		case '"', '\'':
			end := stringEnd(text, i)
			line += strings.Count(text[i:end], "\n")
			i = end - 1
		case '.':
			parts++
		case '[', '{':
			nested++
			parts = 1
		case ']', '}':
			nested = max(nested-1, 0)
			parts = 1
		case ',', '=':
			parts = 1
		}
		if parts > mostParts || nested > mostNested {
			return line, true
		}
	}
	return 0, false
}

// stringEnd returns the place behind the string that begins at i: a basic one, with escapes, or a literal one; of one line,
// or of several between three quotes.
func stringEnd(text string, i int) int {
	quote := text[i : i+1]
	basic := quote == `"`
	stop, several := quote, false
	if strings.HasPrefix(text[i:], strings.Repeat(quote, 3)) {
		stop, several = strings.Repeat(quote, 3), true
	}
	for j := i + len(stop); j < len(text); j++ {
		switch {
		case basic && text[j] == '\\':
			j++
		case !several && text[j] == '\n':
			return j
		case strings.HasPrefix(text[j:], stop):
			return j + len(stop)
		}
	}
	return len(text)
}
