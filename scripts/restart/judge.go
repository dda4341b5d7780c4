package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A verdict is what the tools said, counted, and what of it was wrong.
type verdict struct {
	o      *options
	rounds []round
	wire   interface{ left(mark string) bool }
	wrong  []string

	replied, refused, cut, unsent int // lines of send
	unseen                        int // lines with an answer that the wire's witness missed
	events                        int // of them, seen by tail
	looks                         int // of health
}

// What the tools write to standard error.
const isBack = " is back after "

// slack is what clocks that are read by different processes on a busy machine differ by.
const slack = 500 * time.Millisecond

func judge(o *options, rounds []round, t *tools, w *wire) *verdict {
	v := &verdict{o: o, rounds: rounds, wire: w}
	answered := v.judgeSend(t)
	v.judgeTail(t, answered)
	v.judgeHealth(t)
	for i := range rounds {
		v.judgeRound(i, t)
	}
	return v
}

func (v *verdict) say(format string, args ...any) {
	v.wrong = append(v.wrong, fmt.Sprintf(format, args...))
}

// judgeSend wants one object for each line, and what it says to be true. It returns when each answered line was.
func (v *verdict) judgeSend(t *tools) map[string]time.Time {
	out, complaints := t.send.printed()
	ended := make(map[string]time.Time)
	answered := make(map[string]time.Time)
	for i := range out {
		s := &out[i]
		if _, twice := ended[s.ID]; twice || s.ID == "" {
			v.say("send: one object too many: %s", s.text)
		}
		ended[s.ID] = s.Time
		if s.Type == "reply" && s.Response == "Success" {
			v.replied++
			answered[s.ID] = s.Time
			if !v.wire.left(s.ID) {
				v.unseen++
			}
			continue
		}
		v.judgeError(s)
	}
	for n := range t.lines {
		if _, ok := ended[mark(n)]; !ok {
			v.say("send: line %d has no object", n+1)
		}
	}
	for _, s := range complaints {
		v.judgeComplaint("send", &s)
	}
	want := 0
	if len(answered) < len(ended) {
		want = 6
	}
	if t.send.exit != want {
		v.say("send: exit status %d, not %d", t.send.exit, want)
	}
	return answered
}

// judgeError judges what is said of a line that failed. A line has 30 s, more than any absence: none may end unsent.
func (v *verdict) judgeError(s *said) {
	left := v.wire.left(s.ID)
	r := v.during(s.Time)
	switch {
	case s.Type != "error":
		v.say("send: %s", s.text)
	case r == nil:
		v.say("send: an error while the server was there: %s", s.text)
	case s.Sent == "yes" && s.Exit == 3 && strings.Contains(s.Message, "shutting down"):
		v.refused++
		if !left || r.kind != gracefully && r.kind != stopped && r.kind != restarted {
			v.say("send: no answer of a server that stops: %s", s.text)
		}
	case s.Exit == 7 && (s.Sent == "maybe" || s.Sent == "yes" && left):
		v.cut++
	case s.Sent == "no":
		v.unsent++
		// What the write that failed held is over: the session took it, and ended before a byte of it left.
		if left || s.Time.After(r.gone.Add(slack)) || !strings.Contains(s.Message, "the connection was lost") {
			v.say("send: a line was not sent within 30 s (it left: %v): %s", left, s.text)
		}
	default:
		v.say("send: %s", s.text)
	}
}

// during returns the round in whose absence a time is, up to the bound for its end.
func (v *verdict) during(at time.Time) *round {
	for i := range slices.Backward(v.rounds) {
		if r := &v.rounds[i]; at.After(r.given.Add(-slack)) {
			if at.Before(r.back.Add(v.o.bound)) {
				return r
			}
			break
		}
	}
	return nil
}

// judgeTail wants each action's event, once, or a gap in its place.
func (v *verdict) judgeTail(t *tools, answered map[string]time.Time) {
	out, complaints := t.tail.printed()
	seen := make(map[string]bool)
	waits := make(map[string]int)
	var gaps []*said
	var last time.Time // when the action was answered whose event is the last so far
	for i := range out {
		s := &out[i]
		switch {
		case s.Type == "gap" && !s.Until.IsZero():
			if r := v.during(s.Since); r != nil && r.given.Before(s.Since) {
				s.Since = r.given // a server that is ending has events that it writes no more, before it closes the connection
				if last.After(r.given) {
					s.Since = last
				}
			}
			gaps = append(gaps, s)
		case s.Type == "gap", s.Type == "event" && s.field("UserEvent") == "":
		case s.Type != "event":
			v.say("tail: %s", s.text)
		case s.field("UserEvent") == "RestartsWait":
			if waits[s.field("Round")]++; waits[s.field("Round")] > 1 {
				v.say("wait: its action was sent twice: %s", s.text)
			}
		case s.field("UserEvent") == "Restarts":
			n := s.field("N")
			if seen[n] {
				v.say("send: a line ran twice: %s", s.text)
			}
			seen[n] = true
			if at, ok := answered[n]; ok {
				last = at
			}
			v.events++
			if _, ok := answered[n]; !ok && v.during(s.Time) == nil {
				v.say("send: a line ran, and was said to have failed: %s", s.text)
			}
		}
	}
	if len(gaps) != len(v.rounds) {
		v.say("tail: %d gaps that ended for %d restarts", len(gaps), len(v.rounds))
	}
	for n, at := range answered {
		if !seen[n] && !inGap(gaps, at) {
			v.say("tail: lost without a gap: %s, answered %s", n, at.Format(time.RFC3339Nano))
		}
	}
	for _, s := range complaints {
		v.judgeComplaint("tail", &s)
	}
}

