package amitest

import "time"

// The kinds of faults, described at Fault. The last are no faults to be counted: they
// set the server to a state, or back.
const (
	faultLatency  = "latency"
	faultSlow     = "slow"
	faultSegment  = "segment"
	faultCoalesce = "coalesce"

	faultDup      = "dup"
	faultForeign  = "foreign"
	faultWrongID  = "wrongid"
	faultNoID     = "noid"
	faultDrop     = "drop"
	faultReorder  = "reorder"
	faultTruncate = "truncate"
	faultGarbage  = "garbage"
	faultOversize = "oversize"
	faultRefuse   = "refuse"
	faultNewline  = "newline"

	faultReset      = "rst"
	faultFin        = "fin"
	faultStall      = "stall"
	faultHalfOpen   = "halfopen"
	faultSlowReader = "slowreader"

	faultBanner      = "banner"
	faultSlowLogin   = "slowlogin"
	faultRefuseLogin = "refuselogin"
	faultAuthLimit   = "authlimit"
	faultFlood       = "flood"
	faultRestart     = "restart"
	faultFlap        = "flap"

	deedKick   = "kick"
	deedDown   = "down"
	deedUp     = "up"
	deedBooted = "booted"
	deedDeny   = "deny"
	deedAllow  = "allow"
	deedClear  = "clear"
)

// always is the Times of a fault that never wears off.
const always = -1

// Fault is one way for the server to misbehave, as data. Its text form is
//
//	KIND key=value…
//
// with the keys being the fields' names in lower case, durations as in 20ms, sizes
// as in 1234 or 1234bytes, times=always for Times -1, and message in Go's double
// quotes if it has blanks. A fault without Action meets every action; one of rst, fin,
// stall, halfopen or slowreader without Action and After meets the sessions that are
// open when it is injected.
//
// How bytes travel:
//
//	latency     output arrives later: Fixed, Jitter, Tail
//	slow        each action takes longer: Fixed, Jitter, Tail
//	segment     output in segments of Bytes, Gap apart
//	coalesce    output held back For, and sent together
//
// What an answer looks like:
//
//	dup         the answer twice
//	foreign     an answer to somebody else's ActionID first
//	wrongid     another ActionID in the answer
//	noid        no ActionID in the answer
//	drop        no answer at all
//	reorder     answers shuffled, Window at a time
//	truncate    the answer cut after Bytes
//	garbage     random Bytes first
//	oversize    a header of Bytes in the answer
//	refuse      Response: Error with Message
//	newline     an event with a raw newline and Message in a value
//
// What becomes of sessions:
//
//	rst         a reset, after so many bytes if After is given
//	fin         an end of file, likewise
//	stall       neither reads nor writes, For
//	halfopen    neither reads nor writes ever again
//	slowreader  part of a packet, then the end, as for a client that does not read
//
// What the whole server does:
//
//	banner      Message as the banner, after For
//	slowlogin   a login takes For
//	refuselogin a login fails as with a bad secret
//	authlimit   connections are closed before the banner
//	flood       Count events, with Rate
//	restart     Shutdown, every session ends, connections are refused For
//	flap        as a restart without notice, each Period
//
// Besides, kick, down, up, booted, deny, allow and clear are Server.Kick, SetDown,
// SetBooted, Deny and ClearFaults as text.
type Fault struct {
	Kind string
	// Fixed, Jitter and Tail make a delay: Fixed, plus up to Jitter evenly, plus a
	// heavy tail (Pareto, shape 1.5) whose median is Tail and whose bound is 100
	// times that.
	Fixed, Jitter, Tail time.Duration
	// For is how long a stall, a restart's or a flap's down time, a slow login or a
	// coalescing lasts, or how long reorder holds an incomplete window.
	For time.Duration
	// Period is a flap's. With it a kick, or one of rst, fin, stall, halfopen or
	// slowreader without Action and After, comes at the end of each period, Times times.
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
	// and their number, 1,000 if 0. With Times -1 it has no end.
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
	// Times 0 stands for 1, but with latency, slow, segment, coalesce and reorder for
	// -1, which is without end.
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
		case faultLatency, faultSlow, faultSegment, faultCoalesce, faultReorder:
			f.Times = always
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
	case faultSegment:
		size(1)
	case faultCoalesce:
		long(20 * time.Millisecond)
	case faultReorder:
		long(100 * time.Millisecond)
		f.Window = max(2, f.Window)
	case faultGarbage:
		size(64)
	case faultOversize:
		size(2 << 20)
	case faultStall, faultSlowLogin:
		long(time.Second)
	case faultRestart:
		long(200 * time.Millisecond)
	case faultFlap:
		long(200 * time.Millisecond)
		if f.Period == 0 {
			f.Period = time.Second
		}
	case faultFlood:
		if f.Event == "" {
			f.Event = "Newexten"
		}
		if f.Count == 0 {
			f.Count = 1000
		}
	case faultRefuse:
		f.Message = orElse(f.Message, "Permission denied")
	case faultNewline:
		f.Message = orElse(f.Message, "line1\r\nForged: yes")
	}
	return f
}
