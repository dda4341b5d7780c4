package amitest

import (
	"strconv"
	"sync"
	"time"
)

// Event is one event to be sent.
type Event struct {
	Name string
	// Class decides who sees it: only sessions that have all of its bits in
	// their mask. ClassNone stands for the class that Asterisk gives an event of
	// this name.
	Class Class
	// Headers follow the preamble in order. Values are written as they are:
	// a newline in one splits it on the wire, as it does in Asterisk.
	Headers []Header
	raw     []byte // more header lines, with their ends
	// Blanks is how many extra blank lines follow the packet.
	Blanks int
}

// NewEvent returns an event with headers given as name, value, name, value….
func NewEvent(name string, kv ...string) Event {
	return Event{Name: name, Headers: pairs(kv)}
}

func pairs(kv []string) []Header {
	hs := make([]Header, 0, len(kv)/2)
	for i := 0; i+1 < len(kv); i += 2 {
		hs = append(hs, Header{kv[i], kv[i+1]})
	}
	return hs
}

// Emit sends an event to every session whose mask, rights and filters let it
// through, and returns its number. It waits while a session that reads has more
// than the queue limit outstanding; a session that does not read is dropped
// after the write timeout.
func (s *Server) Emit(evs ...Event) uint64 {
	num, full := s.emit(evs)
	s.waitRoom(full)
	return num
}

// EmitEvent is Emit for a single event given as name, header, value, header,
// value…, without waiting for slow sessions.
func (s *Server) EmitEvent(name string, kv ...string) uint64 {
	num, _ := s.emit([]Event{{Name: name, Headers: pairs(kv)}})
	return num
}

// EmitRaw sends bytes to every session as if they were an event of that class.
func (s *Server) EmitRaw(class Class, b []byte) {
	s.emitMu.Lock()
	defer s.emitMu.Unlock()
	s.scratch.reset()
	s.scratch.b = append(s.scratch.b, b...)
	s.scratch.marks = append(s.scratch.marks, mark{end: len(b), class: class, kind: markEvent})
	s.deliver(class)
}

// emit encodes events once and appends them to every session's queue.
func (s *Server) emit(evs []Event) (num uint64, full []*session) {
	s.emitMu.Lock()
	defer s.emitMu.Unlock()
	if s.postpone(evs) {
		return s.lastNum, nil
	}
	return s.send(evs)
}

// send is emit with emitMu held.
func (s *Server) send(evs []Event) (num uint64, full []*session) {
	s.scratch.reset()
	if len(evs) > 1 {
		s.scratch.prepare()
	}
	var all Class
	for i := range evs {
		all |= s.encode(&evs[i])
	}
	return s.lastNum, s.deliver(all)
}

// deliver gives the encoded run in scratch to the sessions and returns those
// whose queue is over its limit. emitMu is held.
func (s *Server) deliver(all Class) (full []*session) {
	s.book.emitted(len(s.scratch.marks))
	for _, sess := range s.snapshot() {
		if sess.push(&s.scratch, all) {
			full = append(full, sess)
		}
	}
	s.scratch.shrink()
	return full
}

func (s *Server) waitRoom(full []*session) {
	for _, sess := range full {
		sess.waitRoom()
	}
}

// encode appends one event to scratch. emitMu is held.
func (s *Server) encode(ev *Event) Class {
	class := ev.Class
	if class == 0 {
		class = classOf(ev.Name)
	}
	b := s.preamble(s.scratch.b, ev.Name, class)
	for _, h := range ev.Headers {
		b = appendHeader(b, h.Name, h.Value)
	}
	b = append(b, ev.raw...)
	s.finish(b, class)
	for range ev.Blanks {
		s.scratch.b = append(s.scratch.b, '\r', '\n')
	}
	s.scratch.marks[len(s.scratch.marks)-1].end = len(s.scratch.b)
	return class
}

