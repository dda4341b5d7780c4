// Package tomlfile decodes TOML that somebody else may have written. The decoder recurses and copies: a dotted key of 100 KB
// takes gigabytes, and a million brackets the stack, which no program survives. So size and depth are checked before it sees
// a byte: then 2 MiB of the worst kind take half a gigabyte for a moment.
package tomlfile

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/BurntSushi/toml"
)

// What a file may have at most. The files of amictl need six parts in a key and three brackets.
const (
	MostBytes  = 2 << 20
	mostParts  = 8 // of a dotted key
	mostNested = 8 // arrays and inline tables in one another
)

// Errors of Read and Decode.
var (
	ErrTooLong = fmt.Errorf("it is longer than %d MiB", MostBytes>>20)
	ErrTooDeep = fmt.Errorf("it is nested too deeply: a key has %d parts at most, and arrays and inline tables %d levels", mostParts, mostNested)
)

// Read reads a whole file, which may be a pipe or a device, and never more than MostBytes of it.
func Read(in io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(in, MostBytes+1))
	if err == nil && len(text) > MostBytes {
		err = ErrTooLong
	}
	return string(text), err
}

// Decode is [toml.Decode] of a text that is neither too long nor too deep.
func Decode(text string, into any) (toml.MetaData, error) {
	if len(text) > MostBytes {
		return toml.MetaData{}, ErrTooLong
	}
	if line, deep := tooDeep(text); deep {
		return toml.MetaData{}, fmt.Errorf("line %d: %w", line, ErrTooDeep)
	}
	return toml.Decode(text, into)
}

// Explain says what is wrong with a file that cannot be decoded, and where if that is known.
func Explain(err error) string {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return fmt.Sprintf("%v: %s", Place{parse.Position.Line, parse.Position.Col}, parse.Message)
	}
	return strings.TrimPrefix(err.Error(), "toml: ")
}

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
