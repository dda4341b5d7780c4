package state

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Defaults of FiguresOptions.
const (
	DefaultServiceLevel = 20 * time.Second
	// maxSamples bounds the steps of calls that are kept of a queue.
	maxSamples = 100_000
)

// FiguresOptions say what is counted. Zero fields take the documented defaults.
type FiguresOptions struct {
	// Last is how far back it is counted; 0: from the beginning on.
	Last time.Duration
	// ServiceLevel is the wait within which a call is to be answered, in whole seconds as Asterisk counts.
	ServiceLevel time.Duration
}

// Figures count what went through queues. It is pure: [Figures.Add] takes the changes of a Watcher or of Replay, whose Kinds
// must have KindQueueCall (and KindQueue, if a queue without calls is to have figures), and [Figures.Queues] returns the counts. It is not safe for concurrent use.
//
// Over a time without gaps its counts are exactly those that QueueStatus adds up: Completed, Abandoned, ServicelevelPerf and a
// member's CallsTaken, once no call is under way. It keeps a step of a call in 40 bytes, 100,000 of a queue at most; beyond
// that the oldest are no more in times and percentiles, and with Last not in the counts: Since says from when on it counts.
type Figures struct {
	o      FiguresOptions
	queues map[[2]string]*tally   // by node and queue
	nodes  map[string]*attendance // how well each was seen
}

// An attendance is since when a node is seen, and where that was interrupted.
type attendance struct {
	since time.Time
	stale bool
	gaps  []time.Time // the last of them
}

// maxGaps bounds the gaps that are remembered of a node.
const maxGaps = 1000

// A tally is what is counted of a queue.
type tally struct {
	counts  counts
	members map[string]*memberTally
	samples []sample  // in the order of their times
	since   time.Time // of the oldest that counts, if not all do
}

type memberTally struct {
	name   string
	counts counts
}

// counts are sums over samples.
type counts struct {
	offered, answered, abandoned, left, unknown, completed int
	answeredInTime, abandonedInTime                        int
	talk                                                   time.Duration
}

// A sample is one step of a call.
type sample struct {
	at     time.Time
	took   time.Duration // the wait of an answer, the talk of a completion
	member *memberTally
	step   string
	inTime bool
}

// NewFigures begins to count.
func NewFigures(o FiguresOptions) *Figures {
	o.ServiceLevel = cmp.Or(o.ServiceLevel, DefaultServiceLevel)
	return &Figures{o: o, queues: make(map[[2]string]*tally), nodes: make(map[string]*attendance)}
}

// Add counts what a change tells.
func (f *Figures) Add(ch *Change) {
	if ch.Op == OpReset {
		for _, n := range f.nodes {
			n.gap(ch.Time)
		}
		return
	}
	switch o := ch.Object.(type) {
	case *Node:
		f.node(ch, o)
	case *Queue:
		if ch.Op == OpAdd {
			f.tally(o.Node, o.Name)
		}
	case *QueueCall:
		f.call(o)
	}
}

// tally finds or makes a queue's.
func (f *Figures) tally(node, queue string) *tally {
	key := [2]string{node, queue}
	t := f.queues[key]
	if t == nil && len(f.queues) < DefaultLimit {
		t = &tally{members: make(map[string]*memberTally)}
		f.queues[key] = t
	}
	return t
}

// node notes how well a node is seen.
func (f *Figures) node(ch *Change, n *Node) {
	if ch.Op == OpRemove {
		delete(f.nodes, n.Node)
		for key := range f.queues {
			if key[0] == n.Node {
				delete(f.queues, key)
			}
		}
		return
	}
	a := f.nodes[n.Node]
	if a == nil {
		a = &attendance{since: ch.Time}
		f.nodes[n.Node] = a
	}
	if ch.Has("gaps") {
		a.gap(ch.Time)
	}
	a.stale = n.Stale && n.Reason != ""
}

func (a *attendance) gap(at time.Time) {
	if len(a.gaps) == maxGaps {
		a.gaps = slices.Delete(a.gaps, 0, 1)
	}
	a.gaps = append(a.gaps, at)
}

