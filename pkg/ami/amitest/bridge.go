package amitest

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// bridge is one bridge; who is in it is said by its channels.
type bridge struct {
	id, kind, technology, creator, name string
}

// snapshot is the block of bridge headers (ast_manager_build_bridge_state_string); mu is held.
func (b *bridge) snapshot(st *State) []Header {
	return []Header{
		{"BridgeUniqueid", b.id},
		{"BridgeType", b.kind},
		{"BridgeTechnology", b.technology},
		{"BridgeCreator", orElse(b.creator, unknown)},
		{"BridgeName", orElse(b.name, unknown)},
		{"BridgeNumChannels", strconv.Itoa(len(st.within[b.id]))},
		{"BridgeVideoSourceMode", "none"},
	}
}

// join and part keep who is in which bridge; mu is held.
func (st *State) join(id string, c *Channel) {
	c.bridge = id
	st.within[id] = append(st.within[id], c)
}

func (st *State) part(c *Channel) {
	if c.bridge == "" {
		return
	}
	in := slices.DeleteFunc(st.within[c.bridge], func(o *Channel) bool { return o == c })
	if st.within[c.bridge] = in; len(in) == 0 {
		delete(st.within, c.bridge)
	}
	c.bridge = ""
}

func (st *State) bridge(id string) *bridge {
	if i := slices.IndexFunc(st.bridges, func(b *bridge) bool { return b.id == id }); i >= 0 {
		return st.bridges[i]
	}
	return nil
}

// newBridge makes a bridge and tells of it; mu is held.
func (st *State) newBridge(b bridge, evs *[]Event) *bridge {
	st.lastBridge++
	b.id = fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(time.Now().Unix()), st.lastBridge)
	st.bridges = append(st.bridges, &b)
	*evs = append(*evs, Event{Name: "BridgeCreate", Headers: b.snapshot(st)})
	return &b
}

// enter puts a channel into a bridge. Those in a basic one get the oldest Linkedid of them
// (ast_bridge_channel_update_linkedids), of which only the newcomer's event tells; mu is held.
func (st *State) enter(b *bridge, c *Channel, evs *[]Event) {
	st.leave(c, evs)
	st.takeOut(c)
	in := slices.Clone(st.within[b.id])
	if b.kind == "basic" {
		oldest := c.Linkedid
		for _, o := range in {
			if older(o.Linkedid, oldest) {
				oldest = o.Linkedid
			}
		}
		c.Linkedid = oldest
		for _, o := range in {
			o.Linkedid = oldest
		}
	}
	st.join(b.id, c)
	*evs = append(*evs, Event{Name: "BridgeEnter", Headers: append(b.snapshot(st), c.snapshot("")...)})
}

// takeOut takes a channel out of the queue in which it waits, as a masquerade does: without an event [live]. mu is held.
func (st *State) takeOut(c *Channel) {
	for _, q := range st.queues {
		if at := q.position(c); at > 0 {
			q.callers = slices.Delete(q.callers, at-1, at)
		}
	}
}

// older compares unique IDs: SECONDS.NUMBER.
func older(a, b string) bool {
	var as, an, bs, bn int64
	_, _ = fmt.Sscanf(a, "%d.%d", &as, &an)
	_, _ = fmt.Sscanf(b, "%d.%d", &bs, &bn)
	return as < bs || as == bs && an < bn
}

// leave takes a channel out of its bridge, which goes with the last one; mu is held.
func (st *State) leave(c *Channel, evs *[]Event) {
	b := st.bridge(c.bridge)
	if b == nil {
		return
	}
	if b.creator == creatorConference {
		*evs = append(*evs, Event{Name: "ConfbridgeLeave", Headers: slices.Concat(
			[]Header{{"Conference", b.name}}, b.snapshot(st), c.snapshot(""), []Header{{"Admin", "No"}})})
	}
	st.part(c)
	*evs = append(*evs, Event{Name: "BridgeLeave", Headers: append(b.snapshot(st), c.snapshot("")...)})
	if len(st.within[b.id]) > 0 {
		return
	}
	if b.creator == creatorConference {
		*evs = append(*evs, Event{Name: "ConfbridgeEnd", Headers: append([]Header{{"Conference", b.name}}, b.snapshot(st)...)})
	}
	st.bridges = slices.DeleteFunc(st.bridges, func(o *bridge) bool { return o == b })
	*evs = append(*evs, Event{Name: "BridgeDestroy", Headers: b.snapshot(st)})
}

