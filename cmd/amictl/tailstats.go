package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// eventStats counts events by node and name. Asterisk compares names without regard to case; so does this.
type eventStats struct {
	since       time.Time
	replayed    bool
	first, last time.Time           // of the events' own times, when they are replayed
	counts      map[statKey]*uint64 // pointers: assigning to an entry would replace its key by the borrowed one
}

type statKey struct{ node, event string }

func (s *eventStats) add(ev *ami.Event) {
	if s.replayed && !ev.Received.IsZero() {
		if s.first.IsZero() {
			s.first = ev.Received
		}
		s.last = ev.Received
	}
	key := statKey{ev.Node, ev.Name()}
	n := s.counts[key]
	if n == nil {
		n = new(uint64)
		s.counts[statKey{ev.Node, strings.Clone(key.event)}] = n // the map must not hold whole events
	}
	*n++
}

func (s *eventStats) gap(ev *ami.Event) {
	if ev.Gap.Dropped > 0 {
		key := statKey{ev.Node, "(dropped)"}
		if s.counts[key] == nil {
			s.counts[key] = new(uint64)
		}
		*s.counts[key] += ev.Gap.Dropped
	}
}

// records are the counts, the largest first.
func (s *eventStats) records() []output.Record {
	seconds := max(time.Since(s.since).Seconds(), 1e-3)
	if s.replayed { // as it happened, not as fast as it was read
		seconds = s.last.Sub(s.first).Seconds()
	}
	keys := make([]statKey, 0, len(s.counts))
	for k := range s.counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b statKey) int {
		return cmp.Or(cmp.Compare(*s.counts[b], *s.counts[a]), cmp.Compare(a.node, b.node), cmp.Compare(a.event, b.event))
	})
	rows := make([]output.Record, 0, len(keys))
	for _, k := range keys {
		row := output.Record{
			{Key: "type", Value: "stats"},
			{Key: "node", Value: text0(k.node)},
			{Key: "event", Value: k.event},
			{Key: "count", Value: *s.counts[k]},
			{Key: "rate"},
		}
		if seconds > 0 { // a replay of one instant has none
			rate := float64(*s.counts[k]) / seconds
			row[4].Value, row[4].Text = rate, fmt.Sprintf("%.1f/s", rate)
		}
		rows = append(rows, row)
	}
	return rows
}
