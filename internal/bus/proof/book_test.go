package proof

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// numbered is the event whose header N counts up by one on each node.
const numbered = "UserEvent"

// A book is what a consumer has read of each node, and what is wrong with it.
type book struct {
	nodes     map[string]*account
	takeovers []takeover
	faults    []string
}

// mostFaults is how many are kept: one wrong number may make thousands.
const mostFaults = 20

// An account is what was read of a node.
type account struct {
	bridge  string // that owns it
	last    uint64 // number of the last event
	digest  uint64 // of all records in their order
	packets uint64
	events  uint64 // that are numbered
	gaps    map[ami.GapReason]uint64
	owners  uint64
	lost    uint64 // numbers that are missing, each within a gap
	first   uint64 // of them, those before the first event

	epoch   uint64
	fresh   bool   // nothing was read of this owner but his mark
	marked  bool   // a gap stands behind the last event
	counted uint64 // how many are missing, as gaps say that stand behind the last event
	unknown bool   // one of them cannot know how many
}

// A takeover is the first event of a node's new owner.
type takeover struct {
	node, bridge string
	at           time.Time
}

func newBook() *book { return &book{nodes: make(map[string]*account)} }

func (b *book) of(node string) *account {
	a := b.nodes[node]
	if a == nil {
		a = &account{gaps: make(map[ami.GapReason]uint64)}
		b.nodes[strings.Clone(node)] = a
	}
	return a
}

// take enters a record.
func (b *book) take(node string, r batch.Record, now time.Time) {
	a := b.of(node)
	switch ev := r.Event; {
	case r.Owner != nil:
		a.note("owner", r.Owner.Epoch)
		a.owners++
		if r.Owner.Epoch <= a.epoch {
			b.fault("%s: epoch %d comes behind epoch %d", node, r.Owner.Epoch, a.epoch)
		}
		a.epoch, a.bridge, a.fresh = r.Owner.Epoch, strings.Clone(r.Owner.Bridge), true
	case ev.Gap != nil:
		a.note(string(ev.Gap.Reason), ev.Gap.Dropped)
		a.gaps[ev.Gap.Reason]++
		a.marked = true
		a.counted += ev.Gap.Dropped
		a.unknown = a.unknown || ev.Gap.Dropped == 0
	default:
		a.packets++
		if ev.Name() != numbered {
			a.note(ev.Name(), ev.Seq)
			return
		}
		n, err := strconv.ParseUint(ev.Get("N"), 10, 64)
		if err != nil {
			b.fault("%s: an event with the number %q", node, ev.Get("N"))
			return
		}
		a.note("", n)
		if a.owners == 0 {
			b.fault("%s: event %d comes before any owner", node, n)
		}
		b.event(node, a, n, now)
	}
}

// event enters an event's number. What is missing before it has to be within a gap, and as many as the gap says, if it can know.
func (b *book) event(node string, a *account, n uint64, now time.Time) {
	if a.fresh {
		b.takeovers = append(b.takeovers, takeover{strings.Clone(node), a.bridge, now})
	}
	missing := n - a.last - 1
	switch {
	case n <= a.last:
		b.fault("%s: event %d comes behind event %d", node, n, a.last)
		missing = 0
	case missing > 0 && !a.marked:
		b.fault("%s: events %d to %d are missing without a gap", node, a.last+1, n-1)
	case a.marked && !a.unknown && missing != a.counted:
		b.fault("%s: %d events are missing before %d, and the gap says %d", node, missing, n, a.counted)
	}
	if a.events == 0 {
		a.first = missing
	}
	a.events++
	a.lost += missing
	a.last, a.fresh, a.marked, a.unknown, a.counted = max(n, a.last), false, false, false, 0
}

func (b *book) fault(format string, args ...any) {
	if len(b.faults) < mostFaults {
		b.faults = append(b.faults, fmt.Sprintf(format, args...))
	}
}

// note adds a record to the digest.
func (a *account) note(kind string, n uint64) {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s %d", a.digest, kind, n)
	a.digest = h.Sum64()
}

// reasons is how many gaps there are, by their reasons.
func (b *book) reasons() (all map[ami.GapReason]uint64) {
	all = make(map[ami.GapReason]uint64)
	for _, a := range b.nodes {
		for reason, n := range a.gaps {
			all[reason] += n
		}
	}
	return all
}

// sum is something of all nodes.
func (b *book) sum(of func(*account) uint64) (n uint64) {
	for _, a := range b.nodes {
		n += of(a)
	}
	return n
}

