package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// numberedMessage is a numbered event as it comes off the wire.
func numberedMessage(t *testing.T, seq int) *wire.Message {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed(fmt.Appendf(nil, "Event: UserEvent\r\nUserEvent: %s\r\n%s: %d\r\n\r\n", numberedEvent, headerSeq, seq))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	m = m.Clone()
	return &m
}

func TestTapFindsWhatIsMissing(t *testing.T) {
	type step struct {
		seq, dropped int
		lost         bool
	}
	for _, tt := range []struct {
		name  string
		steps []step
		want  Events
	}{
		{"in order", []step{{seq: 5}, {seq: 6}, {seq: 7}}, Events{Delivered: 3}},
		{"one missing", []step{{seq: 1}, {seq: 3}}, Events{Delivered: 2, Missing: 1}},
		{"out of order", []step{{seq: 1}, {seq: 3}, {seq: 2}}, Events{Delivered: 3, Missing: 1, Disorder: 1}},
		{"twice", []step{{seq: 1}, {seq: 1}}, Events{Delivered: 2, Disorder: 1}},
		{"a mark explains", []step{{seq: 1}, {dropped: 4}, {seq: 6}}, Events{Delivered: 2, Dropped: 4}},
		{"but not more than it says", []step{{seq: 1}, {dropped: 4}, {seq: 8}}, Events{Delivered: 2, Dropped: 4, Missing: 2}},
		{"nor later ones", []step{{seq: 1}, {dropped: 4}, {seq: 3}, {seq: 5}}, Events{Delivered: 3, Dropped: 4, Missing: 1}},
		{"a lost session explains all", []step{{seq: 1}, {lost: true}, {seq: 99}}, Events{Delivered: 2, Gaps: 1}},
		{"but once", []step{{seq: 1}, {lost: true}, {seq: 99}, {seq: 101}}, Events{Delivered: 3, Gaps: 1, Missing: 1}},
	} {
		r := &run{epoch: time.Now(), lanes: []*lane{{}}, Config: Config{EventRate: 10}}
		tap := newTap(r, nil)
		for _, s := range tt.steps {
			d := delivery{Dropped: uint64(s.dropped), Lost: s.lost}
			if s.seq > 0 {
				d.Message = numberedMessage(t, s.seq)
			}
			tap.take(&d, time.Now())
		}
		if d := cmp.Diff(tt.want, *tap.result(0), cmpopts.IgnoreFields(Events{}, "P50", "P99", "P999", "Max")); d != "" {
			t.Errorf("%s: -want +got\n%s", tt.name, d)
		}
	}
}

func TestTapMeasuresStarvationBeyondThePeriod(t *testing.T) {
	r := &run{epoch: time.Now(), lanes: []*lane{{}}, Config: Config{EventRate: 10}, warm: time.Second}
	tap := newTap(r, nil)
	for seq, at := range []int{0, 900, 1050, 1150, 1700, 1800} { // ms; the gap of 900 ms is in the warm-up
		tap.take(&delivery{Message: numberedMessage(t, seq+1)}, r.epoch.Add(time.Duration(at)*time.Millisecond))
	}
	if got := tap.nodes[0].longest; got != 450*time.Millisecond {
		t.Errorf("longest %s, want 450ms: 550 less the period", got)
	}
}

// A node that never got an event starved from the start to the end.
func TestTapSeesANodeThatGotNothing(t *testing.T) {
	r := &run{epoch: time.Now().Add(-time.Second), lanes: []*lane{{}}, Config: Config{EventRate: 10}}
	tap := newTap(r, nil)
	tap.starved(&tap.nodes[0], 700*time.Millisecond)
	if got := tap.nodes[0].longest; got != 600*time.Millisecond {
		t.Errorf("longest %s, want 600ms", got)
	}
	late := newTap(r, nil)
	late.take(&delivery{Message: numberedMessage(t, 1)}, r.epoch.Add(500*time.Millisecond))
	if got := late.nodes[0].longest; got != 400*time.Millisecond {
		t.Errorf("until the first event: longest %s, want 400ms", got)
	}
}

// Time in which the machine did not wake the consumer starves nobody.
func TestTapIsNotToBlameForTheMachine(t *testing.T) {
	r := &run{epoch: time.Now(), lanes: []*lane{{}}, Config: Config{EventRate: 10}}
	tap := newTap(r, nil)
	tap.take(&delivery{Message: numberedMessage(t, 1)}, r.epoch.Add(100*time.Millisecond))
	tap.overslept(300 * time.Millisecond)
	tap.take(&delivery{Message: numberedMessage(t, 2)}, r.epoch.Add(550*time.Millisecond))
	if got, want := tap.nodes[0].longest, 50*time.Millisecond; got != want {
		t.Errorf("longest %s, want %s: 450 less the period and what was overslept", got, want)
	}
	if got := tap.result(0).HeldUp; got != 300_000 {
		t.Errorf("held up %dµs", got)
	}
}

func TestPacer(t *testing.T) {
	start := time.Now()
	for _, tt := range []struct {
		name   string
		idle   time.Duration // before the events
		events int
		want   time.Duration // that they take
	}{
		{"evenly from the start", 0, 1001, time.Second},
		{"a short time without events is made up for", 50 * time.Millisecond, 1000, 950 * time.Millisecond},
		{"of a long one no more than a tenth of a second", time.Hour, 1000, 900 * time.Millisecond},
	} {
		p := newPacer(1000, start)
		begin := start.Add(tt.idle)
		if tt.idle > 0 {
			p.sleep(start)
		}
		now := begin
		for range tt.events {
			now = now.Add(p.sleep(now))
		}
		if took := now.Sub(begin); (took - tt.want).Abs() > 2*pacerSlack {
			t.Errorf("%s: %d events at 1,000/s took %s, want %s", tt.name, tt.events, took, tt.want)
		}
	}
	if free := newPacer(0, start).sleep(start); free != 0 {
		t.Errorf("without a pace: %s", free)
	}
}

func TestArrivalsFollowWeights(t *testing.T) {
	a, b := &nodeRecord{weight: 3}, &nodeRecord{weight: 1}
	lanes := []*lane{{node: a}, {node: b}}
	order := arrivals(lanes)
	n := [2]int{}
	for i, l := range order {
		n[l]++
		if i > 0 && l == 1 && order[i-1] == 1 {
			t.Errorf("arrival %d: twice the light node", i)
		}
	}
	if n[0] != 3*n[1] {
		t.Errorf("%v by weights 3 and 1", n)
	}
}

func TestThinKeepsCounts(t *testing.T) {
	in := []Interval{{At: 1, Length: 1, Sent: 10, Rate: 10, P99: 5}, {At: 2, Length: 1, Sent: 30, Rate: 30, P99: 3}}
	want := []Interval{{At: 2, Length: 2, Sent: 40, Rate: 20, P99: 5}}
	if d := cmp.Diff(want, thin(in)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestLaneBacklogIsFirstInFirstOut(t *testing.T) {
	var l lane
	next, taken := time.Duration(0), time.Duration(0)
	for i := range 20_000 {
		for range i % 4 {
			l.push(next)
			next++
		}
		for range min(l.backlog(), i%5) {
			if got := l.pop(); got != taken {
				t.Fatalf("took %d, want %d", got, taken)
			}
			taken++
		}
	}
	if len(l.due) > 4096 {
		t.Errorf("%d places for a backlog of %d", len(l.due), l.backlog())
	}
}
