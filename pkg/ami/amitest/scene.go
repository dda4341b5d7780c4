package amitest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Dial begins a channel and returns it as it is then. With a caller, a name or unique ID, it is a call to c.Name's
// endpoint that rings; without one it is a call that comes in. Name is TECHNOLOGY/ENDPOINT; what makes it unique is
// added. It returns the zero Channel if the caller is gone.
func (s *Server) Dial(caller string, c Channel) (made Channel) {
	s.act(func(st *State, evs *[]Event) {
		if n := st.dial(caller, c, evs); n != nil {
			made = *n
		}
	})
	return made
}

func (st *State) dial(caller string, c Channel, evs *[]Event) *Channel {
	var from *Channel
	if caller != "" {
		if from = st.channel(caller); from == nil {
			return nil
		}
		c.Linkedid = from.Linkedid
		c.ConnectedLineNum, c.ConnectedLineName = from.CallerIDNum, from.CallerIDName
	}
	c.Name += fmt.Sprintf("-%08x", st.lastChan)
	c.State = 4
	if from != nil {
		c.State = 0
	}
	n := st.add(c)
	st.calls++
	*evs = append(*evs, Event{Name: "Newchannel", Headers: n.snapshot("")})
	if from != nil {
		*evs = append(*evs, dialEvent("DialBegin", from, n, "DialString", endpointOf(n.Name)))
		n.State = 5
		*evs = append(*evs, Event{Name: "Newstate", Headers: n.snapshot("")},
			dialEvent("DialState", from, n, "DialStatus", "RINGING"))
		n.dialer = from.Uniqueid
	}
	return n
}

func endpointOf(name string) string {
	if at := strings.LastIndexByte(name, '-'); at > 0 {
		return name[:at]
	}
	return name
}

func dialEvent(name string, from, to *Channel, extra ...string) Event {
	var hs []Header
	if from != nil {
		hs = from.snapshot("")
	}
	return Event{Name: name, Headers: slices.Concat(hs, to.snapshot("Dest"), pairs(extra))}
}

// Answer makes a channel go up. Of one that Dial rang, the caller goes up too and both are bridged.
func (s *Server) Answer(channel string) {
	s.act(func(st *State, evs *[]Event) { st.answer(channel, evs) })
}

func (st *State) answer(channel string, evs *[]Event) {
	c := st.channel(channel)
	if c == nil {
		return
	}
	st.up(c, evs)
	if c.dialer == "" {
		return
	}
	from := st.channel(c.dialer)
	c.dialer = ""
	*evs = append(*evs, dialEvent("DialEnd", from, c, "DialStatus", "ANSWER"))
	if from == nil {
		return
	}
	st.up(from, evs)
	b := st.newBridge(bridge{kind: "basic", technology: "simple_bridge"}, evs)
	st.enter(b, c, evs)
	st.enter(b, from, evs)
}

func (st *State) up(c *Channel, evs *[]Event) {
	if c.State != 6 {
		c.State = 6
		*evs = append(*evs, Event{Name: "Newstate", Headers: c.snapshot("")})
	}
}

// Hold puts a channel on hold, or takes it off.
func (s *Server) Hold(channel string, on bool) {
	s.act(func(st *State, evs *[]Event) { st.hold(channel, on, evs) })
}

func (st *State) hold(channel string, on bool, evs *[]Event) {
	c := st.channel(channel)
	switch {
	case c == nil || c.held == on:
	case on:
		c.held = true
		*evs = append(*evs, Event{Name: "Hold", Headers: append(c.snapshot(""), Header{"MusicClass", "default"})})
	default:
		c.held = false
		*evs = append(*evs, Event{Name: "Unhold", Headers: c.snapshot("")})
	}
}

// Execute lets a channel run an application at an extension.
func (s *Server) Execute(channel, exten, app, data string) {
	s.act(func(st *State, evs *[]Event) { st.execute(channel, exten, app, data, evs) })
}

func (st *State) execute(channel, exten, app, data string, evs *[]Event) {
	c := st.channel(channel)
	if c == nil {
		return
	}
	st.takeOut(c)
	c.Exten, c.Application, c.Data = exten, app, data
	c.Priority++
	*evs = append(*evs, Event{Name: "Newexten", Headers: append(c.snapshot(""),
		Header{"Extension", exten}, Header{"Application", app}, Header{"AppData", data})})
}

