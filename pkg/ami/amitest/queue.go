package amitest

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/manager"
)

// queueActions are those of app_queue.
var queueActions = []action{
	{name: "QueueStatus", run: queueStatus},
	{name: "QueueSummary", run: queueSummary},
	{name: "QueueAdd", run: queueAdd},
	{name: "QueueRemove", run: queueRemove},
	{name: "QueuePause", run: queuePause},
	{name: "QueuePenalty", run: queuePenalty},
	{name: "QueueReset", run: queueReset},
	{name: "QueueReload", run: func(_ *Request, w *ResponseWriter) { w.Ack("Queue reloaded successfully") }},
	{name: "QueueRule", run: queueRule},
	{name: "QueueLog", run: queueLog},
	{name: "Queues", run: queuesText, class: ClassNone, until: 14},
}

// selected returns copies of the queues of that name, or all; mu is not held.
func (st *State) selected(name string) []Queue {
	st.mu.Lock()
	defer st.mu.Unlock()
	var qs []Queue
	for _, q := range st.queues {
		if name == "" || strings.EqualFold(name, q.Name) {
			c := *q
			c.Members = slices.Clone(q.Members)
			c.callers = make([]queueCaller, len(q.callers))
			for i, o := range q.callers {
				who := *o.channel
				c.callers[i] = queueCaller{&who, o.joined}
			}
			qs = append(qs, c)
		}
	}
	return qs
}

func queueStatus(r *Request, w *ResponseWriter) {
	w.ListStart("Queue status will follow")
	for _, q := range w.sess.srv.state.selected(r.Get("Queue")) {
		w.itemTail("QueueParams", pairs([]string{
			"Queue", q.Name, "Max", "0", "Strategy", q.Strategy, "Calls", strconv.Itoa(len(q.callers)), "Holdtime", "0", "TalkTime", "0",
			"Completed", strconv.Itoa(q.completed), "Abandoned", strconv.Itoa(q.abandoned), "ServiceLevel", strconv.Itoa(q.ServiceLevel),
			"ServicelevelPerf", q.serviceLevel(), "ServicelevelPerf2", q.serviceLevel2(), "Weight", "0",
		}))
		for _, m := range q.Members {
			if want := r.Get("Member"); want != "" && want != m.Interface {
				continue
			}
			w.itemTail("QueueMember", m.fields(q.Name, w.sess.srv.cfg.version))
		}
		for i := range q.callers {
			w.itemTail("QueueEntry", q.entry(i))
		}
	}
	w.ListEnd("QueueStatusComplete")
}

func (q *Queue) serviceLevel() string { return percent(q.completedInSL, q.completed) }

func (q *Queue) serviceLevel2() string {
	return percent(q.completedInSL+q.abandonedInSL, q.completed+q.abandoned)
}

// percent is how QueueStatus writes a service level.
func percent(n, of int) string {
	if of == 0 {
		return "0.0"
	}
	return strconv.FormatFloat(100*float64(n)/float64(of), 'f', 1, 64)
}

