package amitest

import (
	"slices"
	"strconv"
	"time"
)

// parkedChannel waits in a parking lot.
type parkedChannel struct {
	channel *Channel
	space   int
	since   time.Time
}

const parkingTimeout = 45 // seconds

func (p *parkedChannel) fields() []Header {
	age := seconds(p.since)
	return slices.Concat(p.channel.snapshot("Parkee"), pairs([]string{
		"ParkerDialString", "", "Parkinglot", "default", "ParkingSpace", strconv.Itoa(p.space),
		"ParkingTimeout", strconv.Itoa(max(0, parkingTimeout-age)), "ParkingDuration", strconv.Itoa(age),
	}))
}

// Park puts a channel into the default parking lot and returns its space, 0 if there is no such channel.
func (s *Server) Park(channel string) (space int) {
	s.act(func(st *State, evs *[]Event) {
		c := st.channel(channel)
		if c == nil || slices.ContainsFunc(st.parked, func(p parkedChannel) bool { return p.channel == c }) {
			return
		}
		st.leave(c, evs)
		for space = 701; slices.ContainsFunc(st.parked, func(p parkedChannel) bool { return p.space == space }); {
			space++
		}
		p := parkedChannel{c, space, time.Now()}
		st.parked = append(st.parked, p)
		*evs = append(*evs, Event{Name: "ParkedCall", Headers: p.fields()})
	})
	return space
}

// Unpark takes a channel out of the parking lot, by timeout or because somebody fetched it.
func (s *Server) Unpark(channel string, timeout bool) {
	s.act(func(st *State, evs *[]Event) {
		name := "UnParkedCall"
		if timeout {
			name = "ParkedCallTimeOut"
		}
		if c := st.channel(channel); c != nil {
			st.unpark(c, name, evs)
		}
	})
}

func (st *State) unpark(c *Channel, event string, evs *[]Event) {
	i := slices.IndexFunc(st.parked, func(p parkedChannel) bool { return p.channel == c })
	if i < 0 {
		return
	}
	*evs = append(*evs, Event{Name: event, Headers: st.parked[i].fields()})
	st.parked = slices.Delete(st.parked, i, i+1)
}

func parkedCalls(_ *Request, w *ResponseWriter) {
	st := &w.sess.srv.state
	st.mu.Lock()
	var items [][]Header
	for i := range st.parked {
		items = append(items, st.parked[i].fields())
	}
	st.mu.Unlock()
	w.ListStart("Parked calls will follow")
	for _, hs := range items {
		w.ItemFields("ParkedCall", hs)
	}
	w.ListEnd("ParkedCallsComplete", "Total", strconv.Itoa(len(items)))
}