// Rename gives a channel another name, as a masquerade does.
func (s *Server) Rename(channel, name string) {
	s.act(func(st *State, evs *[]Event) {
		if c := st.channel(channel); c != nil {
			*evs = append(*evs, NewEvent("Rename", "Channel", c.Name, "Newname", name, "Uniqueid", c.Uniqueid))
			c.Name = name
		}
	})
}

// BlindTransfer sends whom the transferer talks to on to an extension, and hangs the transferer up.
func (s *Server) BlindTransfer(transferer, exten string) {
	s.act(func(st *State, evs *[]Event) { st.blindTransfer(transferer, exten, evs) })
}

func (st *State) blindTransfer(transferer, exten string, evs *[]Event) {
	c := st.channel(transferer)
	if c == nil || c.bridge == "" {
		return
	}
	peers := st.within[c.bridge]
	i := slices.IndexFunc(peers, func(o *Channel) bool { return o != c })
	if i < 0 {
		return
	}
	peer, b := peers[i], st.bridge(c.bridge)
	*evs = append(*evs, Event{Name: "BlindTransfer", Headers: slices.Concat(
		[]Header{{"Result", "Success"}}, c.snapshot("Transferer"), peer.snapshot("Transferee"), b.snapshot(st),
		[]Header{{"IsExternal", "Yes"}, {"Context", orElse(peer.Context, "default")}, {"Extension", exten}})})
	st.leave(c, evs)
	st.leave(peer, evs)
	peer.Exten, peer.Priority = exten, 1
	peer.Application, peer.Data = "Wait", "3600"
	*evs = append(*evs, Event{Name: "Newexten", Headers: append(peer.snapshot(""),
		Header{"Extension", exten}, Header{"Application", "Wait"}, Header{"AppData", "3600"})})
	st.end(c, 16, evs)
}

// AttendedTransfer joins whom a transferer talks to on two channels of his, and hangs both up.
func (s *Server) AttendedTransfer(first, second string) {
	s.act(func(st *State, evs *[]Event) {
		a, b := st.channel(first), st.channel(second)
		if a == nil || b == nil || a == b || a.bridge == "" || b.bridge == "" || a.bridge == b.bridge {
			return
		}
		to := st.bridge(a.bridge)
		moved := slices.DeleteFunc(slices.Clone(st.within[b.bridge]), func(o *Channel) bool { return o == b })
		from := st.bridge(b.bridge)
		*evs = append(*evs, Event{Name: "AttendedTransfer", Headers: slices.Concat(
			[]Header{{"Result", "Success"}}, a.snapshot("OrigTransferer"), b.snapshot("SecondTransferer"),
			[]Header{{"IsExternal", "Yes"}, {"DestType", "Bridge"}, {"DestBridgeUniqueid", to.id}})})
		*evs = append(*evs, Event{Name: "BridgeMerge", Headers: slices.Concat(
			prefixed("To", to.snapshot(st)), prefixed("From", from.snapshot(st)))})
		for _, o := range moved {
			st.enter(to, o, evs)
		}
		st.end(b, 16, evs)
		st.end(a, 16, evs)
	})
}

func prefixed(prefix string, hs []Header) []Header {
	for i := range hs {
		hs[i].Name = prefix + hs[i].Name
	}
	return hs
}

// end hangs a channel up; mu is held.
func (st *State) end(c *Channel, cause int, evs *[]Event) {
	*evs = append(*evs, Event{Name: "HangupRequest", Headers: append(c.snapshot(""), Header{"Cause", strconv.Itoa(cause)})})
	st.vacate(c, evs)
	if st.remove(c) {
		close(c.hungup)
	}
	*evs = append(*evs, Event{Name: "Hangup", Headers: append(c.snapshot(""),
		Header{"Cause", strconv.Itoa(cause)}, Header{"Cause-txt", causeText(cause)})})
}

// vacate takes a channel that ends out of what it is in; mu is held.
func (st *State) vacate(c *Channel, evs *[]Event) {
	if c.dialer != "" {
		*evs = append(*evs, dialEvent("DialEnd", st.channel(c.dialer), c, "DialStatus", "CANCEL"))
		c.dialer = ""
	}
	st.leave(c, evs)
	st.unpark(c, "ParkedCallGiveUp", evs)
	for _, q := range st.queues {
		st.unqueue(q, c, true, evs)
		st.complete(q, c, evs)
	}
}
