package tomlfile

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Place is where something stands in a text: line and column from 1, in characters.
type Place struct{ Line, Column int }

func (p Place) String() string { return fmt.Sprintf("line %d, column %d", p.Line, p.Column) }

// mark is a byte order mark, as some editors leave it at the beginning of a text; it is no character.
const mark = "\ufeff"

// placeIn returns where a byte of a text stands.
func placeIn(text string, at int) Place {
	before := strings.TrimPrefix(text[:at], mark)
	line := before[strings.LastIndexByte(before, '\n')+1:]
	return Place{strings.Count(before, "\n") + 1, utf8.RuneCountInString(line) + 1}
}
