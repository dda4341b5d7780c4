package state

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// The first audits of many nodes are spread over an interval, and none comes before half of one.
func TestFirstAudits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every, nodes = 5 * time.Minute, 200
		var halves [4]int
		for i := range nodes {
			at := (&tender{f: &follower{options: Options{Audit: every}}, name: fmt.Sprintf("pbx%d", i)}).firstAudit()
			in := time.Until(at) - every/2
			if in < 0 || in >= every {
				t.Fatalf("the first audit of pbx%d is in %v", i, time.Until(at))
			}
			halves[4*in/every]++
		}
		for i, n := range halves {
			if n < nodes/8 {
				t.Errorf("%d of %d first audits are in quarter %d", n, nodes, i)
			}
		}
		if at := (&tender{f: &follower{options: Options{Audit: -1}}}).firstAudit(); !at.IsZero() {
			t.Errorf("without audits the first is at %v", at)
		}
	})
}

// What happened right behind a survey waits until the node had its calm, and what happened later does not.
func TestRests(t *testing.T) {
	const audit = 5 * time.Minute
	for name, test := range map[string]struct {
		since, pause time.Duration // since the last survey began, and after one that failed
		next         time.Duration // until the next audit; 0: there is none
		gap, reload  bool
		rests        time.Duration
		audit        bool
	}{
		"a gap at once":                    {since: calm / 4, gap: true, rests: calm - calm/4},
		"a gap later":                      {since: calm, gap: true},
		"a gap, an audit soon":             {since: calm / 4, gap: true, next: calm / 4, rests: calm - calm/4},
		"a gap behind one that failed":     {since: calm, pause: retryMin, gap: true, rests: retryMin},
		"a module reloaded":                {since: calm, reload: true, rests: settling},
		"an audit":                         {next: time.Minute, rests: time.Minute, audit: true},
		"an audit, behind one that failed": {pause: retryMax, next: time.Second, rests: retryMax},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &tender{
					f: &follower{options: Options{Audit: audit}}, last: time.Now().Add(-test.since),
					again: make(chan struct{}, 1), soon: make(chan struct{}, 1),
				}
				if test.gap {
					d.resurvey()
				}
				if test.reload {
					d.relist()
				}
				var next time.Time
				if test.next > 0 {
					next = time.Now().Add(test.next)
				}
				start := time.Now()
				audits, ok := d.rest(t.Context(), test.pause, &next)
				if rested := time.Since(start); !ok || rested != test.rests || audits != test.audit {
					t.Errorf("rested %v, for an audit: %v, ok %v", rested, audits, ok)
				}
				if test.audit && time.Until(next) != audit {
					t.Errorf("the audit after it is in %v", time.Until(next))
				}
			})
		})
	}
}

func TestLocalPair(t *testing.T) {
	for name, want := range map[string]string{
		"Local/100@default-00000001;1": "Local/100@default-00000001;", "Local/100@default-00000001;2": "Local/100@default-00000001;",
		"Local/100@default-00000001;3": "", "PJSIP/100-00000001": "", "PJSIP/100-00000002": "", "": "",
	} {
		if got := localPair(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// A call that another one joins was answered when the first of them was.
func TestAnswerOfJoinedCalls(t *testing.T) {
	early, late := clockStart.Add(time.Minute), clockStart.Add(2*time.Minute)
	for name, test := range map[string]struct{ own, other, want time.Time }{
		"neither was":             {},
		"only this one":           {own: late, want: late},
		"only the other":          {other: late, want: late},
		"the other one was first": {own: late, other: early, want: early},
		"this one was first":      {own: early, other: late, want: early},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{calls: map[string]*call{}}
			c, from := &call{linkedid: "1", answer: test.own}, &call{linkedid: "2", answer: test.other}
			s.absorb(c, from)
			if !c.answer.Equal(test.want) {
				t.Errorf("answered at %v, want %v", c.answer, test.want)
			}
		})
	}
}
