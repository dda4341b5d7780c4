package amitest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// call is the life of one simulated call: it dials, rings, is answered or not,
// runs an application and is hung up. It runs on timers, holding no goroutine.
type call struct {
	srv     *Server
	order   order
	outcome string
	done    func(*Channel, string)
	// one and two are the ends: of a Local channel both, else only the first.
	one, two *Channel
}

// call starts a call; done is told once how the dialling ended.
func (s *Server) call(o order, done func(*Channel, string)) {
	c := &call{srv: s, order: o, outcome: s.state.route(&o), done: done}
	s.state.mu.Lock()
	s.state.calls++
	s.state.mu.Unlock()
	if c.outcome == outcomeMissing {
		done(nil, outcomeMissing)
		return
	}
	c.create()
	c.dial()
}

func (c *call) create() {
	st := &c.srv.state
	st.mu.Lock()
	defer st.mu.Unlock()
	st.active++
	o := &c.order
	base := Channel{
		CallerIDNum: o.cidNum, CallerIDName: o.cidName, ConnectedLineNum: o.cidNum, ConnectedLineName: o.cidName,
		AccountCode: o.account, Context: orElse(o.context, "default"), Exten: orElse(o.exten, "s"), Variables: o.vars,
		Application: "AppDial2", Data: "(Outgoing Line)", Uniqueid: o.id,
	}
	serial := fmt.Sprintf("-%08x", st.lastChan)
	if !strings.EqualFold(o.tech, "local") {
		name, _, _ := strings.Cut(o.dest, "/")
		base.Name = o.tech + "/" + name + serial
		c.one = st.add(base)
		return
	}
	dest := strings.TrimSuffix(o.dest, "/n")
	exten, context, _ := strings.Cut(dest, "@")
	base.Exten, base.Context = exten, orElse(context, "default")
	base.Name = "Local/" + exten + "@" + base.Context + serial + ";1"
	c.one = st.add(base)
	other := base
	other.Name = strings.TrimSuffix(base.Name, "1") + "2"
	other.Uniqueid, other.Linkedid, other.State = o.otherID, c.one.Linkedid, 4
	other.Application, other.Data = "", ""
	c.two = st.add(other)
	c.one.peer, c.two.peer = c.two.Name, c.one.Name
}

// each runs f for both ends.
func (c *call) each(f func(*Channel)) {
	f(c.one)
	if c.two != nil {
		f(c.two)
	}
}

// event queues an event about a channel for one emission.
func (c *call) event(evs []Event, name string, ch *Channel, extra ...string) []Event {
	c.srv.state.mu.Lock()
	defer c.srv.state.mu.Unlock()
	return append(evs, Event{Name: name, Headers: append(ch.snapshot(""), pairs(extra)...)})
}

func (c *call) dial() {
	var evs []Event
	c.each(func(ch *Channel) { evs = c.event(evs, "Newchannel", ch) })
	evs = c.event(evs, "Newexten", c.one, "Extension", c.one.Exten, "Application", "AppDial2", "AppData", "(Outgoing Line)")
	for _, v := range c.order.vars {
		evs = c.event(evs, "VarSet", c.one, "Variable", v.Name, "Value", escapeC(v.Value))
	}
	if c.order.cidNum != "" {
		c.each(func(ch *Channel) {
			evs = c.event(evs, "NewCallerid", ch, "CID-CallingPres", "0 (Presentation Allowed, Not Screened)")
			evs = c.event(evs, "NewConnectedLine", ch)
		})
	}
	if c.two != nil {
		evs = append(evs, c.localBridge())
	}
	evs = append(evs, c.dialEvent("DialBegin", "DialString", c.order.dest))
	c.srv.emit(evs)
	c.srv.after(0, c.ring)
}

// localBridge joins the two ends of a Local channel.
func (c *call) localBridge() Event {
	c.srv.state.mu.Lock()
	defer c.srv.state.mu.Unlock()
	hs := append(c.one.snapshot("LocalOne"), c.two.snapshot("LocalTwo")...)
	optimize := "Yes"
	if strings.HasSuffix(c.order.dest, "/n") {
		optimize = "No"
	}
	hs = append(hs, Header{"Context", c.two.Context}, Header{"Exten", c.two.Exten}, Header{"LocalOptimization", optimize})
	return Event{Name: "LocalBridge", Headers: hs}
}

func (c *call) dialEvent(name string, extra ...string) Event {
	c.srv.state.mu.Lock()
	defer c.srv.state.mu.Unlock()
	return Event{Name: name, Headers: append(c.one.snapshot("Dest"), pairs(extra)...)}
}

func (c *call) setState(ch *Channel, state int) {
	c.srv.state.mu.Lock()
	ch.State = state
	c.srv.state.mu.Unlock()
}

