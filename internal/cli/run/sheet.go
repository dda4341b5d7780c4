package run

import (
	"bytes"
	"fmt"
	"io"
)

// A Sheet is a part of a terminal that is drawn again and again: over what was drawn before, and nothing above that.
type Sheet struct {
	w     io.Writer
	lines int
}

// NewSheet makes a sheet where the cursor is.
func NewSheet(w io.Writer) *Sheet { return &Sheet{w: w} }

// Draw writes lines instead of those before. What is wrong with the terminal is for what is printed at the end to tell.
func (s *Sheet) Draw(lines []byte) {
	var b bytes.Buffer
	s.back(&b)
	b.Write(lines)
	s.lines = bytes.Count(lines, []byte("\n"))
	_, _ = s.w.Write(b.Bytes())
}

// Clear takes off what was drawn.
func (s *Sheet) Clear() {
	var b bytes.Buffer
	if s.back(&b); b.Len() > 0 {
		_, _ = s.w.Write(b.Bytes())
	}
}

// back moves the cursor to where the drawing began, and clears what is below.
func (s *Sheet) back(b *bytes.Buffer) {
	if s.lines > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r\x1b[J", s.lines)
		s.lines = 0
	}
}
