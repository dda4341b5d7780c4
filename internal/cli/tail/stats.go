package tail

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

// eventStats counts events by node and name. Asterisk compares names without regard to case; so does this.
type eventStats struct {
	since       time.Time
	replayed    bool
	first, last time.Time              // of the times of all events of a replay
	counts      map[statKey]*statCount // pointers: assigning to an entry would replace its key by the borrowed one
	total       statCount
	dropped     uint64
	screen      *statScreen // nil: nobody watches
}

type statKey struct{ node, event string }

// A statCount is how many there were, and how many when that was last shown.
type statCount struct{ n, shown uint64 }

// droppedEvents is the name under which lost events are counted.
const droppedEvents = "(dropped)"

// otherPackets stands for what is neither an event nor an answer.
const otherPackets = "(packet)"

// Of more than mostNames names over all nodes, which only a hostile server has, the further ones are counted together, as otherEvents.
const (
	mostNames   = 250_000
	otherEvents = "(other)"
)

// newEventStats begins to count now.
func newEventStats(replayed bool) *eventStats {
	return &eventStats{since: time.Now(), replayed: replayed, counts: make(map[statKey]*statCount)}
}

// watcher returns what notes when events happen, nil if nothing is counted.
func (s *eventStats) watcher() func(at time.Time) {
	if s == nil {
		return nil
	}
	return s.saw
}

// saw notes when an event of a replay happened, counted or not: a rate is over the same time whatever is counted.
func (s *eventStats) saw(at time.Time) {
	if s.first.IsZero() || at.Before(s.first) {
		s.first = at
	}
	if at.After(s.last) {
		s.last = at
	}
}

func (s *eventStats) add(ev *ami.Event) {
	key := statKey{ev.Node, ev.Name()}
	if ev.Kind() != wire.Event {
		key.event = otherPackets
	}
	c := s.counts[key]
	if c == nil && len(s.counts) >= mostNames {
		key.event = otherEvents
		c = s.counts[key]
	}
	if c == nil {
		c = new(statCount)
		s.counts[statKey{ev.Node, strings.Clone(key.event)}] = c // the map must not hold whole events
	}
	c.n++
	s.total.n++
	if s.screen != nil && s.screen.due.Load() { // in a flood nothing else looks
		s.draw()
	}
}

func (s *eventStats) gap(ev *ami.Event) {
	if ev.Gap.Dropped > 0 {
		key := statKey{ev.Node, droppedEvents}
		if s.counts[key] == nil {
			s.counts[key] = new(statCount)
		}
		s.counts[key].n += ev.Gap.Dropped
		s.dropped += ev.Gap.Dropped
	}
}

// seconds is the time that the counts are of: of a replay as it happened, not as fast as it was read.
func (s *eventStats) seconds(now time.Time) float64 {
	if s.replayed {
		return s.last.Sub(s.first).Seconds()
	}
	return max(now.Sub(s.since).Seconds(), 1e-3)
}

// keys are in the order they are shown in, the largest count first.
func (s *eventStats) keys() []statKey {
	keys := make([]statKey, 0, len(s.counts))
	for k := range s.counts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b statKey) int {
		return cmp.Or(cmp.Compare(s.counts[b].n, s.counts[a].n), cmp.Compare(a.node, b.node), cmp.Compare(a.event, b.event))
	})
	return keys
}

// records are the counts, and for people their sum.
func (s *eventStats) records(people bool) []output.Record {
	keys, seconds := s.keys(), s.seconds(time.Now())
	rows := make([]output.Record, 0, len(keys)+1)
	for _, k := range keys {
		rows = append(rows, countRecord(k, s.counts[k].n, seconds))
	}
	if people && len(keys) > 1 {
		rows = append(rows, countRecord(statKey{event: "total"}, s.total.n+s.dropped, seconds))
	}
	return rows
}

// countRecord is a count as an object. A replay of one instant has no rate.
func countRecord(k statKey, n uint64, seconds float64) output.Record {
	row := output.Record{
		{Key: "type", Value: "stats"},
		{Key: "node", Value: run.OrAbsent(k.node)},
		{Key: "event", Value: k.event},
		{Key: "count", Value: n},
		{Key: "rate"},
	}
	if seconds > 0 {
		rate := float64(n) / seconds
		row[4].Value, row[4].Text = rate, perSecond(rate)
	}
	return row
}

// perSecond is a rate with three significant digits.
func perSecond(rate float64) string {
	if rate == 0 {
		return "0/s"
	}
	_, exponent, _ := strings.Cut(strconv.FormatFloat(rate, 'e', 2, 64), "e")
	n, _ := strconv.Atoi(exponent)
	if n > 2 {
		unit := math.Pow10(n - 2)
		return strconv.FormatFloat(math.Round(rate/unit)*unit, 'f', 0, 64) + "/s"
	}
	return strconv.FormatFloat(rate, 'f', min(2-n, 9), 64) + "/s"
}
