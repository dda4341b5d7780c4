package state

import (
	"strings"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Registration is one that the server itself has with another server: a trunk.
type Registration struct {
	Node       string `json:"node"`
	Technology string `json:"technology"`         // PJSIP, SIP, IAX2
	Name       string `json:"name,omitempty"`     // PJSIP's section
	Username   string `json:"username,omitempty"` // PJSIP: the client URI
	Domain     string `json:"domain,omitempty"`   // PJSIP: the server URI
	State      string `json:"state"`              // registered, unregistered, rejected, …
	Cause      string `json:"cause,omitempty"`
}

// Kind returns KindRegistration.
func (*Registration) Kind() Kind { return KindRegistration }

// Key returns technology, user and domain, which is all that the Registry event has.
func (r *Registration) Key() string { return registryKey(r.Technology, r.Username, r.Domain) }

func registryKey(tech, user, domain string) string {
	if tech == "" || len(tech)+len(user)+len(domain) > maxValue {
		return ""
	}
	return tech + "\n" + user + "\n" + domain
}

// registry is the event of all drivers.
func registry(s *server, m *wire.Message) {
	tech, user, domain := m.Get("ChannelType"), m.Get("Username"), m.Get("Domain")
	if strings.EqualFold(tech, "PJSIP") {
		tech = "PJSIP"
	}
	r, next := s.registrations.open(s, registryKey(tech, user, domain))
	if r == nil {
		return
	}
	if r.obj == nil {
		switch tech {
		case "PJSIP":
			r.from = fromPJSIPRegistrations
		case "SIP":
			r.from = fromSIPRegistry
		default:
			r.from = fromIAXRegistry
		}
	}
	var e edit
	next.begin(s, r, tech, user, domain, &e)
	e.str(&next.State, slug(m.Get("Status")), "state")
	e.str(&next.Cause, m.Get("Cause"), "cause")
	s.registrations.save(s, r, next, &e)
}

func (g *Registration) begin(s *server, r *row[Registration], tech, user, domain string, e *edit) {
	if r.obj == nil {
		g.Node = s.name
		e.str(&g.Technology, tech, "technology")
		e.str(&g.Username, user, "username")
		e.str(&g.Domain, domain, "domain")
	}
}

// outboundRegistration is an item of PJSIPShowRegistrationsOutbound.
func outboundRegistration(s *server, m *wire.Message, from source) {
	s.registered(m, from, "PJSIP", m.Get("ClientUri"), m.Get("ServerUri"), m.Get("Status"))
}

// registryEntry is an item of SIPshowregistry or IAXregistry.
func registryEntry(s *server, m *wire.Message, from source) {
	tech := "SIP"
	if from == fromIAXRegistry {
		tech = "IAX2"
	}
	s.registered(m, from, tech, m.Get("Username"), m.Get("Host"), m.Get("State"))
}

func (s *server) registered(m *wire.Message, from source, tech, user, domain, state string) {
	key := registryKey(tech, user, domain)
	r, next := s.registrations.listed(s, key, from)
	if r == nil {
		return
	}
	was := next
	var e edit
	next.begin(s, r, tech, user, domain, &e)
	e.str(&next.Name, m.Get("ObjectName"), "name")
	e.str(&next.State, slug(state), "state")
	if was.State != next.State {
		s.registrations.suspect(s, key)
		e.word(&next.Cause, "", "cause")
	}
	s.registrations.save(s, r, next, &e)
}

func registrationsListed(s *server, from source) { s.registrations.sweep(s, from, nil) }
