package output

import (
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// Cut returns s cut to a width in terminal columns; what was cut ends in "…".
func Cut(s string, width int) string {
	if len(s) <= width || Width(s) <= width {
		return s
	}
	if width <= 0 {
		return ""
	}
	n := 0
	for i, r := range s {
		w := runeWidth(r)
		if n+w > width-cutMarkCols {
			return s[:i] + cutMark
		}
		n += w
	}
	return s
}

// cutCell cuts a cell: a text behind a word, and anything else in its middle, for names are told apart by their ends.
func cutCell(s string, width int) string {
	if len(s) <= width || Width(s) <= width {
		return s
	}
	if strings.Contains(s, " ") {
		return Cut(s, width)
	}
	return CutMiddle(s, width)
}

// CutMiddle returns s cut to a width in terminal columns, with "…" in place of what was cut out of its middle: more is left of
// the beginning than of the end.
func CutMiddle(s string, width int) string {
	if len(s) <= width || Width(s) <= width {
		return s
	}
	room := width - cutMarkCols
	if room < 2 {
		return Cut(s, width)
	}
	tail := room * 2 / 5
	n, from := 0, len(s)
	for from > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:from])
		if n += runeWidth(r); n > tail {
			break
		}
		from -= size
	}
	return Cut(s, width-Width(s[from:])) + s[from:]
}

// firstLine takes as much from the beginning of a text as fits into width columns, in whole words unless one is wider.
func firstLine(s string, width int) (line, rest string) {
	if Width(s) <= width {
		return s, ""
	}
	n, space, end := 0, -1, len(s)
	for i, r := range s {
		if r == ' ' {
			space = i
		}
		if n += runeWidth(r); n > width {
			end = i
			break
		}
	}
	if space > 0 {
		return strings.TrimRight(s[:space], " "), strings.TrimLeft(s[space:], " ")
	}
	if end == 0 { // not even one character fits
		_, end = utf8.DecodeRuneInString(s)
	}
	return s[:end], s[end:]
}

// Wrap breaks text between words so that no line is wider than width columns; 0 or less is no limit.
func Wrap(text string, width int) (lines []string) {
	for width > 0 && Width(text) > width {
		line, rest := firstLine(text, width)
		lines, text = append(lines, line), rest
	}
	return append(lines, text)
}

// Width returns how many columns of a terminal a string takes that is safe to print.
func Width(s string) int {
	if len(s) == 0 || plainASCII(s) {
		return len(s)
	}
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// columns knows how wide a character is. What Unicode calls ambiguous is one column wide whatever the locale, as "…" is that
// stands for what was cut off.
var columns = runewidth.Condition{StrictEmojiNeutral: true}

func runeWidth(r rune) int {
	if r < utf8.RuneSelf { // a tab, too
		return 1
	}
	return columns.RuneWidth(r)
}
