package health

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// fleet is what was found of 12 nodes: the third is down, the eleventh degraded, the others are well.
func fleet() (found []checkup) {
	for i := range 12 {
		h := newCheckup(fmt.Sprintf("pbx%d", i+1))
		h.at = time.Date(2026, 11, 23, 12, 0, i, 0, time.Local)
		h.ping, h.version, h.uptime, h.calls, h.channels, h.watched = time.Millisecond, "22.10.1", time.Hour, i, 2*i, true
		h.stats = ami.NodeStats{Breaker: "closed"}
		found = append(found, h)
	}
	found[2].err = errors.New("it does not answer")
	found[2].calls, found[2].channels = -1, -1
	found[10].degraded = "ping took 900ms"
	return found
}

// drawn are the lines that a drawing leaves on a terminal.
func drawn(t *testing.T, columns, rows int, found []checkup) (lines []string) {
	t.Helper()
	var b bytes.Buffer
	s := &screen{out: &b, o: output.Options{Format: output.TableText, Terminal: true}, size: func() (int, int) { return columns, rows }}
	if err := s.draw(found, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	text, begun := strings.CutPrefix(b.String(), openScreen+fromTop)
	text, ended := strings.CutSuffix(text, endOfScreen)
	if !begun || !ended {
		t.Fatalf("%q", b.String())
	}
	b.Reset()
	if s.close(); b.String() != closeScreen {
		t.Errorf("closed with %q", b.String())
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, endOfLine), endOfLine) {
		if n := output.Width(line); n > columns {
			t.Errorf("a line of %d columns: %q", n, line)
		}
		lines = append(lines, line)
	}
	if len(lines) >= rows {
		t.Errorf("%d lines on %d rows", len(lines), rows)
	}
	return lines
}

// What is not well stands first, with its reason, and as many others follow as there are rows for, in the order of their
// numbers.
func TestScreen(t *testing.T) {
	lines := drawn(t, 110, 40, fleet())
	want := "12:00:11  10 of 12 nodes ready, 1 down, 1 degraded  every 10s"
	if lines[0] != want {
		t.Errorf("%q, want %q", lines[0], want)
	}
	var nodes []string
	for _, line := range lines[2:] {
		nodes = append(nodes, strings.Fields(line)[0])
	}
	if diff := cmp.Diff(strings.Fields("pbx3 pbx11 pbx1 pbx2 pbx4 pbx5 pbx6 pbx7 pbx8 pbx9 pbx10 pbx12"), nodes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(lines[2], "it does not answer") || !strings.Contains(lines[3], "ping took 900ms") || !strings.Contains(lines[2], "12:00:02") {
		t.Errorf("no reason or time in %q and %q", lines[2], lines[3])
	}
	lines = drawn(t, 80, 8, fleet())
	if last := lines[len(lines)-1]; len(lines) < 6 || !strings.HasPrefix(last, "… and ") || !strings.HasSuffix(last, " ready") || !strings.HasPrefix(lines[2], "pbx3 ") {
		t.Errorf("on 8 rows:\n%s", strings.Join(lines, "\n"))
	}
	for rows := 3; rows < 20; rows++ {
		for _, columns := range []int{20, 40, 200} {
			if lines := drawn(t, columns, max(rows, 12), fleet()); !strings.HasPrefix(lines[2], "pbx3") {
				t.Errorf("%dx%d: %q", columns, rows, lines)
			}
		}
	}
}