func (b *book) String() string {
	var gaps []string
	reasons := b.reasons()
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		gaps = append(gaps, fmt.Sprintf("%d %s", reasons[reason], reason))
	}
	return fmt.Sprintf("%d events, %d missing, all within gaps (%s)", b.sum(func(a *account) uint64 { return a.events }), b.sum(func(a *account) uint64 { return a.lost }), strings.Join(gaps, ", "))
}

// What would be wrong on a bus is seen: a book that finds nothing proves nothing.
func TestBook(t *testing.T) {
	const owner = "owner 1"
	for name, tt := range map[string]struct {
		records, fault string
		lost           uint64
	}{
		"all of it":                    {owner + "|disconnect 0|1|2|3", "", 0},
		"from the middle on":           {owner + "|disconnect 0|7|8", "", 6},
		"lost within a gap":            {owner + "|1|disconnect 0|5|6", "", 3},
		"lost in a takeover":           {owner + "|1|owner 2|disconnect 0|5", "", 3},
		"counted":                      {owner + "|1|overflow 3|5|6", "", 3},
		"counted twice":                {owner + "|1|overflow 3|unpublished 1|6", "", 4},
		"counted, and others beside":   {owner + "|1|overflow 3|disconnect 0|9", "", 7},
		"lost without a gap":           {owner + "|1|2|4", "events 3 to 3 are missing", 1},
		"lost behind a gap's end":      {owner + "|1|disconnect 0|3|5", "events 4 to 4 are missing", 2},
		"lost in an unmarked takeover": {owner + "|1|owner 2|3", "events 2 to 2 are missing", 1},
		"twice":                        {owner + "|1|2|2", "event 2 comes behind event 2", 0},
		"twice behind a gap":           {owner + "|1|2|3|owner 2|disconnect 0|2", "event 2 comes behind event 3", 0},
		"out of order":                 {owner + "|disconnect 0|2|1", "event 1 comes behind event 2", 1},
		"counted too low":              {owner + "|1|overflow 2|5", "3 events are missing before 5, and the gap says 2", 3},
		"counted too high":             {owner + "|1|overflow 2|2", "0 events are missing before 2, and the gap says 2", 0},
		"an old owner":                 {"owner 2|1|owner 2", "epoch 2 comes behind epoch 2", 0},
		"no owner":                     {"1", "before any owner", 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBook()
			for record := range strings.SplitSeq(tt.records, "|") {
				b.take("n", aRecord(t, record), time.Now())
			}
			if found := strings.Join(b.faults, "\n"); (tt.fault == "") != (found == "") || !strings.Contains(found, tt.fault) {
				t.Errorf("found %q, want %q", found, tt.fault)
			}
			if lost := b.of("n").lost; lost != tt.lost {
				t.Errorf("%d lost, want %d", lost, tt.lost)
			}
		})
	}
}

// aRecord reads "owner EPOCH", "REASON DROPPED" or an event's number.
func aRecord(t *testing.T, text string) batch.Record {
	t.Helper()
	word, after, two := strings.Cut(text, " ")
	n, err := strconv.ParseUint(after, 10, 64)
	switch {
	case two && err != nil:
		t.Fatal(err)
	case word == "owner":
		return batch.Record{Owner: &batch.Owner{Bridge: "b", Epoch: n}}
	case two:
		return batch.Record{Event: &ami.Event{Gap: &ami.Gap{Reason: ami.GapReason(word), Dropped: n}}}
	}
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte("Event: " + numbered + "\r\nN: " + word + "\r\n\r\n"))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	return batch.Record{Event: &ami.Event{Message: m.Clone()}}
}

// The digest tells one order from another.
func TestBookDigest(t *testing.T) {
	digest := func(records ...string) uint64 {
		b := newBook()
		for _, r := range records {
			b.take("n", aRecord(t, r), time.Now())
		}
		return b.of("n").digest
	}
	all := []uint64{digest("owner 1", "1", "2"), digest("owner 1", "2", "1"), digest("owner 1", "1", "disconnect 0", "2"), digest("owner 2", "1", "2"), digest("owner 1", "1", "overflow 0", "2")}
	unique := slices.Compact(slices.Sorted(slices.Values(all)))
	if diff := cmp.Diff(len(all), len(unique)); diff != "" {
		t.Errorf("different records have the same digest: %v", all)
	}
}
