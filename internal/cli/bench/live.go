package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/output"
)

// live tells on standard error how a run is going: on a terminal in one line that is updated, elsewhere in plain
// lines. With -o jsonl each stretch is also an object on standard output.
type live struct {
	run      *run.Run
	prefix   string
	terminal bool // standard error is one
	lines    bool // JSON lines on standard output
	wrote    bool

	config *bench.Config
	ended  uint64 // actions
}

func newLive(r *run.Run, config *bench.Config, i, repeats int) *live {
	l := &live{run: r, config: config, terminal: r.StderrIsTerminal() && !r.Dumb(), lines: r.Settings.Output == run.OutputJSONLines}
	if repeats > 1 {
		l.prefix = fmt.Sprintf("%d/%d ", i+1, repeats)
	}
	return l
}

// interval reports a stretch.
func (l *live) interval(v *bench.Interval) { l.show(v, 0) }

// show reports a stretch; lag is the generator's p99 lateness so far, in microseconds, 0 where it is not known yet.
func (l *live) show(v *bench.Interval, lag int64) {
	if l.lines {
		_ = writeLine(l.run.Stdout, "interval", v) // a reader who is gone ends the run by a signal
	}
	if l.run.Flags.Quiet {
		return
	}
	l.ended += v.Ended
	s := fmt.Sprintf("%s%5.1fs%s  %.0f/s  p50 %s  p99 %s  failed %d  in flight %d  ready %d  resident %s", l.prefix, v.At, l.phase(v), v.Rate,
		bench.FormatMicros(v.P50), bench.FormatMicros(v.P99), v.Failed, v.InFlight, v.Ready, v.RSS)
	if v.Backlog > 0 {
		s += fmt.Sprintf("  waiting %d", v.Backlog)
	}
	if lag > 0 {
		s += "  lag " + bench.FormatMicros(lag)
	}
	if l.terminal {
		if n := run.Width(l.run.Stderr); n > 0 {
			s = output.Cut(s, n-1) // a line that wraps could not be written over
		}
		fmt.Fprintf(l.run.Stderr, "\r\x1b[K%s", s)
		l.wrote = true
		return
	}
	fmt.Fprintln(l.run.Stderr, s)
}

// phase says how far the run is, of its time or of its actions, and when all that is left is what was due before its end.
func (l *live) phase(v *bench.Interval) string {
	c := l.config
	length := time.Duration(c.Duration)
	if len(c.Stages) > 0 {
		length = 0
		for _, s := range c.Stages {
			length += time.Duration(s.For)
		}
	}
	over := length > 0 && v.At > length.Seconds()+0.05
	switch {
	case v.WarmUp:
		return " (warm-up)"
	case over && c.Open():
		return fmt.Sprintf(" (grace: up to %s for what is due)", time.Duration(c.Grace))
	case over:
		return " (waiting for the last answers)"
	case c.Actions > 0:
		return fmt.Sprintf(" (%d of %d actions)", min(l.ended, c.Actions), c.Actions)
	case length > 0:
		return " of " + length.String()
	}
	return ""
}

// end leaves the line that was updated.
func (l *live) end() {
	if l.wrote {
		fmt.Fprintln(l.run.Stderr)
	}
}

// writeLine writes an object of JSON lines, with its type and time first.
func writeLine(w io.Writer, kind string, v any) error {
	now := time.Now().UTC()
	head, err := json.Marshal(struct {
		Type string  `json:"type"`
		Time string  `json:"time"`
		TS   float64 `json:"ts"`
	}{kind, now.Format("2006-01-02T15:04:05.000000Z"), float64(now.UnixMicro()) / 1e6})
	if err != nil {
		return err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	line := append(append(head[:len(head)-1], ','), body[1:]...)
	_, err = w.Write(append(line, '\n'))
	return err
}
