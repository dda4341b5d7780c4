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
