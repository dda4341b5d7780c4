package run

import (
	"os"

	"github.com/mattn/go-isatty"
	"golang.org/x/term"

	"github.com/apntalk/amictl/pkg/output"
)

func (r *Run) StderrIsTerminal() bool {
	f, ok := r.Stderr.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// Columns is the width of the terminal that standard output is, 0 if it is none.
func (r *Run) Columns() int { return Width(r.Stdout) }

// Width is the width of a terminal in columns, 0 if the file is none.
func Width(f *os.File) int {
	if !isatty.IsTerminal(f.Fd()) {
		return 0
	}
	n, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return n
}

// color decides whether to colour: --color, else NO_COLOR, else whether a capable terminal is there.
func (r *Run) color(terminal bool) bool {
	switch r.Settings.Get("color") {
	case "always":
		return true
	case "never":
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
