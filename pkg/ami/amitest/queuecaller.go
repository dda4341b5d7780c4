package amitest

import (
	"slices"
	"strconv"
	"time"
)

// queueCaller waits in a queue.
type queueCaller struct {
	channel *Channel
	joined  time.Time
}

// JoinQueue puts a channel at the end of a queue, if there is one of that name.
func (s *Server) JoinQueue(queue, channel string) {
	s.act(func(st *State, evs *[]Event) { st.joinQueue(queue, channel, evs) })
}

func (st *State) joinQueue(queue, channel string, evs *[]Event) {
	q, c := st.queue(queue), st.channel(channel)
	if q == nil || c == nil || slices.ContainsFunc(st.queues, func(o *Queue) bool { return o.position(c) > 0 }) {
		return
	}
	st.leave(c, evs)
	q.callers = append(q.callers, queueCaller{c, time.Now()})
	n := strconv.Itoa(len(q.callers))
	*evs = append(*evs, Event{Name: "QueueCallerJoin", Headers: append(c.snapshot(""),
		Header{"Queue", q.Name}, Header{"Position", n}, Header{"Count", n})})
}

// position is from 1; 0 for a channel that does not wait.
func (q *Queue) position(c *Channel) int {
	return 1 + slices.IndexFunc(q.callers, func(o queueCaller) bool { return o.channel == c })
}

// LeaveQueue takes a channel out of a queue. A caller that gives up abandons the queue.
func (s *Server) LeaveQueue(queue, channel string, giveUp bool) {
	s.act(func(st *State, evs *[]Event) { st.leaveQueue(queue, channel, giveUp, evs) })
}

func (st *State) leaveQueue(queue, channel string, giveUp bool, evs *[]Event) {
	if q, c := st.queue(queue), st.channel(channel); q != nil && c != nil {
		st.unqueue(q, c, giveUp, evs)
	}
}

func (st *State) unqueue(q *Queue, c *Channel, giveUp bool, evs *[]Event) {
	at := q.position(c)
	if at == 0 {
		return
	}
	hold := seconds(q.callers[at-1].joined)
	wait := strconv.Itoa(hold)
	where := strconv.Itoa(at)
	if giveUp {
		q.abandoned++
		if hold <= q.ServiceLevel {
			q.abandonedInSL++
		}
		*evs = append(*evs, Event{Name: "QueueCallerAbandon", Headers: append(c.snapshot(""),
			Header{"Queue", q.Name}, Header{"Position", where}, Header{"OriginalPosition", where}, Header{"HoldTime", wait})})
	}
	q.callers = slices.Delete(q.callers, at-1, at)
	*evs = append(*evs, Event{Name: "QueueCallerLeave", Headers: append(c.snapshot(""),
		Header{"Queue", q.Name}, Header{"Position", where}, Header{"Count", strconv.Itoa(len(q.callers))})})
}

// ConnectQueue lets a member's channel, which Dial rang for the caller, take the caller of a queue.
func (s *Server) ConnectQueue(queue, channel, member, agent string) {
	s.act(func(st *State, evs *[]Event) { st.connectQueue(queue, channel, member, agent, evs) })
}

func (st *State) connectQueue(queue, channel, member, agent string, evs *[]Event) {
	q, c, a := st.queue(queue), st.channel(channel), st.channel(agent)
	if q == nil || c == nil || a == nil || q.position(c) == 0 {
		return
	}
	hold := seconds(q.callers[q.position(c)-1].joined)
	st.up(a, evs)
	a.dialer = ""
	*evs = append(*evs, dialEvent("DialEnd", c, a, "DialStatus", "ANSWER"))
	st.unqueue(q, c, false, evs)
	*evs = append(*evs, Event{Name: "AgentConnect", Headers: slices.Concat(c.snapshot(""), a.snapshot("Dest"), pairs([]string{
		"Queue", q.Name, "Interface", member, "MemberName", member, "HoldTime", strconv.Itoa(hold), "RingTime", "0",
	}))})
	b := st.newBridge(bridge{kind: "basic", technology: "simple_bridge"}, evs)
	st.enter(b, a, evs)
	st.up(c, evs)
	st.enter(b, c, evs)
	q.talks = append(q.talks, queueTalk{caller: c, agent: a, member: member, since: time.Now(), hold: hold})
}

// A queueTalk is a caller with the member who took the call.
type queueTalk struct {
	caller, agent *Channel
	member        string
	since         time.Time
	hold          int // seconds
}

// seconds counts whole ones, as time(NULL) does.
func seconds(since time.Time) int { return int(time.Now().Unix() - since.Unix()) }

// complete ends the talks of a queue that a channel is in (app_queue.c, handle_hangup): that is when a queue counts a call.
func (st *State) complete(q *Queue, c *Channel, evs *[]Event) {
	q.talks = slices.DeleteFunc(q.talks, func(t queueTalk) bool {
		var reason string
		switch c {
		case t.caller:
			reason = "caller"
		case t.agent:
			reason = "agent"
		default:
			return false
		}
		q.completed++
		if t.hold <= q.ServiceLevel {
			q.completedInSL++
		}
		*evs = append(*evs, Event{Name: "AgentComplete", Headers: slices.Concat(t.caller.snapshot(""), t.agent.snapshot("Dest"), pairs([]string{
			"Queue", q.Name, "Interface", t.member, "MemberName", t.member, "HoldTime", strconv.Itoa(t.hold),
			"TalkTime", strconv.Itoa(seconds(t.since)), "Reason", reason,
		}))})
		if i := q.member(t.member); i >= 0 {
			q.Members[i].taken++
			q.Members[i].last = time.Now().Unix()
			*evs = append(*evs, memberEvent("QueueMemberStatus", q.Name, &q.Members[i], st.version))
		}
		return true
	})
}

// SetMember changes a queue's member: its device's state and whether it is paused.
func (s *Server) SetMember(queue, member string, status int, paused bool, reason string) {
	s.act(func(st *State, evs *[]Event) {
		q := st.queue(queue)
		if q == nil {
			return
		}
		i := q.member(member)
		if i < 0 {
			return
		}
		m := &q.Members[i]
		if m.Status != status {
			m.Status = status
			*evs = append(*evs, memberEvent("QueueMemberStatus", q.Name, m, s.cfg.version))
		}
		if m.Paused != paused {
			m.Paused, m.PausedReason, m.paused = paused, reason, time.Now().Unix()
			*evs = append(*evs, memberEvent("QueueMemberPause", q.Name, m, s.cfg.version))
		}
	})
}

// entry is what QueueStatus says of a caller (manager_queues_status).
func (q *Queue) entry(i int) []Header {
	c := q.callers[i].channel
	return []Header{
		{"Queue", q.Name},
		{"Position", strconv.Itoa(i + 1)},
		{"Channel", c.Name},
		{"Uniqueid", c.Uniqueid},
		{"CallerIDNum", orElse(c.CallerIDNum, unknown)},
		{"CallerIDName", orElse(c.CallerIDName, unknown)},
		{"ConnectedLineNum", orElse(c.ConnectedLineNum, unknown)},
		{"ConnectedLineName", orElse(c.ConnectedLineName, unknown)},
		{"Wait", strconv.Itoa(seconds(q.callers[i].joined))},
		{"Priority", "0"},
	}
}
