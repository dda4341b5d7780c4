package dial

import (
	"container/heap"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// A scheduler decides which number is called when. It is a pure core: no clock, file or socket. A number is an index in the
// list; a call takes one of the places from its attempt's beginning until it is over.
type scheduler struct {
	places  int           // --concurrency
	spacing time.Duration // between the beginnings of two attempts, of --rate; 0: none
	between window
	retry   retries

	numbers []progress
	fresh   int     // the first number that may not have been called yet
	due     dueHeap // numbers that are called again
	taken   int     // places
	open    int     // numbers that are neither over nor in a place
	notYet  time.Time
	stopped bool
}

// progress is how far a number is.
type progress struct {
	attempts int
	after    [len(outcomes)]int // attempts that followed an outcome
	phase    phase
}

// A phase is where a number stands.
type phase uint8

const (
	waiting phase = iota // for its first attempt
	again                // for another one
	calling              // it has a place
	over                 // it is not called any more
)

// newScheduler returns a scheduler of so many numbers, none of which was called.
func newScheduler(numbers, places, perSecond int) *scheduler {
	s := &scheduler{places: places, numbers: make([]progress, numbers), open: numbers}
	if perSecond > 0 {
		s.spacing = time.Second / time.Duration(perSecond)
	}
	return s
}

// next takes a place for the number that is to be called now, if there is one: those that are called again first.
func (s *scheduler) next(now time.Time) (number int, ok bool) {
	if s.stopped || s.taken >= s.places || now.Before(s.notYet) || s.between.opens(now).After(now) {
		return 0, false
	}
	switch {
	case len(s.due) > 0 && !s.due[0].at.After(now):
		number = heap.Pop(&s.due).(dueNumber).number
	case s.skipTaken():
		number = s.fresh
		s.fresh++
	default:
		return 0, false
	}
	s.numbers[number].phase = calling
	s.numbers[number].attempts++
	s.taken++
	s.open--
	s.began(now)
	return number, true
}

// skipTaken moves on to the next number that was not called yet, and reports whether there is one.
func (s *scheduler) skipTaken() bool {
	for s.fresh < len(s.numbers) && s.numbers[s.fresh].phase != waiting {
		s.fresh++
	}
	return s.fresh < len(s.numbers)
}

// began tells when an attempt really began: the next one keeps its distance to that.
func (s *scheduler) began(at time.Time) { s.hold(at.Add(s.spacing)) }

// hold lets no attempt begin before a time.
func (s *scheduler) hold(until time.Time) {
	if until.After(s.notYet) {
		s.notYet = until
	}
}

// wake returns when next may have a number by the passing of time alone; zero: only an end can bring that.
func (s *scheduler) wake(now time.Time) time.Time {
	if s.stopped || s.taken >= s.places {
		return time.Time{}
	}
	at := now
	switch {
	case s.skipTaken():
	case len(s.due) == 0:
		return time.Time{}
	case s.due[0].at.After(now): // else it waits for the window
		at = s.due[0].at
	}
	if at.Before(s.notYet) {
		at = s.notYet
	}
	return s.between.opens(at.In(now.Location())) // a journal's times are UTC
}

// unsent undoes an attempt of which nothing was sent: the number is called again, at once or when hold is over.
func (s *scheduler) unsent(number int, now time.Time) {
	s.numbers[number].attempts--
	s.free(number, again)
	heap.Push(&s.due, dueNumber{now, number})
}

// ended frees the place of a call that is over, and reports whether the number is called again.
func (s *scheduler) ended(number int, how ami.Outcome, now time.Time) bool {
	p := &s.numbers[number]
	if !s.retry.follows(p.after, how) {
		s.free(number, over)
		return false
	}
	p.after[how]++
	s.free(number, again)
	heap.Push(&s.due, dueNumber{now.Add(s.retry[how].after), number})
	return true
}

// free gives back a number's place.
func (s *scheduler) free(number int, to phase) {
	s.numbers[number].phase = to
	s.taken--
	if to != over {
		s.open++
	}
}

// adopt takes a place for a call that an earlier run began: attempts were made by then, after says after which outcomes.
func (s *scheduler) adopt(number, attempts int, after [len(outcomes)]int) {
	s.numbers[number] = progress{attempts, after, calling}
	s.taken++
	s.open--
}

// resume sets a number to where an earlier run left it: over, or to be called again if its last outcome is followed by
// another attempt.
func (s *scheduler) resume(number, attempts int, after [len(outcomes)]int, last ami.Outcome, at time.Time) {
	s.adopt(number, attempts, after)
	s.ended(number, last, at)
}

// drop leaves a number out.
func (s *scheduler) drop(number int) {
	s.numbers[number].phase = over
	s.open--
}

// stop lets no attempt begin any more.
func (s *scheduler) stop() { s.stopped = true }

// done reports whether no call is up and none will be.
func (s *scheduler) done() bool { return s.taken == 0 && (s.stopped || s.open == 0) }

// A dueNumber is a number that is called again, and when.
type dueNumber struct {
	at     time.Time
	number int
}

// dueHeap is a heap, the earliest first and in the order of the list.
type dueHeap []dueNumber

func (d dueHeap) Len() int { return len(d) }
func (d dueHeap) Less(i, j int) bool {
	return d[i].at.Before(d[j].at) || d[i].at.Equal(d[j].at) && d[i].number < d[j].number
}
func (d dueHeap) Swap(i, j int) { d[i], d[j] = d[j], d[i] }

// Push implements heap.Interface.
func (d *dueHeap) Push(x any) { *d = append(*d, x.(dueNumber)) }

// Pop implements heap.Interface.
func (d *dueHeap) Pop() any {
	last := len(*d) - 1
	e := (*d)[last]
	*d = (*d)[:last]
	return e
}
