package amitest

import (
	"slices"
	"strconv"
	"strings"
)

// registration is an outbound registration of res_pjsip.
type registration struct{ name, client, server, status string }

// SetRegistration adds a PJSIP registration with a server or changes its status (Registered, Unregistered, Rejected).
// The first time nothing is told.
func (s *Server) SetRegistration(name, clientURI, serverURI, status string) {
	s.act(func(st *State, evs *[]Event) { st.register(name, clientURI, serverURI, status, evs) })
}

func (st *State) register(name, clientURI, serverURI, status string, evs *[]Event) {
	i := slices.IndexFunc(st.registrations, func(r registration) bool { return r.name == name })
	if i < 0 {
		st.registrations = append(st.registrations, registration{name, clientURI, serverURI, status})
		return
	}
	r := &st.registrations[i]
	r.status = status
	*evs = append(*evs, Event{Name: "Registry", Class: classSystem, Headers: pairs([]string{
		"ChannelType", "PJSIP", "Username", r.client, "Domain", r.server, "Status", status,
	})})
}

func showRegistrations(_ *Request, w *ResponseWriter) {
	st := &w.sess.srv.state
	st.mu.Lock()
	list := slices.Clone(st.registrations)
	st.mu.Unlock()
	w.ListStart("Following are Events for each Outbound registration")
	up := 0
	for _, r := range list {
		if r.status == "Registered" {
			up++
		}
		w.Item("OutboundRegistrationDetail", "ObjectType", "registration", "ObjectName", r.name,
			"ServerUri", r.server, "ClientUri", r.client, "Status", r.status, "NextReg", "0")
	}
	w.ListEnd("OutboundRegistrationDetailComplete", "Registered", strconv.Itoa(up), "NotRegistered", strconv.Itoa(len(list)-up))
}

// SetDevice gives a device a state (NOT_INUSE, INUSE, UNAVAILABLE, RINGING, …). An endpoint's shows in its list too.
func (s *Server) SetDevice(device, state string) {
	s.act(func(st *State, evs *[]Event) {
		if name, ok := strings.CutPrefix(device, "PJSIP/"); ok {
			for i := range st.endpoints {
				if st.endpoints[i].Name == name {
					st.endpoints[i].DeviceState = deviceText(state)
				}
			}
		}
		i := slices.IndexFunc(st.devices, func(d Header) bool { return d.Name == device })
		if i < 0 {
			st.devices = append(st.devices, Header{device, state})
		} else {
			st.devices[i].Value = state
		}
		*evs = append(*evs, NewEvent("DeviceStateChange", "Device", device, "State", state))
	})
}

// SetContact registers an endpoint at a URI, or ends its registration for "".
func (s *Server) SetContact(endpoint, uri string) {
	s.act(func(st *State, evs *[]Event) {
		for i := range st.endpoints {
			e := &st.endpoints[i]
			if e.Name != endpoint || e.Contact == uri {
				continue
			}
			if e.Contact != "" {
				*evs = append(*evs, contactStatus(e, "Removed"))
			}
			if e.Contact = uri; uri != "" {
				*evs = append(*evs, contactStatus(e, "Created"))
			}
		}
	})
}

func contactStatus(e *Endpoint, status string) Event {
	return Event{Name: "ContactStatus", Class: classSystem, Headers: pairs([]string{
		"URI", e.Contact, "ContactStatus", status, "AOR", e.Name, "EndpointName", e.Name,
	})}
}

// deviceText is what PJSIPShowEndpoints makes of a device's state (ast_devstate2str).
func deviceText(state string) string {
	switch state {
	case "NOT_INUSE":
		return "Not in use"
	case "INUSE":
		return "In use"
	case "RINGINUSE":
		return "Ring+Inuse"
	case "ONHOLD":
		return "On Hold"
	}
	return strings.ToUpper(state[:1]) + strings.ToLower(state[1:])
}

// deviceWord is the state that deviceText wrote.
func deviceWord(text string) string {
	switch text {
	case "Not in use":
		return "NOT_INUSE"
	case "In use":
		return "INUSE"
	case "Ring+Inuse":
		return "RINGINUSE"
	case "On Hold":
		return "ONHOLD"
	}
	return strings.ToUpper(text)
}

func deviceStateList(_ *Request, w *ResponseWriter) {
	st := &w.sess.srv.state
	st.mu.Lock()
	list := slices.Clone(st.devices)
	for _, e := range st.endpoints {
		if name := "PJSIP/" + e.Name; !slices.ContainsFunc(list, func(d Header) bool { return d.Name == name }) {
			list = append(list, Header{name, deviceWord(e.DeviceState)})
		}
	}
	st.mu.Unlock()
	w.ListStart("Device State Changes will follow")
	for _, d := range list {
		w.Item("DeviceStateChange", "Device", d.Name, "State", d.Value)
	}
	w.ListEnd("DeviceStateListComplete")
}
