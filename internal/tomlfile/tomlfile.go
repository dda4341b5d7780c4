// Package tomlfile decodes TOML that somebody else may have written. The decoder recurses and copies: a dotted key of 100 KB
// takes gigabytes, and a million brackets the stack, which no program survives. So size and depth are checked before it sees
// a byte: then 2 MiB of the worst kind take half a gigabyte for a moment.
package tomlfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
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

// Decode is [toml.Decode] of a text that is neither too long nor too deep. It returns the keys that nothing is known of, in their
// order in the text, each up to its first part that is unknown. One that differs from a known key by its case alone is such a
// key, though the decoder takes it.
func Decode(text string, into any) (unknown []toml.Key, err error) {
	if len(text) > MostBytes {
		return nil, ErrTooLong
	}
	if line, deep := tooDeep(text); deep {
		return nil, fmt.Errorf("line %d: %w", line, ErrTooDeep)
	}
	meta, err := toml.Decode(text, into)
	if err != nil {
		return nil, err
	}
	undecoded := meta.Undecoded()
	known := make(knownKeys)
	for _, key := range meta.Keys() {
		n := known.parts(reflect.TypeOf(into), key)
		if len(undecoded) > 0 && slices.Equal(undecoded[0], key) {
			undecoded = undecoded[1:]
		} else if n == len(key) {
			continue
		}
		unknown = append(unknown, key[:min(n+1, len(key))])
	}
	return unknown, nil
}

// knownKeys are the types of the values that structs have under their keys.
type knownKeys map[reflect.Type]map[string]reflect.Type

// parts returns how many parts of a key of a value of that type are written as they are known.
func (known knownKeys) parts(t reflect.Type, key toml.Key) (n int) {
	for n < len(key) {
		switch t.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			t = t.Elem()
		case reflect.Map:
			t, n = t.Elem(), n+1
		case reflect.Struct:
			of, ok := known.of(t)[key[n]]
			if !ok {
				return n
			}
			t, n = of, n+1
		default:
			return len(key) // it decodes itself, or is anything
		}
	}
	return n
}

// of returns the keys of a struct.
func (known knownKeys) of(t reflect.Type) map[string]reflect.Type {
	keys := known[t]
	if keys == nil {
		keys = make(map[string]reflect.Type)
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			keys[cmp.Or(name, f.Name)] = f.Type
		}
		known[t] = keys
	}
	return keys
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
