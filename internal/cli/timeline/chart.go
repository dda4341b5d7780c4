package timeline

import (
	"fmt"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/output"
)

const (
	Width       = 80 // of a chart, in columns, where there is no terminal
	clockWidth  = 11 // of the time before the columns
	columnLeast = 14
)

// A Chart draws legs side by side: a line an event, with the time since the first one.
type Chart struct {
	width   int
	pitch   int    // columns of the terminal from one leg to the next
	legs    []*Leg // who is in each of the chart's columns; nil: nobody
	began   time.Time
	crowded bool // more legs than columns: the last one is shared
}

// NewChart makes a chart for so many legs at once, as wide as a terminal; 80 columns if that is 0.
func NewChart(width, legs int) *Chart {
	if width <= 0 {
		width = Width
	}
	room := max(width-clockWidth, columnLeast)
	columns := min(max(legs, 1), max(room/columnLeast, 1))
	return &Chart{width: width, pitch: room / columns, legs: make([]*Leg, columns)}
}

// Line draws an event of a leg: its text stands at its column, or as far to the left of that as it must to be seen whole.
func (c *Chart) Line(at time.Time, l *Leg, text string) string {
	if c.began.IsZero() {
		c.began = at
	}
	mark := "• "
	if !l.drawn {
		c.place(l)
		text = l.name + " " + text
		mark = fmt.Sprintf("%d ", l.number)
	}
	text = output.Safe(text)
	start := c.at(l.column)
	if left := max(c.width-output.Width(mark+text), clockWidth); left < start || c.crowded && l.column == len(c.legs)-1 {
		mark = fmt.Sprintf("%d ", l.number)
		start = min(start, max(c.width-output.Width(mark+text), clockWidth))
	} else if l.over {
		mark = "× "
	}
	var b strings.Builder
	b.WriteString(since(at.Sub(c.began), at.IsZero()))
	c.bars(&b, clockWidth, start)
	b.WriteString(strings.Repeat(" ", start-output.Width(b.String())) + mark + text)
	c.bars(&b, start+1, c.width)
	if l.over && c.legs[l.column] == l {
		c.legs[l.column] = nil
	}
	return output.Cut(b.String(), c.width)
}

// at is where a leg's column begins.
func (c *Chart) at(column int) int { return clockWidth + column*c.pitch }

// bars draws the legs that are up between two places, behind what is written.
func (c *Chart) bars(b *strings.Builder, from, to int) {
	used := output.Width(b.String())
	for i, l := range c.legs {
		if at := c.at(i); l != nil && at >= from && at < to && at >= used {
			b.WriteString(strings.Repeat(" ", at-used) + "│")
			used = at + 1
		}
	}
}

// place finds a column for a leg: the first that is free, else the last one.
func (c *Chart) place(l *Leg) {
	l.drawn = true
	for i, other := range c.legs {
		if other == nil {
			l.column, c.legs[i] = i, l
			return
		}
	}
	l.column = len(c.legs) - 1
	c.legs[l.column] = l
	c.crowded = true
}

// since is a time since the beginning, as wide as the column for it; blank if it is not known.
func since(d time.Duration, unknown bool) string {
	if unknown {
		return strings.Repeat(" ", clockWidth)
	}
	d = d.Round(time.Millisecond)
	text := fmt.Sprintf("%d.%03d", d/time.Second, d%time.Second/time.Millisecond)
	if d >= time.Hour {
		text = fmt.Sprintf("%d:%02d:%02d", d/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second)
	}
	if d < 0 {
		text = "-" + strings.ReplaceAll(text, "-", "")
	}
	return fmt.Sprintf("%*s  ", clockWidth-2, text)
}