// call counts a step of a call.
func (f *Figures) call(q *QueueCall) {
	t := f.tally(q.Node, q.Queue)
	if t == nil {
		return
	}
	s := sample{step: q.State, at: q.Ended}
	switch q.State {
	case QueueWaiting:
		s.at = q.Joined
		if a := f.nodes[q.Node]; a != nil && s.at.Before(a.since) {
			return // he was there before
		}
	case QueueTalking:
		s.at, s.took, s.inTime = q.Answered, time.Duration(q.WaitUS)*time.Microsecond, f.inTime(q)
	case QueueAbandoned:
		s.inTime = f.inTime(q)
	case QueueCompleted:
		s.took = time.Duration(q.TalkUS) * time.Microsecond
	}
	if q.Member != "" {
		s.member = t.member(q)
	}
	t.add(&s)
	if len(t.samples) > maxSamples*5/4 { // many at once: it moves those that stay
		f.trim(t, s.at)
	}
}

// inTime reports whether a wait was within the service level, by Asterisk's own seconds if it told them.
func (f *Figures) inTime(q *QueueCall) bool {
	if q.HoldS >= 0 {
		return q.HoldS <= int(f.o.ServiceLevel/time.Second)
	}
	return time.Duration(q.WaitUS)*time.Microsecond <= f.o.ServiceLevel
}

func (t *tally) member(q *QueueCall) *memberTally {
	m := t.members[q.Member]
	if m == nil {
		if len(t.members) >= DefaultLimit {
			return nil
		}
		m = &memberTally{}
		t.members[q.Member] = m
	}
	m.name = q.Name
	return m
}

// add counts a sample, in its place: steps come in the order of their times, but for what a list tells late.
func (t *tally) add(s *sample) {
	t.sum(s, 1)
	at := len(t.samples)
	for at > 0 && t.samples[at-1].at.After(s.at) {
		at--
	}
	t.samples = slices.Insert(t.samples, at, *s)
}

func (t *tally) sum(s *sample, n int) {
	t.counts.sum(s, n)
	if s.member != nil {
		s.member.counts.sum(s, n)
	}
}

func (c *counts) sum(s *sample, n int) {
	switch s.step {
	case QueueWaiting:
		c.offered += n
	case QueueTalking:
		c.answered += n
		if s.inTime {
			c.answeredInTime += n
		}
	case QueueCompleted:
		c.completed += n
		c.talk += time.Duration(n) * s.took
	case QueueAbandoned:
		c.abandoned += n
		if s.inTime {
			c.abandonedInTime += n
		}
	case QueueLeft:
		c.left += n
	default:
		c.unknown += n
	}
}

// trim lets go what is too old, or too much.
func (f *Figures) trim(t *tally, now time.Time) {
	n := max(0, len(t.samples)-maxSamples)
	if f.o.Last > 0 {
		if n > 0 {
			t.since = t.samples[n].at
		}
		for n < len(t.samples) && now.Sub(t.samples[n].at) > f.o.Last {
			n++
		}
		for i := range t.samples[:n] {
			t.sum(&t.samples[i], -1)
		}
	}
	t.samples = slices.Delete(t.samples, 0, n)
}

// QueueFigures are what went through a queue. Times are microseconds.
type QueueFigures struct {
	Node    string    `json:"node,omitempty"`
	Queue   string    `json:"queue"`
	Since   time.Time `json:"since,omitzero"` // from when on it is counted
	Until   time.Time `json:"until,omitzero"`
	Offered int       `json:"offered"` // callers who came in
	Throughput
	Abandoned int             `json:"abandoned"`
	Left      int             `json:"left"`    // by a key, or by an action
	Unknown   int             `json:"unknown"` // what became of them is not known: events are missing
	Within    float64         `json:"sl2"`     // percent: answered or abandoned within the service level, of all those (ServicelevelPerf2)
	Gaps      int             `json:"gaps"`    // how often events were missing: counts are too low
	Stale     bool            `json:"stale,omitempty"`
	Members   []MemberFigures `json:"members,omitempty"`
}

