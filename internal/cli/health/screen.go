package health

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/output"
)

// A screen shows the looks of --watch on a terminal one over the other, on its alternate screen, so that what was on the
// terminal before is still there afterwards.
type screen struct {
	out    io.Writer
	o      output.Options
	size   func() (columns, rows int)
	opened atomic.Bool
}

// What a terminal is told (xterm's control sequences; others have them, too).
const (
	openScreen  = "\x1b[?1049h\x1b[?25l" // the alternate screen, without a cursor
	closeScreen = "\x1b[?25h\x1b[?1049l"
	fromTop     = "\x1b[H"
	endOfLine   = "\x1b[K\n" // nothing of an earlier look is left in the line
	endOfScreen = "\x1b[J"
)

// newScreen returns a screen if the looks go to a terminal that can show one, else nil.
func newScreen(r *run.Run, o *options) *screen {
	form, err := r.OutputOptions(run.Records)
	if err != nil || !o.rounds.Watch || o.out != "" || !r.Redraws(form) {
		return nil
	}
	return &screen{out: r.Stdout, o: form, size: func() (int, int) {
		columns, rows := run.Size(r.Stdout)
		return cmp.Or(columns, form.Width), rows
	}}
}

// close leaves the terminal as it was. It may be called from any goroutine.
func (s *screen) close() {
	if s != nil && s.opened.Swap(false) {
		_, _ = io.WriteString(s.out, closeScreen)
	}
}

// draw shows a look: a summary, and the nodes, those that are not well first.
func (s *screen) draw(found []checkup, every time.Duration) error {
	sorted := slices.Clone(found)
	slices.SortStableFunc(sorted, func(a, b checkup) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), output.CompareNames(a.node, b.node))
	})
	columns, rows := s.size()
	var b bytes.Buffer
	if !s.opened.Swap(true) {
		b.WriteString(openScreen)
	}
	b.WriteString(fromTop)
	lines := append([]string{s.summary(sorted, every, columns)}, s.table(sorted, columns, rows-2)...) // and one for nothing
	for _, line := range lines {
		b.WriteString(line + endOfLine)
	}
	b.WriteString(endOfScreen)
	_, err := s.out.Write(b.Bytes())
	return err
}

// rank orders nodes by how much they need somebody.
func (h *checkup) rank() int {
	switch {
	case h.err != nil:
		return 0
	case h.critical:
		return 1
	case h.degraded != "":
		return 2
	case len(h.unjudged) > 0:
		return 3
	}
	return 4
}

// summary says in a line when, how many are how, and what they do.
func (s *screen) summary(found []checkup, every time.Duration, columns int) string {
	var at time.Time
	states := make(map[string]int)
	for i := range found {
		states[found[i].state()]++
		if found[i].at.After(at) {
			at = found[i].at
		}
	}
	text := fmt.Sprintf("%s  %d of %s ready", at.Local().Format(time.TimeOnly), states["ready"], fail.Count(len(found), "node"))
	for _, state := range []string{"down", "login-refused", "stopping", "critical", "degraded"} {
		if n := states[state]; n > 0 {
			text += fmt.Sprintf(", %d %s", n, state)
		}
	}
	calls, channels := sum(found, func(h *checkup) int { return h.calls }), sum(found, func(h *checkup) int { return h.channels })
	if !math.IsNaN(calls) && !math.IsNaN(channels) {
		text += fmt.Sprintf("  %.0f calls, %.0f channels", calls, channels)
	}
	text = output.Cut(text+"  every "+every.String(), max(columns, 1))
	if tone := worst(found); s.o.Color && tone != output.Neutral {
		text = output.Colored(tone, text)
	}
	return text
}

// worst is the tone of the node that is worst.
func worst(found []checkup) output.Tone {
	tone := output.Neutral
	for i := range found {
		tone = max(tone, found[i].tone())
	}
	return tone
}

// table is the table in as many lines as there is room for; the last one says how many nodes are not shown.
func (s *screen) table(found []checkup, columns, room int) []string {
	o := s.o
	o.Width = columns
	for shown := len(found); ; {
		var b bytes.Buffer
		p := output.NewPrinter(&b, o)
		for i := range found[:shown] {
			_ = p.Record(found[i].onScreen()) // to a buffer
		}
		_ = p.Close()
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if left := len(found) - shown; left > 0 {
			lines = append(lines, output.Cut(fmt.Sprintf("… and %s, of which %d ready", fail.Count(left, "node"), ready(found[shown:])), max(columns, 1)))
		}
		over := len(lines) - room
		if room <= 0 || over <= 0 || shown <= 1 {
			return lines
		}
		shown = max(shown-max(over*shown/len(lines), 1), 1) // a row may take several lines
	}
}

// onScreen is the record with the time always, and the breaker only if it says something.
func (h *checkup) onScreen() output.Record {
	r := h.record()
	for i := range r {
		switch {
		case r[i].Key == "time":
			r[i].Look = output.Identity
		case r[i].Key == "breaker" && r[i].Value == "closed":
			r[i].Look = output.Minor
		}
	}
	return r
}

func ready(found []checkup) (n int) {
	for i := range found {
		if found[i].state() == "ready" {
			n++
		}
	}
	return n
}
