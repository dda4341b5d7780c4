package bench

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Stage is a stretch of an open-loop schedule. The rate goes in a straight line from the previous stage's to this
// one's, or with Step is this one's from the start.
type Stage struct {
	For  Duration `json:"for"`
	Rate float64  `json:"rate"` // actions a second over all nodes
	Step bool     `json:"step,omitempty"`
}

// StageError says what is wrong with a stage.
type StageError struct{ Stage, Why string }

func (e *StageError) Error() string { return fmt.Sprintf("bench: stage %q %s", e.Stage, e.Why) }

// ParseStage reads "30s:500", a ramp to 500 actions a second over 30 s, or "30s:=500", 500 a second at once and for
// 30 s. Errors are *StageError.
func ParseStage(s string) (Stage, error) {
	d, rate, ok := strings.Cut(s, ":")
	if !ok {
		return Stage{}, &StageError{s, "is not DURATION:RATE or DURATION:=RATE"}
	}
	var st Stage
	rate, st.Step = strings.CutPrefix(rate, "=")
	dur, err := time.ParseDuration(d)
	if err != nil || dur <= 0 {
		return Stage{}, &StageError{s, "needs a duration of more than 0, with a unit"}
	}
	st.For = Duration(dur)
	st.Rate, err = strconv.ParseFloat(rate, 64)
	if err != nil || st.Rate < 0 || math.IsInf(st.Rate, 0) || math.IsNaN(st.Rate) {
		return Stage{}, &StageError{s, "needs a rate from 0"}
	}
	return st, nil
}

// A schedule says when each action of an open loop is meant to start. It is fixed once made.
type schedule struct {
	legs  []leg
	total uint64
	end   time.Duration
}

// A leg is a stage with what went before it summed up.
type leg struct {
	start  float64 // seconds
	length float64
	before float64 // actions due before start
	from   float64 // actions a second
	to     float64
	count  float64 // actions due within
}

// newSchedule makes a schedule of a constant rate for d, or, when there are stages, of those; the first stage then
// ramps from rate. With limit > 0 it ends after so many actions; d may then be 0.
func newSchedule(rate float64, d time.Duration, stages []Stage, limit uint64) (*schedule, error) {
	s := &schedule{}
	switch {
	case len(stages) > 0:
		prev := rate
		for _, st := range stages {
			if st.Step {
				prev = st.Rate
			}
			s.add(time.Duration(st.For).Seconds(), prev, st.Rate)
			prev = st.Rate
		}
	case rate <= 0:
		return nil, &ConfigError{"rate", "must be more than 0"}
	case d > 0:
		s.add(d.Seconds(), rate, rate)
	case limit > 0:
		s.add(float64(limit)/rate, rate, rate)
	default:
		return nil, &ConfigError{"schedule", "needs a duration or a number of actions"}
	}
	last := s.legs[len(s.legs)-1]
	// A count that is whole but for the error of floating-point sums is meant whole.
	s.total = uint64(math.Ceil(last.before + last.count - 1e-6))
	s.end = seconds(last.start + last.length)
	if limit > 0 && limit < s.total {
		s.total = limit
		s.end = s.At(limit)
	}
	return s, nil
}

func (s *schedule) add(length, from, to float64) {
	l := leg{length: length, from: from, to: to, count: length * (from + to) / 2}
	if n := len(s.legs); n > 0 {
		p := s.legs[n-1]
		l.start, l.before = p.start+p.length, p.before+p.count
	}
	s.legs = append(s.legs, l)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// Total returns how many actions the schedule has.
func (s *schedule) Total() uint64 { return s.total }

// End returns when the schedule is over, counted from its start.
func (s *schedule) End() time.Duration { return s.end }

// At returns when action n, from 0, is meant to start, counted from the schedule's start.
func (s *schedule) At(n uint64) time.Duration {
	x := float64(n)
	for i := range s.legs {
		l := &s.legs[i]
		if x < l.before+l.count || i == len(s.legs)-1 {
			return seconds(l.start + l.when(x-l.before))
		}
	}
	return s.end
}

// when returns how far into the leg n actions have come due: the t with from*t + (to-from)/(2*length)*t² = n. The
// form keeps its precision where the ramp is nearly flat.
func (l *leg) when(n float64) float64 {
	if n <= 0 {
		return 0
	}
	root := math.Sqrt(math.Max(0, l.from*l.from+2*n*(l.to-l.from)/l.length))
	if l.from+root == 0 {
		return l.length
	}
	return math.Min(l.length, 2*n/(l.from+root))
}

// RateAt returns the intended rate, in actions a second, at a time counted from the schedule's start.
func (s *schedule) RateAt(t time.Duration) float64 {
	x := max(0, t.Seconds())
	for i := range s.legs {
		l := &s.legs[i]
		if x < l.start+l.length {
			return l.from + (l.to-l.from)*(x-l.start)/l.length
		}
	}
	return 0
}

// Due returns how many actions are meant to have started by a time counted from the schedule's start.
func (s *schedule) Due(t time.Duration) uint64 {
	x := t.Seconds()
	for i := range s.legs {
		l := &s.legs[i]
		if x < l.start+l.length {
			y := x - l.start
			n := l.before + l.from*y + (l.to-l.from)/(2*l.length)*y*y
			return min(s.total, uint64(max(0, n))+1)
		}
	}
	return s.total
}