// MemberFigures are what a member took.
type MemberFigures struct {
	Interface string `json:"interface"`
	Name      string `json:"name,omitempty"`
	Throughput
}

// A Throughput is what was answered, and how fast.
type Throughput struct {
	Answered  int     `json:"answered"`
	Completed int     `json:"completed"` // answered, and over
	ServiceUS int64   `json:"sl_us"`     // the service level
	InTime    int     `json:"in_sl"`     // answered within it
	Service   float64 `json:"sl"`        // percent: answered within it, of all that were answered (ServicelevelPerf)
	WaitAvgUS int64   `json:"wait_avg_us"`
	WaitP95US int64   `json:"wait_p95_us"`
	TalkUS    int64   `json:"talk_us"`
	TalkAvgUS int64   `json:"talk_avg_us"`
}

// Kind returns KindQueueFigures.
func (*QueueFigures) Kind() Kind { return KindQueueFigures }

// Key returns the queue's name.
func (q *QueueFigures) Key() string { return q.Queue }

// Queues returns the figures at a time, by node and queue. It sorts the waits of each queue: 10 ms for 100,000.
func (f *Figures) Queues(now time.Time) []*QueueFigures {
	all := make([]*QueueFigures, 0, len(f.queues))
	for key, t := range f.queues {
		f.trim(t, now)
		all = append(all, f.figures(key, t, now))
	}
	order(all, func(q *QueueFigures) string { return q.Node })
	return all
}

func (f *Figures) figures(key [2]string, t *tally, now time.Time) *QueueFigures {
	c := &t.counts
	waits := make(map[*memberTally][]time.Duration)
	for i := range t.samples {
		if s := &t.samples[i]; s.step == QueueTalking {
			waits[nil] = append(waits[nil], s.took)
			if s.member != nil {
				waits[s.member] = append(waits[s.member], s.took)
			}
		}
	}
	q := &QueueFigures{
		Node: key[0], Queue: key[1], Until: now, Since: t.since, Throughput: f.throughput(c, waits[nil]),
		Offered: c.offered, Abandoned: c.abandoned, Left: c.left, Unknown: c.unknown,
		Within: percent(c.answeredInTime+c.abandonedInTime, c.answered+c.abandoned),
	}
	f.witness(q)
	for iface, m := range t.members {
		if m.counts != (counts{}) {
			q.Members = append(q.Members, MemberFigures{Interface: iface, Name: m.name, Throughput: f.throughput(&m.counts, waits[m])})
		}
	}
	slices.SortFunc(q.Members, func(a, b MemberFigures) int { return cmp.Compare(a.Interface, b.Interface) })
	return q
}

// witness says how well a queue's figures are known.
func (f *Figures) witness(q *QueueFigures) {
	a := f.nodes[q.Node]
	if a == nil {
		return
	}
	if q.Since.Before(a.since) {
		q.Since = a.since
	}
	if begin := q.Until.Add(-f.o.Last); f.o.Last > 0 && q.Since.Before(begin) {
		q.Since = begin
	}
	q.Stale = a.stale
	for _, at := range a.gaps {
		if !at.Before(q.Since) {
			q.Gaps++
		}
	}
}

func (f *Figures) throughput(c *counts, waits []time.Duration) Throughput {
	p := Throughput{
		Answered: c.answered, Completed: c.completed, ServiceUS: f.o.ServiceLevel.Microseconds(), InTime: c.answeredInTime,
		Service: percent(c.answeredInTime, c.answered), TalkUS: c.talk.Microseconds(),
	}
	if c.completed > 0 {
		p.TalkAvgUS = p.TalkUS / int64(c.completed)
	}
	if n := len(waits); n > 0 {
		var sum time.Duration
		for _, w := range waits {
			sum += w
		}
		slices.Sort(waits)
		p.WaitAvgUS = (sum / time.Duration(n)).Microseconds()
		p.WaitP95US = waits[(95*n+99)/100-1].Microseconds()
	}
	return p
}

// percent is a share of a whole, to a tenth; 0 of nothing.
func percent(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return math.Round(1000*float64(n)/float64(of)) / 10
}
