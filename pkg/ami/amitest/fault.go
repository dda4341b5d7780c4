package amitest

import "time"

// FaultKind names a way to misbehave.
type FaultKind string

// The kinds. Those of the first group change how bytes travel, those of the second
// what an answer looks like, those of the third what becomes of sessions, those of
// the last what the whole server does.
const (
	FaultLatency  FaultKind = "latency"  // output arrives later: fixed, jitter, tail
	FaultSlow     FaultKind = "slow"     // each action takes longer: fixed, jitter, tail
	FaultSegment  FaultKind = "segment"  // output in segments of bytes, gap apart
	FaultCoalesce FaultKind = "coalesce" // output held back and sent together, for

	FaultDup      FaultKind = "dup"      // the answer twice
	FaultForeign  FaultKind = "foreign"  // an answer to somebody else's ActionID first
	FaultWrongID  FaultKind = "wrongid"  // another ActionID in the answer
	FaultNoID     FaultKind = "noid"     // no ActionID in the answer
	FaultDrop     FaultKind = "drop"     // no answer at all
	FaultReorder  FaultKind = "reorder"  // answers shuffled, window at a time
	FaultTruncate FaultKind = "truncate" // the answer cut after bytes
	FaultGarbage  FaultKind = "garbage"  // random bytes first
	FaultOversize FaultKind = "oversize" // a header of bytes in the answer
	FaultRefuse   FaultKind = "refuse"   // Response: Error with message
	FaultNewline  FaultKind = "newline"  // an event with a raw newline and message in a value

	FaultReset      FaultKind = "rst"        // a reset after bytes
	FaultFin        FaultKind = "fin"        // an end of file after bytes
	FaultStall      FaultKind = "stall"      // neither reads nor writes, for
	FaultHalfOpen   FaultKind = "halfopen"   // neither reads nor writes ever again
	FaultSlowReader FaultKind = "slowreader" // part of a packet, then the end, as for a client that does not read

	FaultBanner      FaultKind = "banner"      // message as the banner, after for
	FaultSlowLogin   FaultKind = "slowlogin"   // a login takes for
	FaultRefuseLogin FaultKind = "refuselogin" // a login fails as with a bad secret
	FaultAuthLimit   FaultKind = "authlimit"   // connections closed before the banner
	FaultFlood       FaultKind = "flood"       // count events of a kind at a rate
	FaultRestart     FaultKind = "restart"     // Shutdown, every session ends, connections refused, for
	FaultFlap        FaultKind = "flap"        // restart every period, times
)

// Always is the Times of a fault that never wears off.
const Always = -1

// Fault is one way for the server to misbehave, as data. Its text form is
//
//	KIND key=value…
//
// with the keys being the fields' names in lower case, durations as in 20ms, sizes
// as in 1234 or 1234bytes, and message in Go's double quotes if it has blanks. A
// fault without Action meets every action; one of rst, fin, stall, halfopen or
// slowreader without Action and After meets the sessions that are open when it is
// injected.
type Fault struct {
	Kind FaultKind
	// Fixed, Jitter and Tail make a delay: Fixed, plus up to Jitter evenly, plus a
	// heavy tail (Pareto, shape 1.5) whose median is Tail and whose bound is 100
	// times that.
	Fixed, Jitter, Tail time.Duration
	// For is how long a stall, a restart's or a flap's down time, a slow login or a
	// coalescing lasts, or how long reorder holds an incomplete window.
	For time.Duration
	// Period is a flap's.
	Period time.Duration
	// Gap is the pause between segments.
	Gap time.Duration
	// After is how many bytes a session still gets before rst or fin.
	After int
	// Bytes is the size of segments, garbage, oversize, or what truncate leaves.
	Bytes int
	// Window is how many answers reorder shuffles.
	Window int
	// Rate and Count are a flood's events a second (0: as fast as they are taken)
	// and their number.
	Rate  float64
	Count int
	// Event is the name of a flood's events.
	Event string
	// Message is text for refuse, banner and newline, or foreign's ActionID.
	Message string
	// Action limits a fault to actions of that name.
	Action string
	// Raw leaves what truncate and garbage did to the framing as it is, instead of
	// ending it with a blank line.
	Raw bool
	// Now makes garbage, truncate, oversize, foreign and newline packets of their
	// own, sent to every session at once.
	Now bool
	// Skip passes over the first so many chances, then Nth takes every so many and
	// Chance each with a probability; Times ends the fault after so many hits.
	// Times 0 stands for 1, but for latency, slow, segment and coalesce for Always.
	Skip, Nth, Times int
	Chance           float64
	// During ends the fault after a time.
	During time.Duration
}

// defaults fills in what a kind cannot do without.
func (f Fault) defaults() Fault {
	if f.Times == 0 {
		f.Times = 1
		switch f.Kind {
		case FaultLatency, FaultSlow, FaultSegment, FaultCoalesce:
			f.Times = Always
		case FaultReorder:
			f.Times = Always
		}
	}
	size := func(n int) {
		if f.Bytes == 0 {
			f.Bytes = n
		}
	}
	long := func(d time.Duration) {
		if f.For == 0 {
			f.For = d
		}
	}
	switch f.Kind {
	case FaultSegment:
		size(1)
	case FaultCoalesce:
		long(20 * time.Millisecond)
	case FaultReorder:
		long(100 * time.Millisecond)
		f.Window = max(2, f.Window)
	case FaultGarbage:
		size(64)
	case FaultOversize:
		size(2 << 20)
	case FaultStall, FaultSlowLogin:
		long(time.Second)
	case FaultRestart, FaultFlap:
		long(200 * time.Millisecond)
		if f.Period == 0 {
			f.Period = time.Second
		}
	case FaultFlood:
		if f.Event == "" {
			f.Event = "Newexten"
		}
		if f.Count == 0 {
			f.Count = 1000
		}
	case FaultRefuse:
		f.Message = orElse(f.Message, "Permission denied")
	case FaultNewline:
		f.Message = orElse(f.Message, "line1\r\nForged: yes")
	}
	return f
}
