package run

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"

	"github.com/apntalk/amictl/pkg/output"
)

// StderrIsTerminal reports whether somebody can read a question there.
func (r *Run) StderrIsTerminal() bool { return IsTerminal(r.Stderr) }

// Columns is the width of the terminal that standard output is, 0 if it is none.
func (r *Run) Columns() int { return Width(r.Stdout) }

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

// color decides whether to colour: --color, else NO_COLOR, else whether a capable terminal is there.
func (r *Run) color(terminal bool) bool {
	switch r.Settings.color {
	case colorAlways:
		return true
	case colorNever:
		return false
	}
	no, _ := r.Env("NO_COLOR")
	kind, _ := r.Env("TERM")
	return terminal && no == "" && kind != "dumb"
}

// Redraws reports whether tables go to a terminal that can move its cursor.
func (r *Run) Redraws(o output.Options) bool {
	kind, _ := r.Env("TERM")
	return o.Terminal && o.Format == output.TableText && o.Query == "" && kind != "dumb"
}
