package tail

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/output"
)

// screenEvery is the time between two drawings of counts on a terminal.
const screenEvery = time.Second

// A statScreen shows counts on a terminal while they grow.
type statScreen struct {
	due atomic.Bool // set by a ticker; who counts draws then

	sheet *run.Sheet
	o     output.Options
	size  func() (width, height int)
	drawn time.Time // the last time
}

// watchStats redraws the counts, if they go to a terminal, until stop is called. nudge wakes the goroutine that waits for
// events, which then calls flush.
func (t *tailer) watchStats(nudge func()) (stop func()) {
	if t.stats == nil {
		return func() {}
	}
	t.stats.since = time.Now()
	o := t.out.Options()
	if !t.run.Redraws(o) {
		return func() {}
	}
	s := &statScreen{sheet: run.NewSheet(t.run.Stdout), o: o, drawn: time.Now(), size: func() (int, int) {
		columns, rows := run.Size(t.run.Stdout)
		return cmp.Or(columns, o.Width), rows
	}}
	t.stats.screen = s
	ended := make(chan struct{})
	go func() {
		tick := time.NewTicker(screenEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.due.Store(true)
				nudge()
			case <-ended:
				return
			}
		}
	}()
	return func() { close(ended) }
}

// draw shows the counts if it is time.
func (s *eventStats) draw() {
	if s == nil || s.screen == nil || !s.screen.due.Swap(false) {
		return
	}
	s.drawAt(time.Now())
}

func (s *eventStats) drawAt(now time.Time) {
	c := s.screen
	width, height := c.size()
	var b bytes.Buffer
	since := now.Sub(c.drawn).Seconds()
	b.WriteString(output.Cut(s.summary(now, since), max(width, 1)) + "\n")
	o := c.o
	o.Width = width
	p := output.NewPrinter(&b, o)
	keys := s.keys()
	shown := keys
	if room := height - 4; height > 0 && len(keys) > room { // the summary, the table's head, the rest, and the cursor's own line
		shown = keys[:max(room, 0)]
	}
	for _, k := range shown {
		_ = p.Record(s.row(k, now, since)) // to a buffer
	}
	_ = p.Close()
	if left := len(keys) - len(shown); left > 0 {
		fmt.Fprintf(&b, "… %d more\n", left)
	}
	for _, n := range s.counts {
		n.shown = n.n
	}
	s.total.shown = s.total.n
	c.drawn = now
	c.sheet.Draw(b.Bytes())
}

// summary is the first line: how long, how many, how fast on the whole and since the last drawing.
func (s *eventStats) summary(now time.Time, since float64) string {
	words := []string{output.Duration(now.Sub(s.since).Truncate(time.Second)), fail.Count(s.total.n, "event")}
	if seconds := s.seconds(now); seconds > 0 {
		words = append(words, perSecond(float64(s.total.n)/seconds))
	}
	words = append(words, "now "+perSecond(float64(s.total.n-s.total.shown)/max(since, 1e-3)))
	if s.dropped > 0 {
		words = append(words, fmt.Sprintf("%d dropped", s.dropped))
	}
	return strings.Join(words, "  ")
}

// row is a line of the table.
func (s *eventStats) row(k statKey, now time.Time, since float64) output.Record {
	c := s.counts[k]
	r := output.Record{
		{Key: "node", Value: run.OrAbsent(k.node)},
		{Key: "event", Value: k.event},
		{Key: "count", Value: c.n},
		{Key: "rate"},
		{Key: "now", Value: float64(c.n-c.shown) / max(since, 1e-3)},
	}
	r[4].Text = perSecond(r[4].Value.(float64))
	if seconds := s.seconds(now); seconds > 0 {
		rate := float64(c.n) / seconds
		r[3].Value, r[3].Text = rate, perSecond(rate)
	}
	return r
}

// clear takes the drawing off the terminal.
func (s *eventStats) clear() {
	if s.screen != nil {
		s.screen.sheet.Clear()
		s.screen = nil
	}
}
