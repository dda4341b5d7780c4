package state

import (
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// maxLegs bounds what a Record keeps: legs that ended, and transfers.
const maxLegs = 64

// A Leg is one channel of a call that ended.
type Leg struct {
	Uniqueid  string    `json:"uniqueid"`
	Channel   string    `json:"channel"`
	Endpoint  string    `json:"endpoint,omitempty"`
	Number    string    `json:"number,omitempty"`
	Name      string    `json:"name,omitempty"`
	Start     time.Time `json:"start,omitzero"`
	Answer    time.Time `json:"answer,omitzero"`
	End       time.Time `json:"end,omitzero"`
	Dial      string    `json:"dial,omitempty"`  // how dialling it ended: answer, busy, noanswer, cancel, …
	Cause     int       `json:"cause,omitempty"` // Q.850
	CauseText string    `json:"cause_text,omitempty"`
}

// A leg is a channel's part in a call, while it is up or its Hangup is due.
type leg struct {
	Leg
	call                                *call
	at                                  int // in call.live
	ringing, up, held, bridged, waiting bool
	guess                               bool // its start is a list's guess
	dying                               bool // a list lacked it
	passed                              bool // it passed the call on: the call goes on when it ends
}

func (l *leg) party() Party {
	return Party{Number: l.Number, Name: l.Leg.Name, Endpoint: l.Endpoint, Uniqueid: l.Uniqueid}
}

// newLeg begins the leg of a channel. There are at most as many as channels and their tombstones.
func (s *server) newLeg(ch *Channel) *leg {
	start := ch.Created
	if start.IsZero() {
		start = s.when
	}
	l := &leg{Leg: Leg{Uniqueid: ch.Uniqueid, Start: start, Answer: ch.Answered}, guess: ch.Created.IsZero() || s.listing}
	s.legs[ch.Uniqueid] = l
	c := s.call(ch.Linkedid, start)
	c.add(l)
	if c.dialled == "" && ch.Exten != "s" {
		c.dialled = ch.Exten
	}
	if queues := s.queuesOf[l.Uniqueid]; len(queues) > 0 { // its caller was known before it was
		c.queue = queues[0]
		c.count(&l.waiting, true, &c.waiting)
	}
	return l
}

// describe takes over what the channel is called, and if it is the caller's, who calls.
func (l *leg) describe(ch *Channel) {
	l.Channel, l.Endpoint, l.Number, l.Leg.Name = ch.Name, ch.Endpoint, ch.CallerNumber, ch.CallerName
	c := l.call
	if l.Uniqueid == c.linkedid || c.caller == (Party{}) || c.caller.Uniqueid == l.Uniqueid {
		c.caller, c.ownPair = l.party(), localPair(ch.Name)
	}
}

// legState follows the state of a leg's channel.
func (s *server) legState(l *leg, state string) {
	c := l.call
	c.count(&l.ringing, state == stateRinging, &c.ringing)
	up := state == stateUp
	if up && !l.up && !s.listing {
		l.Answer = s.when
		if c.answer.IsZero() {
			c.answer = s.when
		}
	}
	c.count(&l.up, up, &c.up)
}

// begun takes the exact time of a birth that a list had to guess.
func (s *server) begun(id string) {
	l := s.legs[id]
	if l == nil || !l.guess {
		return
	}
	l.Start = s.when
	c := l.call
	c.count(&l.guess, false, &c.guesses)
	if len(c.live) == 1 && len(c.ended) == 0 {
		c.start = s.when
	}
	s.touch(c)
}

// endLeg ends a leg, and its call with the last one.
func (s *server) endLeg(id string, cause int, text string) {
	l := s.legs[id]
	if l == nil {
		return
	}
	delete(s.legs, id)
	c := l.call
	l.End, l.Cause = s.when, cause
	if cause != 0 { // else the text is "Unknown"
		l.CauseText = clip(text)
	}
	c.partial = c.partial || l.guess
	c.drop(l)
	c.keep(l.Leg)
	s.touch(c)
	if len(c.live) == 0 {
		s.finish(c)
	}
}

// endLost ends a leg whose end nobody told.
func (s *server) endLost(id string) {
	if l := s.legs[id]; l != nil {
		l.call.partial = true
		s.endLeg(id, 0, "")
	}
}

// fade is for a leg that a list lacked: it does nothing any more, and waits for its Hangup, which tells the cause.
func (s *server) fade(l *leg) {
	c := l.call
	c.count(&l.dying, true, &c.dying)
	c.count(&l.bridged, false, &c.bridged)
	c.count(&l.held, false, &c.held)
	c.count(&l.ringing, false, &c.ringing)
	c.count(&l.up, false, &c.up)
	s.touch(c)
}

// endDying ends the legs whose Hangup will not come any more.
func (s *server) endDying() {
	for id, l := range s.legs {
		if l.dying {
			s.endLost(id)
		}
	}
}

func dialEnd(s *server, m *wire.Message) {
	l := s.legs[m.Get("DestUniqueid")]
	if l == nil {
		return
	}
	status := m.Get("DialStatus")
	l.Dial = strings.ToLower(status[:min(len(status), 16)])
	l.call.dialStatus = l.Dial
	s.touch(l.call)
}

// A request is the first wish to end a call since somebody came into it last.
type request struct {
	uid  string
	soft bool // Asterisk's own: the dialplan, an action, a timeout
}

func hangupRequest(s *server, m *wire.Message)     { s.requested(m.Get("Uniqueid"), false) }
func softHangupRequest(s *server, m *wire.Message) { s.requested(m.Get("Uniqueid"), true) }

func (s *server) requested(id string, soft bool) {
	if l := s.legs[id]; l != nil && !l.passed && l.call.request.uid == "" {
		// An end of a Local channel asks because Asterisk hung up the other one.
		l.call.request = request{uid: l.Uniqueid, soft: soft || isLocal(l.Channel)}
	}
}