func (m *QueueMember) fields(queue string, v Version) []Header {
	membership := "dynamic"
	if m.Static {
		membership = "static"
	}
	hs := []Header{
		{"Queue", queue},
		{"Name", m.Name},
		{"Location", m.Interface},
		{"StateInterface", m.StateInterface},
		{"Membership", membership},
		{"Penalty", strconv.Itoa(m.Penalty)},
		{"CallsTaken", strconv.Itoa(m.taken)},
		{"LastCall", strconv.FormatInt(m.last, 10)},
		{"LastPause", strconv.FormatInt(m.paused, 10)},
	}
	if v.Major >= 16 {
		hs = append(hs, Header{"LoginTime", strconv.FormatInt(m.login, 10)})
	}
	return append(hs,
		Header{"InCall", "0"},
		Header{"Status", strconv.Itoa(m.Status)},
		Header{"Paused", bit(m.Paused)},
		Header{"PausedReason", m.PausedReason},
		Header{"Wrapuptime", "0"})
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func queueSummary(r *Request, w *ResponseWriter) {
	w.ListStart("Queue summary will follow")
	for _, q := range w.sess.srv.state.selected(r.Get("Queue")) {
		available, longest := 0, 0
		for _, m := range q.Members {
			if !m.Paused && m.Status == 1 {
				available++
			}
		}
		for _, c := range q.callers {
			longest = max(longest, seconds(c.joined))
		}
		w.itemTail("QueueSummary", pairs([]string{
			"Queue", q.Name, "LoggedIn", strconv.Itoa(len(q.Members)), "Available", strconv.Itoa(available),
			"Callers", strconv.Itoa(len(q.callers)), "HoldTime", "0", "TalkTime", "0", "LongestHoldTime", strconv.Itoa(longest),
		}))
	}
	w.ListEnd("QueueSummaryComplete")
}

// queueReset starts the counters anew (app_queue.c, clear_queue), of a queue or of all.
func queueReset(r *Request, w *ResponseWriter) {
	w.sess.srv.act(func(st *State, _ *[]Event) {
		for _, q := range st.queues {
			if name := r.Get("Queue"); name != "" && !strings.EqualFold(name, q.Name) {
				continue
			}
			q.completed, q.completedInSL, q.abandoned, q.abandonedInSL = 0, 0, 0, 0
			for i := range q.Members {
				q.Members[i].taken, q.Members[i].last = 0, 0
			}
		}
	})
	w.Ack("Queue stats reset successfully")
}

// member returns the member of q with that interface; mu is held.
func (q *Queue) member(iface string) int {
	return slices.IndexFunc(q.Members, func(m QueueMember) bool { return m.Interface == iface })
}

func queueAdd(r *Request, w *ResponseWriter) {
	queue, iface := r.Get("Queue"), r.Get("Interface")
	switch {
	case queue == "":
		w.Error("'Queue' not specified.")
		return
	case iface == "":
		w.Error("'Interface' not specified.")
		return
	}
	s := w.sess.srv
	penalty, _ := leadingInt(r.Get("Penalty"))
	m := QueueMember{
		Interface: iface, Name: r.Get("MemberName"), StateInterface: r.Get("StateInterface"),
		Penalty: max(0, penalty), Paused: manager.True(r.Get("Paused")), PausedReason: r.Get("Reason"), Status: memberInvalid,
	}
	m.complete()
	s.state.mu.Lock()
	q := s.state.queue(queue)
	there := q != nil && q.member(iface) >= 0
	if q != nil && !there {
		q.Members = append(q.Members, m)
	}
	s.state.mu.Unlock()
	switch {
	case q == nil:
		w.Error("Unable to add interface to queue: No such queue")
	case there:
		w.Error("Unable to add interface: Already there")
	default:
		s.memberEvent("QueueMemberAdded", q.Name, &m)
		w.Ack("Added interface to queue")
	}
}

// memberInvalid is the device state of an interface that nothing is known of.
const memberInvalid = 4

func (s *Server) memberEvent(name, queue string, m *QueueMember, extra ...string) {
	s.emit([]Event{memberEvent(name, queue, m, s.cfg.version, extra...)})
}

func memberEvent(name, queue string, m *QueueMember, v Version, extra ...string) Event {
	hs := m.fields(queue, v)
	hs[1].Name, hs[2].Name = "MemberName", "Interface"
	hs = slices.Insert(hs, len(hs)-1, Header{"Ringinuse", "1"})
	return Event{Name: name, Class: classAgent, Headers: append(hs, pairs(extra)...)}
}

func queueRemove(r *Request, w *ResponseWriter) {
	queue, iface := r.Get("Queue"), r.Get("Interface")
	if queue == "" || iface == "" {
		w.Error("Need 'Queue' and 'Interface' parameters.")
		return
	}
	s := w.sess.srv
	s.state.mu.Lock()
	q := s.state.queue(queue)
	var m QueueMember
	at := -1
	if q != nil {
		if at = q.member(iface); at >= 0 {
			m = q.Members[at]
			q.Members = slices.Delete(q.Members, at, at+1)
		}
	}
	s.state.mu.Unlock()
	switch {
	case q == nil:
		w.Error("Unable to remove interface from queue: No such queue")
	case at < 0:
		w.Error("Unable to remove interface: Not there")
	default:
		s.memberEvent("QueueMemberRemoved", q.Name, &m)
		w.Ack("Removed interface from queue")
	}
}

// change applies f to the members with that interface in one queue or in all and
// returns copies of what it changed, by queue.
func (st *State) change(queue, iface string, f func(*QueueMember)) map[string]QueueMember {
	st.mu.Lock()
	defer st.mu.Unlock()
	changed := make(map[string]QueueMember)
	for _, q := range st.queues {
		if queue != "" && !strings.EqualFold(queue, q.Name) {
			continue
		}
		if i := q.member(iface); i >= 0 {
			f(&q.Members[i])
			changed[q.Name] = q.Members[i]
		}
	}
	return changed
}

func queuePause(r *Request, w *ResponseWriter) {
	iface, paused := r.Get("Interface"), r.Get("Paused")
	if iface == "" || paused == "" {
		w.Error("Need 'Interface' and 'Paused' parameters.")
		return
	}
	on := manager.True(paused)
	s := w.sess.srv
	changed := s.state.change(r.Get("Queue"), iface, func(m *QueueMember) {
		m.Paused, m.PausedReason = on, r.Get("Reason")
		if on {
			m.paused = time.Now().Unix()
		}
	})
	if len(changed) == 0 {
		w.Error("Interface not found")
		return
	}
	for queue, m := range changed {
		var extra []string
		if s.cfg.version.Major < 18 && m.PausedReason != "" {
			extra = []string{"Reason", m.PausedReason}
		}
		s.memberEvent("QueueMemberPause", queue, &m, extra...)
	}
	if on {
		w.Ack("Interface paused successfully")
	} else {
		w.Ack("Interface unpaused successfully")
	}
}

func queuePenalty(r *Request, w *ResponseWriter) {
	iface, value := r.Get("Interface"), r.Get("Penalty")
	if iface == "" || value == "" {
		w.Error("Need 'Interface' and 'Penalty' parameters.")
		return
	}
	penalty, _ := leadingInt(value)
	s := w.sess.srv
	changed := s.state.change(r.Get("Queue"), iface, func(m *QueueMember) { m.Penalty = penalty })
	if len(changed) == 0 {
		w.Error("Invalid interface, queuename or penalty")
		return
	}
	for queue, m := range changed {
		s.memberEvent("QueueMemberPenalty", queue, &m)
	}
	w.Ack("Interface penalty set successfully")
}

func queueRule(_ *Request, w *ResponseWriter) {
	w.head("Success")
	w.sess.batch.b = append(w.sess.batch.b, '\r', '\n')
	w.sess.batch.close(markReply)
	w.blank()
}

func queueLog(r *Request, w *ResponseWriter) {
	if r.Get("Queue") == "" || r.Get("Event") == "" {
		w.Error("Need 'Queue' and 'Event' parameters.")
		return
	}
	w.Ack("Event added successfully")
}

// queuesText answers in plain text, without a Response header or an ActionID, as
// Queues did before 15.
func queuesText(r *Request, w *ResponseWriter) {
	var b strings.Builder
	qs := w.sess.srv.state.selected(r.Get("Queue"))
	if len(qs) == 0 {
		b.WriteString("No queues.\r\n")
	}
	for _, q := range qs {
		b.WriteString(q.figures() + " within " + strconv.Itoa(q.ServiceLevel) + "s\r\n")
		if len(q.Members) == 0 {
			b.WriteString("   No Members\r\n")
		} else {
			b.WriteString("   Members: \r\n")
		}
		for _, m := range q.Members {
			b.WriteString("      " + m.Name + " (" + m.Interface + ") (ringinuse enabled) (Not in use) has taken " + m.work() + "\r\n")
		}
		q.showCallers(&b, "\r\n")
	}
	w.Raw(b.String() + "\r\n")
}
