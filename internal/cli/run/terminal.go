package run

import (
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"

	"github.com/apntalk/amictl/pkg/output"
)

// StderrIsTerminal reports whether somebody can read a question there.
func (r *Run) StderrIsTerminal() bool { return IsTerminal(r.Stderr) }

// Columns is the width of the terminal that standard output is, 0 if it is none.
func (r *Run) Columns() int { return Width(r.Stdout) }

// ReadersColumns is the width of the terminal that somebody sits at, also where standard output goes through a pipe to a
// pager, 0 if nobody does.
func (r *Run) ReadersColumns() int {
	for _, stream := range []any{r.Stdout, r.Stderr, r.Stdin} {
		if f, ok := stream.(*os.File); ok && IsTerminal(f) {
			return Width(f)
		}
	}
	columns, _ := r.Env("COLUMNS")
	n, _ := strconv.Atoi(columns)
	return max(n, 0)
}

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// Width is the width of a terminal in columns, 0 if w is none.
func Width(w io.Writer) int {
	columns, _ := Size(w)
	return columns
}

// Size is the size of a terminal in columns and rows, both 0 if w is none.
func Size(w io.Writer) (columns, rows int) {
	if !IsTerminal(w) {
		return 0, 0
	}
	columns, rows, err := term.GetSize(int(w.(*os.File).Fd()))
	if err != nil {
		return 0, 0
	}
	return columns, rows
}

// Colors reports whether standard output is to be coloured.
func (r *Run) Colors() bool { return r.color(IsTerminal(r.Stdout)) }

// color decides whether to colour: --color, else NO_COLOR, else whether a capable terminal is there.
func (r *Run) color(terminal bool) bool {
	switch r.Settings.color {
	case colorAlways:
		return true
	case colorNever:
		return false
	}
	no, _ := r.Env("NO_COLOR")
	return terminal && no == "" && !r.Dumb()
}

// Dumb reports whether the terminal understands no control sequences.
func (r *Run) Dumb() bool {
	kind, _ := r.Env("TERM")
	return kind == "dumb"
}

// hasPalette reports whether the terminal has 256 colours.
func (r *Run) hasPalette() bool {
	kind, _ := r.Env("TERM")
	more, _ := r.Env("COLORTERM")
	return strings.Contains(kind, "256color") || more != ""
}

// Redraws reports whether tables go to a terminal that can move its cursor.
func (r *Run) Redraws(o output.Options) bool {
	return o.Terminal && o.Format == output.TableText && o.Query == "" && !r.Dumb()
}
