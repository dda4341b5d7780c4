package top

import (
	"sync"

	"github.com/gdamore/tcell/v2"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

// A terminal is where grids are shown. A signal may close it at any time, and the screen's Fini may not run beside
// anything else of it.
type terminal struct {
	screen tcell.Screen
	styles [Bad + 1]tcell.Style

	mu     sync.Mutex
	closed bool
}

// findScreen finds out what terminal this is, and leaves it as it is.
func findScreen(r *run.Run) (tcell.Screen, error) {
	const instead = "`amictl state` and `amictl calls` print what it shows"
	if !run.IsTerminal(r.Stdout) || !run.IsTerminal(r.Stdin) {
		return nil, fail.Usage(instead, "top is for a terminal")
	}
	screen, err := tcell.NewScreen()
	if err != nil {
		kind, _ := r.Env("TERM")
		return nil, fail.Usage("TERM=xterm-256color fits most terminals; "+instead, "top cannot draw on a terminal of type %q, which TERM names: %v", kind, err)
	}
	return screen, nil
}

// newTerminal chooses styles that can be told apart on a light and on a dark terminal, and without colours.
func newTerminal(screen tcell.Screen) *terminal {
	t := &terminal{screen: screen}
	plain := tcell.StyleDefault
	t.styles = [...]tcell.Style{
		Plain: plain, Dim: plain.Dim(true), Strong: plain.Bold(true), Bar: plain.Reverse(true), Cursor: plain.Reverse(true),
		Good: plain.Foreground(tcell.ColorGreen), Warn: plain.Foreground(tcell.ColorOlive), Bad: plain.Foreground(tcell.ColorMaroon).Bold(true),
	}
	if screen.Colors() < 8 {
		t.styles[Good], t.styles[Warn], t.styles[Bad] = plain, plain.Underline(true), plain.Bold(true).Underline(true)
	}
	return t
}

// close leaves the terminal as it was.
func (t *terminal) close() {
	t.use(func() {
		t.closed = true
		t.screen.Fini()
	})
}

// use does something with the screen, unless it is closed.
func (t *terminal) use(do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		do()
	}
}

// sync draws everything anew.
func (t *terminal) sync() { t.use(t.screen.Sync) }

// show puts a grid on the terminal: what has changed is sent, and nothing else.
func (t *terminal) show(g *Grid) { t.use(func() { t.draw(g) }) }

func (t *terminal) draw(g *Grid) {
	for y := range g.Height {
		for x := range g.Width {
			if c := g.At(x, y); c.Rune != 0 {
				t.screen.SetContent(x, y, c.Rune, nil, t.styles[c.Style])
			}
		}
	}
	if g.CursorX >= 0 {
		t.screen.ShowCursor(g.CursorX, g.CursorY)
	} else {
		t.screen.HideCursor()
	}
	t.screen.Show()
}

// keyNames are those of keys that are no characters.
var keyNames = map[tcell.Key]string{
	tcell.KeyUp: "up", tcell.KeyDown: "down", tcell.KeyLeft: "left", tcell.KeyRight: "right", tcell.KeyPgUp: "pgup", tcell.KeyPgDn: "pgdn",
	tcell.KeyHome: "home", tcell.KeyEnd: "end", tcell.KeyEnter: "enter", tcell.KeyEscape: "esc", tcell.KeyTab: "tab",
	tcell.KeyBacktab: "backtab", tcell.KeyBackspace: "backspace", tcell.KeyBackspace2: "backspace", tcell.KeyCtrlC: "ctrl-c",
	tcell.KeyCtrlL: "ctrl-l", tcell.KeyCtrlZ: "ctrl-z", tcell.KeyCtrlU: "ctrl-u",
}

// keyName is how a model calls a key, "" for one that it has no use for.
func keyName(e *tcell.EventKey) string {
	if e.Key() == tcell.KeyRune {
		if e.Modifiers()&tcell.ModAlt != 0 {
			return ""
		}
		return string(e.Rune())
	}
	return keyNames[e.Key()]
}
