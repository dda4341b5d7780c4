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
	StateBreakerOpen              // failed too often in a row: left alone until the probe
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
	}
	return "closed"
}

// A supervisor decides when a node tries again. It is a pure core: no clock, goroutine or socket, so that a table
// drives it.
type supervisor struct {
	cfg      *Config
	failures int // in a row; a session that stayed up ends the row
	refusals int // refused logins in a row
	open     bool
	readyAt  time.Time
	planned  bool      // the server said Shutdown: its going is no failure
	excused  bool      // that was believed once since the last session that stayed up
	grace    time.Time // until then a planned restart may take, without the breaker opening
}

// plannedRestart is how long a server that said Shutdown may stay away before its breaker can open.
const plannedRestart = time.Minute

// ready tells that a session became ready.
func (s *supervisor) ready(now time.Time) {
	s.readyAt, s.planned, s.refusals = now, false, 0
}

// trouble returns the failures in a row and whether the breaker is open, which a session that stays up ends.
func (s *supervisor) trouble(now time.Time) (failures int, open bool) {
	if !s.readyAt.IsZero() && now.Sub(s.readyAt) >= s.cfg.Redial.StableAfter {
		return 0, false
	}
	return s.failures, s.open
}

// shutdown tells that the server announced its end.
func (s *supervisor) shutdown() { s.planned = true }

// failed tells that a dial failed or a session ended, and returns what the node does now and for how long. random is
// in [0,1).
//
// A session that was ready for less than StableAfter counts as a failure too: a server that accepts, greets and drops
// must not be called in a loop. A refused login backs off on a clock of its own, and says nothing about the network.
func (s *supervisor) failed(now time.Time, cause error, random float64) (State, time.Duration) {
	up := !s.readyAt.IsZero()
	stable := up && now.Sub(s.readyAt) >= s.cfg.Redial.StableAfter
	s.readyAt = time.Time{}
	if errors.Is(cause, ErrUnauthorized) {
		s.refusals++
		s.open = false
		return StateBackoff, jitter(s.cfg.Redial.LoginBackoffMin, s.cfg.Redial.LoginBackoffMax, s.refusals, 0.5+random/2)
	}
	if stable {
		s.failures, s.open, s.excused = 0, false, false
	}
	if stable || up && s.planned && !s.excused {
		if s.planned { // once: a server that says so after every login is called in a loop no more than another
			s.excused, s.grace = true, now.Add(plannedRestart)
		}
		return StateBackoff, jitter(s.cfg.Redial.BackoffMin, s.cfg.Redial.BackoffMax, s.failures+1, random)
	}
	if s.failures++; !up && now.Before(s.grace) {
		s.failures = min(s.failures, s.cfg.Redial.BreakerFailures-1)
	}
	if s.open || s.failures >= s.cfg.Redial.BreakerFailures {
		s.open = true // the breaker is the backoff: one probe behind it
		return StateBreakerOpen, s.cfg.Redial.BreakerOpen/2 + time.Duration(random*float64(s.cfg.Redial.BreakerOpen)/2)
	}
	return StateBackoff, jitter(s.cfg.Redial.BackoffMin, s.cfg.Redial.BackoffMax, s.failures, random)
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
