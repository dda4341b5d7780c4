package ami

import (
	"errors"
	"time"
)

// A State is how far a node is from taking actions.
type State uint8

// The states of a node. Only StateReady and StateDegraded take actions.
const (
	StateDown        State = iota // made, and waiting for its first turn to dial
	StateDialing                  // resolving, connecting, TLS
	StateLogin                    // connected: banner, login, filters, OnReady
	StateReady                    // takes actions
	StateDegraded                 // takes actions, but the server missed its last Ping
	StateBackoff                  // waiting for its next turn to dial
	StateBreakerOpen              // away for long: tried less and less often, and calls do not wait for it
	StateStopping                 // like StateBackoff, and the server said that it is stopping
	StateClosed                   // over for good
)

// String returns the state's name as the command line shows it.
func (s State) String() string {
	switch s {
	case StateDown:
		return "down"
	case StateDialing:
		return "dialing"
	case StateLogin:
		return "login"
	case StateReady:
		return "ready"
	case StateDegraded:
		return "degraded"
	case StateBackoff:
		return "backoff"
	case StateBreakerOpen:
		return "breaker-open"
	case StateStopping:
		return "stopping"
	}
	return "closed"
}

// A supervisor decides when a node tries again. It is a pure core: no clock, goroutine or socket, so that a table
// drives it.
//
// The breaker counts time, not tries: a server that restarts refuses many dials in a few seconds, and is to be found as
// soon as it is back.
type supervisor struct {
	cfg      *Config
	failures int       // in a row; a session that stayed up ends the row
	probes   int       // failures since the breaker opened
	refusals int       // refused logins in a row
	open     bool      // away for BreakerAfter
	away     time.Time // since when; zero: not
	dialAt   time.Time // when the present attempt began
	readyAt  time.Time // zero: not ready
	before   time.Time // away as it was before this session, which may be one that greets and drops; zero: it was gone
	gone     bool      // a dial failed since the last session: the server was really away
}

const (
	// quickRedial is how far apart redials are at most before the breaker opens.
	quickRedial = 2 * time.Second
	// standsAfter is how long a session must have been ready to end an absence, unless dials failed before it. A server
	// that greets and drops must not be called in a loop for good; one that is restarted again and again is away anew each
	// time, however soon.
	standsAfter = time.Second
)

// dialing tells that an attempt begins.
func (s *supervisor) dialing(now time.Time) {
	s.dialAt = now
	if s.away.IsZero() {
		s.away = now
	}
}

// ready tells that a session became ready.
func (s *supervisor) ready(now time.Time) {
	s.before, s.away = s.away, time.Time{}
	if s.gone {
		s.before, s.gone = time.Time{}, false
	}
	s.readyAt, s.refusals = now, 0
}

// trouble returns the failures in a row and whether the breaker is open, which a session that stays up ends.
func (s *supervisor) trouble(now time.Time) (failures int, open bool) {
	if !s.readyAt.IsZero() && now.Sub(s.readyAt) >= s.cfg.Redial.StableAfter {
		return 0, false
	}
	return s.failures, s.open && (s.readyAt.IsZero() || now.Sub(s.readyAt) < standsAfter)
}

// failed tells that a dial failed or a session ended, and returns what the node does now and for how long. random is
// in [0,1).
//
// A session that was ready for less than StableAfter counts as a failure too, which the backoff remembers. A refused
// login backs off on a clock of its own, and says nothing about the network.
func (s *supervisor) failed(now time.Time, cause error, random float64) (State, time.Duration) {
	up := !s.readyAt.IsZero()
	stood := now.Sub(s.readyAt)
	s.readyAt = time.Time{}
	if errors.Is(cause, ErrUnauthorized) {
		s.refusals++
		s.open, s.probes, s.away = false, 0, time.Time{} // it is there
		return StateBackoff, jitter(s.cfg.Redial.LoginBackoffMin, s.cfg.Redial.LoginBackoffMax, s.refusals, 0.5+random/2)
	}
	if up {
		s.away = now
		if stood < standsAfter && !s.before.IsZero() {
			s.away = s.before
		}
	} else {
		s.gone = true
	}
	switch {
	case up && stood >= s.cfg.Redial.StableAfter:
		s.failures = 0
	default:
		s.failures++
	}
	if now.Sub(s.away) < s.cfg.Redial.BreakerAfter {
		s.open, s.probes = false, 0
		return waiting(cause, StateBackoff), s.quick(now, up, random)
	}
	s.open = true
	s.probes++
	_, high := s.quickest()
	return waiting(cause, StateBreakerOpen), jitter(min(2*high, s.cfg.Redial.BackoffMax), s.cfg.Redial.BackoffMax, s.probes, random)
}

// quick is the wait before the breaker opens: full jitter that grows up to quickRedial. It counts from the last
// attempt's beginning, so that one which hung does not add to it.
func (s *supervisor) quick(now time.Time, up bool, random float64) time.Duration {
	low, high := s.quickest()
	wait := jitter(low, high, max(s.failures, 1), random)
	if up {
		return wait
	}
	return max(min(wait, high-now.Sub(s.dialAt)), jitter(low, low, 1, random))
}

// quickest returns the shortest and the longest of the quick waits.
func (s *supervisor) quickest() (low, high time.Duration) {
	low = s.cfg.Redial.BackoffMin
	return low, max(low, min(quickRedial, s.cfg.Redial.BackoffMax))
}

// waiting returns the state of a node that waits for its next turn to dial.
func waiting(cause error, otherwise State) State {
	if errors.Is(cause, ErrStopping) {
		return StateStopping
	}
	return otherwise
}

// jitter returns a share of low·2^(n-1), at most of high: full jitter, whose cap holds after it.
func jitter(low, high time.Duration, n int, share float64) time.Duration {
	d := low
	for i := 1; i < n && d < high; i++ {
		if d > high/2 {
			d = high
			break
		}
		d *= 2
	}
	return time.Duration(float64(d) * share)
}