// preamble starts an event as __ast_manager_event_multichan does.
func (s *Server) preamble(b []byte, name string, class Class) []byte {
	b = appendHeader(b, "Event", name)
	b = appendHeader(b, "Privilege", privilege(class))
	if s.cfg.settings.Timestamps {
		now := time.Now()
		b = append(b, "Timestamp: "...)
		b = appendSeconds(b, now)
		b = append(b, '\r', '\n')
	}
	return b
}

// finish numbers and ends the event whose text so far is b.
func (s *Server) finish(b []byte, class Class) {
	s.lastNum++
	m := mark{class: class, kind: markEvent}
	if s.cfg.numbered {
		m.num = s.lastNum
		b = append(b, "Num: "...)
		b = strconv.AppendUint(b, s.lastNum, 10)
		b = append(b, '\r', '\n')
	}
	b = append(b, '\r', '\n')
	m.end = len(b)
	s.scratch.b = b
	s.scratch.marks = append(s.scratch.marks, m)
}

// appendSeconds appends a time as seconds with six decimals.
func appendSeconds(b []byte, t time.Time) []byte {
	us := t.UnixMicro()
	b = strconv.AppendInt(b, us/1e6, 10)
	frac := us % 1e6
	b = append(b, '.')
	for div := int64(1e5); div > 0; div /= 10 {
		b = append(b, byte('0'+frac/div%10))
	}
	return b
}

// privilege is Class.String without an allocation for the usual single classes.
func privilege(c Class) string {
	switch c {
	case classCall:
		return "call,all"
	case classDialplan:
		return "dialplan,all"
	case classAgent:
		return "agent,all"
	case classSystem:
		return "system,all"
	case classUser:
		return "user,all"
	}
	return c.String()
}

// classOf returns the class that Asterisk gives events of that name; call is by
// far the most common and stands for the unknown ones.
func classOf(name string) Class {
	if c, ok := eventClasses()[name]; ok {
		return c
	}
	return classCall
}

// eventClasses has the events whose class is not call (the manager_event calls
// and manager_*.c of Asterisk 22).
var eventClasses = sync.OnceValue(func() map[string]Class {
	return map[string]Class{
		"AGIExecEnd": classAGI, "AGIExecStart": classAGI,
		"AsyncAGIStart": classAGI, "AsyncAGIExec": classAGI, "AsyncAGIEnd": classAGI,
		"AgentCalled": classAgent, "AgentComplete": classAgent, "AgentConnect": classAgent,
		"AgentDump": classAgent, "AgentLogin": classAgent, "AgentLogoff": classAgent,
		"AgentRingNoAnswer": classAgent,
		"QueueMemberAdded":  classAgent, "QueueMemberPause": classAgent, "QueueMemberPenalty": classAgent,
		"QueueMemberRemoved": classAgent, "QueueMemberRinginuse": classAgent, "QueueMemberStatus": classAgent,
		"QueueCallerAbandon": classAgent, "QueueCallerJoin": classAgent, "QueueCallerLeave": classAgent,
		"AOC-D": classAOC, "AOC-E": classAOC, "AOC-S": classAOC,
		"Cdr": classCDR, "CEL": classCDR,
		"DTMFBegin": classDTMF, "DTMFEnd": classDTMF,
		"Newexten": classDialplan, "VarSet": classDialplan,
		"FullyBooted": classSystem, "Shutdown": classSystem, "Reload": classSystem,
		"Load": classSystem, "Unload": classSystem, "LogChannel": classSystem,
		"PeerStatus": classSystem, "Registry": classSystem, "ContactStatus": classSystem,
		"Alarm": classSystem, "AlarmClear": classSystem,
		"RTCPReceived": classReporting, "RTCPSent": classReporting,
		"UserEvent":               classUser,
		"TestEvent":               classTest,
		"ChallengeResponseFailed": classSecurity, "ChallengeSent": classSecurity,
		"FailedACL": classSecurity, "InvalidAccountID": classSecurity, "InvalidPassword": classSecurity,
		"RequestBadFormat": classSecurity, "RequestNotAllowed": classSecurity,
		"RequestNotSupported": classSecurity, "SessionLimit": classSecurity,
		"SuccessfulAuth": classSecurity, "UnexpectedAddress": classSecurity,
	}
})
