package send

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The lines leave in order, each ends at its own deadline wherever it stands, and what is held is what is there.
func TestLineQueue(t *testing.T) {
	start := time.Unix(1000, 0)
	var q lineQueue
	for i, after := range []int{30, 10, 20, 10} {
		q.push(lineRequest{line: i + 1, bytes: 100}, start.Add(time.Duration(after)*time.Second))
	}
	if at, ok := q.next(); !ok || !at.Equal(start.Add(10*time.Second)) {
		t.Errorf("the next deadline is %v, %v", at, ok)
	}
	if over := q.expired(start.Add(9 * time.Second)); len(over) != 0 {
		t.Errorf("%d lines are over before their time", len(over))
	}
	first, ok := q.pop()
	if !ok || first.line != 1 || q.bytes != 300 {
		t.Errorf("line %d came first, and %d bytes are held", first.line, q.bytes)
	}
	var over []int
	for _, e := range q.expired(start.Add(10 * time.Second)) {
		over = append(over, e.line)
	}
	if len(over) != 2 || over[0]+over[1] != 2+4 {
		t.Errorf("lines %v are over", over)
	}
	if last, ok := q.pop(); !ok || last.line != 3 || !q.empty() || q.bytes != 0 {
		t.Errorf("line %d was the last; empty %v, %d bytes", last.line, q.empty(), q.bytes)
	}
	if _, ok := q.pop(); ok {
		t.Error("an empty queue had a line")
	}
	if _, ok := q.next(); ok {
		t.Error("an empty queue had a deadline")
	}
}

// Whatever order lines come, leave and end in: a slow list of them says the same.
func TestLineQueueAgainstAList(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var q lineQueue
	type line struct {
		number   int
		deadline time.Time
	}
	var list []line
	now := time.Unix(1000, 0)
	for step := range 5000 {
		switch rnd.IntN(4) {
		case 0, 1:
			l := line{step, now.Add(time.Duration(rnd.IntN(50)) * time.Second)}
			q.push(lineRequest{line: l.number, bytes: 7}, l.deadline)
			list = append(list, l)
		case 2:
			e, ok := q.pop()
			if ok != (len(list) > 0) || ok && e.line != list[0].number {
				t.Fatalf("step %d: pop: %v, %v", step, e, ok)
			}
			if ok {
				list = list[1:]
			}
		case 3:
			now = now.Add(time.Duration(rnd.IntN(5)) * time.Second)
			got, want := map[int]bool{}, map[int]bool{}
			for _, e := range q.expired(now) {
				got[e.line] = true
			}
			var kept []line
			for _, l := range list {
				if l.deadline.After(now) {
					kept = append(kept, l)
				} else {
					want[l.number] = true
				}
			}
			list = kept
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("step %d (-want +got):\n%s", step, diff)
			}
		}
		if q.bytes != 7*len(list) || q.empty() != (len(list) == 0) {
			t.Fatalf("step %d: %d bytes for %d lines", step, q.bytes, len(list))
		}
	}
}