func inGap(gaps []*said, at time.Time) bool {
	for _, g := range gaps {
		if at.After(g.Since.Add(-slack)) && at.Before(g.Until.Add(slack)) {
			return true
		}
	}
	return false
}

// judgeHealth wants "ready" while the server is there, and nothing of the kind while it is not.
func (v *verdict) judgeHealth(t *tools) {
	out, complaints := t.look.printed()
	for i := range out {
		s := &out[i]
		v.looks++
		r := v.during(s.Time)
		away := r != nil && s.Time.After(r.gone.Add(slack)) && s.Time.Before(r.back.Add(-slack))
		switch {
		case s.Type != "health":
			v.say("health: %s", s.text)
		case s.State == "ready" && away:
			v.say("health: ready while it was away: %s", s.text)
		case s.State == "ready":
		case r == nil:
			v.say("health: not ready while it was there: %s", s.text)
		case s.State == "degraded" && away, s.State != "degraded" && s.State != "down" && s.State != "stopping":
			v.say("health: %s", s.text)
		case s.State != "degraded" && s.Code != "connect" && s.Code != "banner", !strings.Contains(s.Reason, t.srv.addr) && s.State != "degraded":
			v.say("health: code or reason: %s", s.text)
		}
	}
	for _, s := range complaints {
		v.judgeComplaint("health", &s)
	}
}

// unjust are words that have nothing to do with a server that is away for a while.
var unjust = regexp.MustCompile(`(?i)\b(secret|refused the login|usage|permit|firewall|panic|bug|unknown|--help)\b|see .amictl|no Asterisk`)

func (v *verdict) judgeComplaint(name string, s *said) {
	if unjust.MatchString(s.text) {
		v.say("%s: on standard error: %s", name, s.text)
	}
}

// judgeRound wants each tool back in time, told of in one line, with FullyBooted and the waiter's event.
func (v *verdict) judgeRound(i int, t *tools) {
	r := &v.rounds[i]
	where := fmt.Sprintf("round %d, %s", i, r.kind)
	next := time.Now()
	if i+1 < len(v.rounds) {
		next = v.rounds[i+1].given
	}
	for _, name := range names {
		if late, ok := v.late(r, name); !ok {
			v.say("%s: %s did not find it", where, name)
		} else if late > v.bound(name) {
			v.say("%s: %s found it %v after its return", where, name, late)
		}
	}
	for name, one := range map[string]*tool{nameSend: t.send, nameTail: t.tail, nameHealth: t.look, nameWait: r.waiter} {
		_, complaints := one.printed()
		told := 0
		for j := range complaints {
			if s := &complaints[j]; s.at.After(r.given) && s.at.Before(next) && strings.Contains(s.text, isBack) {
				told++
				v.judgeSpan(where+": "+name, r, s.text)
			}
		}
		if told != 1 {
			v.say("%s: %s said %d times that it is back", where, name, told)
		}
	}
	booted := 0
	out, _ := t.tail.printed()
	for j := range out {
		if s := &out[j]; s.Event == "FullyBooted" && s.Time.After(r.gone) && s.Time.Before(next) {
			booted++
		}
	}
	if booted == 0 {
		v.say("%s: tail saw no FullyBooted", where)
	}
	out, complaints := r.waiter.printed()
	out = slices.DeleteFunc(slices.Clone(out), func(s said) bool { return s.Type == "gap" })
	if len(out) != 1 || out[0].field("UserEvent") != "RestartsOver" || r.waiter.exit != 0 {
		v.say("%s: wait exited %d with %d lines:%s", where, r.waiter.exit, len(out), r.waiter.complaints())
	}
	for j := range complaints {
		v.judgeComplaint("wait", &complaints[j])
	}
}

var backAfter = regexp.MustCompile(isBack + `([0-9.]+[^:]+): `)

// judgeSpan compares the absence that a tool tells of with the real one.
func (v *verdict) judgeSpan(where string, r *round, text string) {
	m := backAfter.FindStringSubmatch(text)
	if m == nil {
		v.say("%s: %s", where, text)
		return
	}
	told, err := time.ParseDuration(strings.ReplaceAll(m[1], " ", ""))
	away := r.back.Sub(r.gone)
	if err != nil || told < away-slack || told > r.back.Sub(r.given)+v.o.bound+slack {
		v.say("%s: it was away for %v: %s", where, away, text)
	}
}

// late is how long after the return a tool had its first success; before the measurement saw it, it is 0.
func (v *verdict) late(r *round, name string) (time.Duration, bool) {
	at, ok := r.found[name]
	return max(0, at.Sub(r.back)), ok
}

func (v *verdict) bound(name string) time.Duration {
	if name == nameHealth {
		return v.o.bound + every
	}
	return v.o.bound
}