func (c *call) ring() {
	if !c.alive() {
		return
	}
	c.setState(c.one, 5)
	evs := c.event(nil, "Newstate", c.one)
	evs = append(evs, c.dialEvent("DialState", "DialStatus", "RINGING"))
	c.srv.emit(evs)
	if c.outcome == outcomeNoAnswer || c.srv.cfg.ring > c.order.timeout {
		c.outcome = outcomeNoAnswer
		c.srv.after(c.order.timeout, c.fail)
		return
	}
	next := c.answer
	if c.outcome != outcomeAnswer {
		next = c.fail
	}
	c.srv.after(c.srv.cfg.ring, next)
}

// alive says whether nobody hung the call up; if somebody did, the dialling has
// failed.
func (c *call) alive() bool {
	select {
	case <-c.one.hungup:
		c.finish(outcomeNoAnswer)
		return false
	default:
		return true
	}
}

func (c *call) finish(outcome string) {
	if c.done != nil {
		c.done(c.one, outcome)
		c.done = nil
	}
}

func (c *call) fail() {
	if !c.alive() {
		return
	}
	status, cause := "NOANSWER", 0
	switch c.outcome {
	case outcomeBusy:
		status, cause = "BUSY", 17
	case outcomeCongestion:
		status, cause = "CONGESTION", 34
	}
	c.srv.emit([]Event{c.dialEvent("DialEnd", "DialStatus", status)})
	c.srv.hangupChannel(c.one.Name, cause)
	c.finish(c.outcome)
}

func (c *call) answer() {
	if !c.alive() {
		return
	}
	app, data := c.order.app, c.order.data
	if app == "" {
		app, data = "Answer", ""
	}
	var evs []Event
	if c.two != nil {
		c.setState(c.two, 6)
		evs = c.event(evs, "Newstate", c.two)
	}
	c.setState(c.one, 6)
	evs = c.event(evs, "Newstate", c.one)
	evs = append(evs, c.dialEvent("DialEnd", "DialStatus", "ANSWER"))
	c.srv.emit(evs)
	c.finish(outcomeAnswer)

	st := &c.srv.state
	st.mu.Lock()
	c.one.Application, c.one.Data = app, data
	if c.two != nil {
		c.two.Application, c.two.Data, c.two.Priority = "Wait", "3600", 2
	}
	st.mu.Unlock()
	evs = c.event(nil, "Newexten", c.one, "Extension", c.one.Exten, "Application", app, "AppData", data)
	if c.two != nil {
		evs = c.event(evs, "Newexten", c.two, "Extension", c.two.Exten, "Application", "Wait", "AppData", "3600")
	}
	c.srv.emit(evs)
	talk := c.srv.cfg.talk
	if strings.EqualFold(app, "Wait") {
		if secs, err := strconv.ParseFloat(data, 64); err == nil {
			talk = time.Duration(secs * float64(time.Second))
		}
	}
	c.srv.after(talk, func() { c.srv.hangupChannel(c.one.Name, 16) })
}

// hangupChannel ends a channel and the other end of a Local one, with the events
// of both. It says whether there was such a channel.
func (s *Server) hangupChannel(name string, cause int) bool {
	s.sceneMu.Lock()
	defer s.sceneMu.Unlock()
	st := &s.state
	st.mu.Lock()
	c := st.channel(name)
	if c == nil {
		st.mu.Unlock()
		return false
	}
	ends := []*Channel{c}
	if c.peer != "" {
		if p := st.channel(c.peer); p != nil {
			ends = append(ends, p)
		}
	}
	var evs []Event
	for _, e := range ends {
		evs = append(evs, Event{Name: "HangupRequest", Headers: append(e.snapshot(""), Header{"Cause", strconv.Itoa(cause)})})
	}
	for _, e := range ends {
		st.vacate(e, &evs)
		if st.remove(e) {
			close(e.hungup)
		}
		evs = append(evs, Event{Name: "Hangup", Headers: append(e.snapshot(""),
			Header{"Cause", strconv.Itoa(cause)}, Header{"Cause-txt", causeText(cause)})})
	}
	st.active = max(0, st.active-1)
	st.mu.Unlock()
	s.emit(evs)
	return true
}

// causeText is ast_cause2str for the causes that the simulator uses.
func causeText(cause int) string {
	switch cause {
	case 1:
		return "Unallocated (unassigned) number"
	case 16:
		return "Normal Clearing"
	case 17:
		return "User busy"
	case 18:
		return "No user responding"
	case 19:
		return "User alerting, no answer"
	case 21:
		return "Call Rejected"
	case 34:
		return "Circuit/channel congestion"
	}
	return "Unknown"
}
