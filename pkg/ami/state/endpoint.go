package state

import (
	"slices"
	"strings"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// An Endpoint is a PJSIP endpoint, a SIP or an IAX peer.
type Endpoint struct {
	Node       string   `json:"node"`
	Name       string   `json:"name"` // as in channels: PJSIP/alice
	Technology string   `json:"technology"`
	State      string   `json:"state,omitempty"`    // of its device; SIP and IAX peers' only by events
	Reach      string   `json:"reach,omitempty"`    // reachable, unreachable, lagged, unmonitored; absent: nothing told
	Contacts   []string `json:"contacts,omitempty"` // URIs, at most 32
}

// Kind returns KindEndpoint.
func (*Endpoint) Kind() Kind { return KindEndpoint }

// Key returns the endpoint's name.
func (p *Endpoint) Key() string { return p.Name }

// A Device is anything that Asterisk keeps a device state for: an endpoint, an agent, a mailbox, a queue's member.
type Device struct {
	Node  string `json:"node"`
	Name  string `json:"name"`
	State string `json:"state"` // not-in-use, in-use, busy, invalid, unavailable, ringing, ring-in-use, on-hold, unknown
}

// Kind returns KindDevice.
func (*Device) Kind() Kind { return KindDevice }

// Key returns the device's name.
func (d *Device) Key() string { return d.Name }

// A Hint is an extension whose state others watch.
type Hint struct {
	Node    string `json:"node"`
	Exten   string `json:"exten"`
	Context string `json:"context"`
	Device  string `json:"device,omitempty"` // what it stands for, as the dialplan says
	State   string `json:"state"`            // idle, in-use, busy, unavailable, ringing, in-use-ringing, hold, …
}

// Kind returns KindHint.
func (*Hint) Kind() Kind { return KindHint }

// Key returns EXTEN@CONTEXT.
func (h *Hint) Key() string { return h.Exten + "@" + h.Context }

// slug writes a state as all of ours are: NOT_INUSE, "Not in use" → not-in-use.
func slug(state string) string {
	switch s := strings.NewReplacer("_", "-", " ", "-", "&", "-", "+", "-").Replace(strings.ToLower(state)); s {
	case "not-inuse", "not-in-use":
		return "not-in-use"
	case "inuse", "in-use":
		return "in-use"
	case "ringinuse", "ring-inuse", "ring-in-use", "ringing-in-use", "ring-in-use?":
		return "ring-in-use"
	case "onhold", "on-hold":
		return "on-hold"
	case "":
		return "unknown"
	default:
		return strings.ReplaceAll(s, "--", "-")
	}
}

// deviceStateChange is an event, and an item of DeviceStateList. Channels of Local and the announcer's are not kept by
// Asterisk either (AST_FLAG_DISABLE_DEVSTATE_CACHE): no list has them.
func deviceStateChange(s *server, m *wire.Message) {
	name := m.Get("Device")
	if strings.HasPrefix(name, "Local/") || strings.HasPrefix(name, "CBAnn/") {
		return
	}
	r, next := s.devices.open(s, name)
	if r == nil {
		return
	}
	s.saveDevice(r, next, m)
	if p := s.endpoints.find(s, name); p != nil {
		var e edit
		next := *p.obj
		e.str(&next.State, slug(m.Get("State")), "state")
		s.endpoints.save(s, p, next, &e)
	}
}

func (s *server) saveDevice(r *row[Device], next Device, m *wire.Message) bool {
	var e edit
	if r.obj == nil {
		next.Node = s.name
		e.str(&next.Name, m.Get("Device"), "name")
	}
	e.str(&next.State, slug(m.Get("State")), "state")
	s.devices.save(s, r, next, &e)
	return e.n > 0
}

func deviceItem(s *server, m *wire.Message, from source) {
	name := m.Get("Device")
	if r, next := s.devices.listed(s, name, from); r != nil && s.saveDevice(r, next, m) {
		s.devices.suspect(s, name)
	}
}

func devicesListed(s *server, from source) { s.devices.sweep(s, from, nil) }

func hintKey(m *wire.Message) string {
	exten, context := m.Get("Exten"), m.Get("Context")
	if exten == "" || len(exten)+len(context) >= maxValue {
		return ""
	}
	return exten + "@" + context
}

// extensionStatus is an event, and an item of ExtensionStateList. A negative status takes the hint away
// (AST_EXTENSION_REMOVED, AST_EXTENSION_DEACTIVATED).
func extensionStatus(s *server, m *wire.Message) {
	key := hintKey(m)
	if number(m.Get("Status")) < 0 {
		s.hints.end(s, key)
		return
	}
	if r, next := s.hints.open(s, key); r != nil {
		s.saveHint(r, next, m)
	}
}

func (s *server) saveHint(r *row[Hint], next Hint, m *wire.Message) bool {
	var e edit
	if r.obj == nil {
		next.Node = s.name
		e.str(&next.Exten, m.Get("Exten"), "exten")
		e.str(&next.Context, m.Get("Context"), "context")
	}
	if hint := m.Get("Hint"); hint != "" {
		e.str(&next.Device, hint, "device")
	}
	text, ok := m.Lookup("StatusText")
	if !ok {
		text = hintStates[number(m.Get("Status"))] // before 13
	}
	e.str(&next.State, slug(text), "state")
	s.hints.save(s, r, next, &e)
	return e.n > 0
}

// hintStates are ast_extension_state2str's, by AST_EXTENSION_* bits.
var hintStates = map[int]string{
	0: "Idle", 1: "InUse", 2: "Busy", 4: "Unavailable", 8: "Ringing", 9: "InUse&Ringing", 16: "Hold", 17: "InUse&Hold",
}

func hintItem(s *server, m *wire.Message, from source) {
	if r, next := s.hints.listed(s, hintKey(m), from); r != nil && s.saveHint(r, next, m) {
		s.hints.suspect(s, next.Key())
	}
}

func hintsListed(s *server, from source) { s.hints.sweep(s, from, nil) }

// endpointItem is an item of PJSIPShowEndpoints.
func endpointItem(s *server, m *wire.Message, from source) {
	name := "PJSIP/" + m.Get("ObjectName")
	r, next := s.endpoints.listed(s, name, from)
	if r == nil {
		return
	}
	was := next
	var e edit
	next.begin(s, r, name, "PJSIP", &e)
	e.str(&next.State, slug(m.Get("DeviceState")), "state")
	var uris []string
	for c := range strings.SplitSeq(m.Get("Contacts"), ",") { // AOR/URI,
		if _, uri, ok := strings.Cut(c, "/"); ok && len(uris) < maxShown {
			uris = append(uris, clip(uri))
		}
	}
	next.setContacts(uris, &e)
	if was.State != next.State {
		s.endpoints.suspect(s, name)
	}
	s.endpoints.save(s, r, next, &e)
}

func clip(v string) string { return strings.Clone(v[:min(len(v), maxValue)]) }

func (p *Endpoint) begin(s *server, r *row[Endpoint], name, tech string, e *edit) {
	if r.obj == nil {
		p.Node = s.name
		e.str(&p.Name, name, "name")
		e.word(&p.Technology, tech, "technology")
	}
}

func (p *Endpoint) setContacts(uris []string, e *edit) {
	if slices.Sort(uris); len(uris) == 0 {
		uris = nil
	}
	if !slices.Equal(p.Contacts, uris) {
		p.Contacts = uris
		e.add("contacts")
	}
}

// peerItem is an item of SIPpeers or IAXpeerlist.
func peerItem(s *server, m *wire.Message, from source) {
	tech := "SIP"
	if from == fromIAXPeers {
		tech = "IAX2"
	}
	name := tech + "/" + m.Get("ObjectName")
	r, next := s.endpoints.listed(s, name, from)
	if r == nil {
		return
	}
	was := next
	var e edit
	next.begin(s, r, name, tech, &e)
	e.word(&next.Reach, reach(m.Get("Status")), "reach")
	var uris []string
	if host := m.Get("IPaddress"); host != "" && host != "-none-" && host != "(null)" {
		port := m.Get("IPport")
		if port == "" {
			port = m.Get("Port")
		}
		uris = []string{clip(host + ":" + port)}
	}
	next.setContacts(uris, &e)
	if was.Reach != next.Reach {
		s.endpoints.suspect(s, name)
	}
	s.endpoints.save(s, r, next, &e)
}

// reach reads a peer's Status: OK (12 ms), UNREACHABLE, LAGGED (2100 ms), Unmonitored, Reachable, Registered, …
func reach(status string) string {
	word, _, _ := strings.Cut(strings.ToLower(status), " ")
	switch word {
	case "ok", "reachable":
		return "reachable"
	case "unreachable", "lagged", "unmonitored":
		return word
	}
	return ""
}

func endpointsListed(s *server, from source) { s.endpoints.sweep(s, from, nil) }

// contactStatus tells of a PJSIP contact: Created, Updated, Removed, Reachable, Unreachable, NonQualified, Unknown. The
// endpoint's name may be missing; the AOR's is the same as a rule.
func contactStatus(s *server, m *wire.Message) {
	name := m.Get("EndpointName")
	if name == "" {
		name = m.Get("AOR")
	}
	r, next := s.openEndpoint("PJSIP/"+name, "PJSIP")
	if r == nil {
		return
	}
	var e edit
	next.begin(s, r, "PJSIP/"+name, "PJSIP", &e)
	uri, status := m.Get("URI"), strings.ToLower(m.Get("ContactStatus"))
	has := slices.Contains(next.Contacts, uri)
	switch {
	case status == "removed" && has:
		uris := slices.DeleteFunc(slices.Clone(next.Contacts), func(u string) bool { return u == uri })
		next.setContacts(uris, &e)
		if len(uris) == 0 {
			e.word(&next.Reach, "", "reach")
		}
	case status != "removed" && !has && uri != "" && len(next.Contacts) < maxShown:
		next.setContacts(append(slices.Clone(next.Contacts), clip(uri)), &e)
	}
	if word := reach(status); word != "" {
		e.word(&next.Reach, word, "reach")
	}
	s.endpoints.save(s, r, next, &e)
}

// openEndpoint opens an endpoint that an event names.
func (s *server) openEndpoint(name, tech string) (*row[Endpoint], Endpoint) {
	r, next := s.endpoints.open(s, name)
	if r != nil && r.obj == nil {
		switch tech {
		case "PJSIP":
			r.from = fromPJSIP
		case "SIP":
			r.from = fromSIPPeers
		default:
			r.from = fromIAXPeers
		}
	}
	return r, next
}

// peerStatus tells of a peer by its channel's name: SIP/trunk, PJSIP/alice, IAX2/office.
func peerStatus(s *server, m *wire.Message) {
	name := m.Get("Peer")
	tech, _, ok := strings.Cut(name, "/")
	if !ok {
		return
	}
	switch tech {
	case "PJSIP", "SIP", "IAX2":
	default:
		return
	}
	r, next := s.openEndpoint(name, tech)
	if r == nil {
		return
	}
	var e edit
	next.begin(s, r, name, clip(tech), &e)
	if word := reach(m.Get("PeerStatus")); word != "" {
		e.word(&next.Reach, word, "reach")
	}
	if tech != "PJSIP" {
		if strings.EqualFold(m.Get("PeerStatus"), "Unregistered") {
			next.setContacts(nil, &e)
		} else if addr := m.Get("Address"); addr != "" {
			next.setContacts([]string{clip(addr)}, &e)
		}
	}
	s.endpoints.save(s, r, next, &e)
}
