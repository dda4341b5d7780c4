package state

import (
	"time"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Record is a call that ended.
type Record struct {
	Node     string     `json:"node,omitempty"`
	Linkedid string     `json:"linkedid"`
	Start    time.Time  `json:"start,omitzero"`
	Answer   time.Time  `json:"answer,omitzero"`
	End      time.Time  `json:"end,omitzero"`
	RingUS   int64      `json:"ring_us"` // microseconds in which somebody was rung and nobody talked
	TalkUS   int64      `json:"talk_us"` // microseconds in which two or more channels were bridged
	HoldUS   int64      `json:"hold_us"` // microseconds in which somebody was on hold
	Caller   Party      `json:"caller,omitzero"`
	Callee   Party      `json:"callee,omitzero"` // the last one reached, else the extension that was dialled
	Queue    string     `json:"queue,omitempty"`
	Member   string     `json:"member,omitempty"` // the interface that took the call from the queue
	WaitUS   int64      `json:"wait_us"`          // microseconds in queues
	Transfer []Transfer `json:"transfers,omitempty"`
	Legs     []Leg      `json:"legs"` // in the order they began
	Dropped  int        `json:"legs_dropped,omitempty"`
	// Outcome is answered, abandoned (in a queue), busy, no-answer, cancelled, congestion, unavailable, failed, or
	// unknown.
	Outcome string `json:"outcome"`
	// By is who ended it: caller, callee, or server (the dialplan, an action, a timeout); absent if nobody said.
	By        string `json:"by,omitempty"`
	Cause     int    `json:"cause,omitempty"` // Q.850, of the leg that ended it, else of the caller's
	CauseText string `json:"cause_text,omitempty"`
	Partial   bool   `json:"partial,omitempty"` // as in Call
}

// Kind returns KindRecord.
func (*Record) Kind() Kind { return KindRecord }

// Key returns the Linkedid.
func (r *Record) Key() string { return r.Linkedid }

// A Transfer is how a call was passed to somebody else.
type Transfer struct {
	Kind string    `json:"kind"` // blind, attended, pickup
	Time time.Time `json:"time"`
	By   string    `json:"by,omitempty"` // the number or endpoint of the party that did it
	To   string    `json:"to,omitempty"` // the extension, or the number
}

// finish publishes the record of a call whose last channel ended.
func (s *server) finish(c *call) {
	delete(s.calls, c.linkedid)
	s.hide(c)
	r := &Record{
		Node: s.name, Linkedid: c.linkedid, Start: c.start, Answer: c.answer, End: s.when,
		RingUS: c.ring.total.Microseconds(), TalkUS: c.talk.total.Microseconds(), HoldUS: c.hold.total.Microseconds(),
		Caller: c.caller, Callee: c.reached, Queue: c.queue, Member: c.member, WaitUS: c.wait.total.Microseconds(),
		Transfer: c.transfers, Legs: sorted(c.ended), Dropped: c.dropped, Partial: c.unsure(),
	}
	c.blame(r)
	r.Outcome = c.outcome(r.Cause)
	s.emit(Change{Op: OpRecord, Object: r})
}

// blame says who ended the call, and why.
func (c *call) blame(r *Record) {
	if c.request.uid != "" {
		switch {
		case c.request.soft:
			r.By = "server"
		case c.request.uid == c.caller.Uniqueid:
			r.By = "caller"
		default:
			r.By = "callee"
		}
	}
	for _, uid := range []string{c.request.uid, c.caller.Uniqueid} {
		for i := range c.ended {
			if l := &c.ended[i]; l.Uniqueid == uid && l.Cause != 0 {
				r.Cause, r.CauseText = l.Cause, l.CauseText
				return
			}
		}
	}
	if n := len(c.ended); n > 0 {
		r.Cause, r.CauseText = c.ended[n-1].Cause, c.ended[n-1].CauseText
	}
}

// outcome says how the call went.
func (c *call) outcome(cause int) string {
	switch {
	case c.abandoned && !c.talked:
		return "abandoned"
	case c.talked || !c.answer.IsZero():
		return "answered"
	}
	switch c.dialStatus {
	case "answer":
		return "answered"
	case "busy":
		return "busy"
	case "noanswer":
		return "no-answer"
	case "cancel":
		return "cancelled"
	case "congestion":
		return "congestion"
	case "chanunavail":
		return "unavailable"
	}
	switch { // the causes are causes.h's
	case cause == 17:
		return "busy"
	case cause == 18 || cause == 19:
		return "no-answer"
	case cause == 34 || cause == 42:
		return "congestion"
	case cause == 1 || cause == 20 || cause == 27:
		return "unavailable"
	case c.partial:
		return "unknown"
	case (cause == 16 || cause == 0) && c.ring.total > 0:
		return "no-answer"
	case cause == 0:
		return "unknown"
	}
	return "failed"
}

func blindTransfer(s *server, m *wire.Message) {
	s.transfer(m, "blind", "Transferer", m.Get("Extension"))
}

func attendedTransfer(s *server, m *wire.Message) {
	to := known(m.Get("TransferTargetCallerIDNum"))
	if to == "" {
		to = known(m.Get("SecondTransfererConnectedLineNum"))
	}
	s.transfer(m, "attended", "OrigTransferer", to)
}

func (s *server) transfer(m *wire.Message, kind, by, to string) {
	if r := m.Get("Result"); r != "" && r != "Success" {
		return
	}
	who := readSnap(m, by)
	l := s.legs[who.uniqueid]
	if l == nil {
		return
	}
	l.passed = true
	if second := s.legs[m.Get("SecondTransfererUniqueid")]; second != nil {
		second.passed = true
	}
	l.call.request = request{} // his own: it brings an attended transfer about
	s.note(l, kind, known(who.callerNumber), to)
}

// pickup is a channel that answers what rings elsewhere.
func pickup(s *server, m *wire.Message) {
	who, target := readSnap(m, ""), readSnap(m, "Target")
	if l := s.legs[target.uniqueid]; l != nil {
		s.note(l, "pickup", known(who.callerNumber), known(target.callerNumber))
	}
}

func (s *server) note(l *leg, kind, by, to string) {
	t := Transfer{Kind: kind, Time: s.when}
	var e edit
	e.str(&t.By, by, "by")
	if t.By == "" {
		t.By = l.Endpoint
	}
	e.str(&t.To, to, "to")
	l.call.transferred(t)
	s.touch(l.call)
}
