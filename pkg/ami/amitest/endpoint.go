package amitest

import (
	_ "embed"
	"strings"
)

// endpointText is what a real server says of an endpoint.
//
//go:embed endpoint.txt
var endpointText string

// endpointDetails returns the events that PJSIPShowEndpoint sends about e. The
// contact's comes only with a contact.
func (s *Server) endpointDetails(e Endpoint) []Event {
	fill := strings.NewReplacer("{name}", e.Name, "{uri}", e.Contact, "Not in use", e.DeviceState)
	var evs []Event
	for line := range strings.Lines(endpointText) {
		line = strings.TrimSuffix(line, "\n")
		switch line[:1] {
		case "#":
			continue
		case "[":
			evs = append(evs, Event{Name: strings.Trim(line, "[]")})
			continue
		case "+":
			if s.cfg.version.Major < 18 {
				continue
			}
		case "-":
			if s.cfg.version.Major >= 18 {
				continue
			}
		}
		name, value, _ := strings.Cut(line[1:], ":")
		value = fill.Replace(strings.TrimPrefix(value, " "))
		if e.Contact == "" && name == "Contacts" {
			value = ""
		}
		last := &evs[len(evs)-1]
		last.Headers = append(last.Headers, Header{name, value})
	}
	if e.Contact == "" {
		evs = evs[:len(evs)-1]
	}
	return evs
}