// act changes the state and tells what came of it, in one step.
func (s *Server) act(f func(st *State, evs *[]Event)) {
	var evs []Event
	s.sceneMu.Lock() // events are emitted in the order of the changes
	defer s.sceneMu.Unlock()
	s.state.mu.Lock()
	f(&s.state, &evs)
	s.state.mu.Unlock()
	if len(evs) > 0 {
		s.emit(evs)
	}
}

// Bridge puts channels, by name or unique ID, into a new bridge and returns its ID; it passes over those that are not
// there, and makes none if that is all. A channel leaves the bridge that it is in.
func (s *Server) Bridge(channels ...string) (id string) {
	s.act(func(st *State, evs *[]Event) {
		var b *bridge
		for _, name := range channels {
			c := st.channel(name)
			if c == nil {
				continue
			}
			if b == nil {
				b = st.newBridge(bridge{kind: "basic", technology: "simple_bridge"}, evs)
				id = b.id
			}
			st.enter(b, c, evs)
		}
	})
	return id
}

// Unbridge takes a channel out of its bridge.
func (s *Server) Unbridge(channel string) {
	s.act(func(st *State, evs *[]Event) {
		if c := st.channel(channel); c != nil {
			st.leave(c, evs)
		}
	})
}

const creatorConference = "ConfBridge"

// JoinConference puts a channel into a room of ConfBridge, which is there for as long as somebody is.
func (s *Server) JoinConference(room, channel string) {
	s.act(func(st *State, evs *[]Event) {
		c := st.channel(channel)
		if c == nil {
			return
		}
		var b *bridge
		for _, o := range st.bridges {
			if o.creator == creatorConference && o.name == room {
				b = o
			}
		}
		if b != nil && c.bridge == b.id {
			return
		}
		if b == nil {
			b = st.newBridge(bridge{kind: "base", technology: "softmix", creator: creatorConference, name: room}, evs)
			*evs = append(*evs, Event{Name: "ConfbridgeStart", Headers: append([]Header{{"Conference", room}}, b.snapshot(st)...)})
		}
		st.enter(b, c, evs)
		*evs = append(*evs, Event{Name: "ConfbridgeJoin", Headers: slices.Concat(
			[]Header{{"Conference", room}}, b.snapshot(st), c.snapshot(""), []Header{{"Admin", "No"}, {"Muted", "No"}})})
	})
}

func bridgeList(_ *Request, w *ResponseWriter) {
	st := &w.sess.srv.state
	st.mu.Lock()
	var items [][]Header
	for _, b := range st.bridges {
		items = append(items, b.snapshot(st))
	}
	st.mu.Unlock()
	w.ListStart("Bridge listing will follow")
	for _, hs := range items {
		w.ItemFields("BridgeListItem", hs)
	}
	w.ListEnd("BridgeListComplete")
}

// rooms returns the conferences' bridges and how many are in each.
func (st *State) rooms() (bs []bridge, parties []int) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, b := range st.bridges {
		if b.creator == creatorConference {
			bs, parties = append(bs, *b), append(parties, len(st.within[b.id]))
		}
	}
	return bs, parties
}

func confbridgeListRooms(_ *Request, w *ResponseWriter) {
	bs, parties := w.sess.srv.state.rooms()
	if len(bs) == 0 {
		w.Error("No active conferences.")
		return
	}
	w.ListStart("Confbridge conferences will follow")
	for i, b := range bs {
		w.Item("ConfbridgeListRooms", "Conference", b.name, "Parties", strconv.Itoa(parties[i]),
			"Marked", "0", "Locked", "No", "Muted", "No")
	}
	w.ListEnd("ConfbridgeListRoomsComplete")
}
