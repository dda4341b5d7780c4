package dial

import "github.com/apntalk/amictl/pkg/ami"

// An entry is what a journal tells of a number.
type entry struct {
	ends []ami.Outcome // of the attempts, in order; of one that is not over: unknown
	call step          // the row of the last attempt's beginning
	last step          // the last row that counts
}

// readBook puts the steps of a journal together, number by number. It is pure.
func readBook(steps []step) map[string]*entry {
	book := make(map[string]*entry)
	for _, s := range steps {
		e := book[s.number]
		if e == nil {
			e = &entry{}
			book[s.number] = e
		}
		switch s.state {
		case stepCalling:
			e.ends = append(e.ends, ami.OutcomeUnknown)
			e.call, e.last = s, s
		case stepUnsent: // the attempt did not happen: what came before it counts
			if len(e.ends) > 0 {
				e.ends = e.ends[:len(e.ends)-1]
			}
			e.last = step{at: s.at, number: s.number, state: stepUnsent}
		default:
			if n := len(e.ends); n > 0 {
				e.ends[n-1] = s.outcome
			}
			e.last = s
		}
	}
	return book
}

// after counts the attempts that followed each outcome.
func (e *entry) after() (n [len(outcomes)]int) {
	for _, o := range e.ends[:max(len(e.ends)-1, 0)] {
		n[o]++
	}
	return n
}

// A remainder is what there is to do about a number.
type remainder uint8

const (
	toCall      remainder = iota // it was not called
	toFollow                     // its call may be up
	toCallAgain                  // its last attempt is followed by another one
	toEnd                        // it was to be called again, or its outcome is not known, and no --retry calls it now
	toLeave                      // it is done
	toSkip                       // by --skip
)

// remains is what a journal and the flags leave to do about a number; nil: the journal does not have it.
func (e *entry) remains(skip bool, retry retries) remainder {
	switch {
	case e != nil && e.up():
		return toFollow
	case e != nil && e.last.state == stepFinal:
		return toLeave
	case skip:
		return toSkip
	case e == nil || len(e.ends) == 0:
		return toCall
	case retry.follows(e.after(), e.ends[len(e.ends)-1]):
		return toCallAgain
	}
	return toEnd
}

// up reports whether the last attempt may still be a call that is up.
func (e *entry) up() bool { return e.last.state == stepCalling || e.last.state == stepAnswered }
