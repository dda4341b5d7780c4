package state

import (
	"strconv"
	"strings"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A source says which listing a row is from, so that another one's does not take it away.
type source uint8

const (
	fromEvents source = iota
	fromChannels
	fromBridges
	fromQueues
	fromPJSIP
	fromSIPPeers
	fromIAXPeers
	fromDevices
	fromHints
	fromPJSIPRegistrations
	fromSIPRegistry
	fromIAXRegistry
	fromConferences
	fromParked
)

// A listing is how a server is asked for a part.
type listing struct {
	part    string // as in Node.Parts
	from    source
	actions []string // the first is asked; the next if the user may not ask it
	class   string   // the event class that tells what happens to the part
	kinds   []Kind   // that it is needed for
	items   map[string]func(*server, *wire.Message, source)
	done    func(*server, source)
}

// listings are asked in this order: what others refer to later comes first.
var listings = []listing{
	{
		part: "channels", from: fromChannels, class: "call", actions: []string{"CoreShowChannels", "Status"},
		kinds: []Kind{KindChannel, KindBridge, KindCall, KindRecord, KindQueueCall, KindCaller, KindConference},
		items: map[string]func(*server, *wire.Message, source){"CoreShowChannel": coreShowChannel, "Status": coreShowChannel},
		done:  channelsListed,
	},
	{
		part: "bridges", from: fromBridges, class: "call", actions: []string{"BridgeList"},
		kinds: []Kind{KindBridge, KindCall, KindRecord, KindConference},
		items: map[string]func(*server, *wire.Message, source){"BridgeListItem": bridgeListItem},
		done:  bridgesListed,
	},
	{
		part: "queues", from: fromQueues, class: "agent", actions: []string{"QueueStatus"},
		kinds: []Kind{KindQueue, KindMember, KindCaller, KindCall, KindRecord, KindQueueCall},
		items: map[string]func(*server, *wire.Message, source){
			"QueueParams": queueParams, "QueueMember": queueMemberItem, "QueueEntry": queueEntry,
		},
		done: queuesListed,
	},
	{
		part: "conferences", from: fromConferences, class: "call", actions: []string{"ConfbridgeListRooms"},
		kinds: []Kind{KindConference},
		items: map[string]func(*server, *wire.Message, source){"ConfbridgeListRooms": conferenceItem},
		done:  conferencesListed,
	},
	{
		part: "parked", from: fromParked, class: "call", actions: []string{"ParkedCalls"},
		kinds: []Kind{KindParked},
		items: map[string]func(*server, *wire.Message, source){"ParkedCall": parkedItem},
		done:  parkedListed,
	},
	{
		part: "pjsip", from: fromPJSIP, class: "system", actions: []string{"PJSIPShowEndpoints"},
		kinds: []Kind{KindEndpoint},
		items: map[string]func(*server, *wire.Message, source){"EndpointList": endpointItem},
		done:  endpointsListed,
	},
	{
		part: "sip", from: fromSIPPeers, class: "system", actions: []string{"SIPpeers"},
		kinds: []Kind{KindEndpoint},
		items: map[string]func(*server, *wire.Message, source){"PeerEntry": peerItem},
		done:  endpointsListed,
	},
	{
		part: "iax", from: fromIAXPeers, class: "system", actions: []string{"IAXpeerlist"},
		kinds: []Kind{KindEndpoint},
		items: map[string]func(*server, *wire.Message, source){"PeerEntry": peerItem},
		done:  endpointsListed,
	},
	{
		part: "devices", from: fromDevices, class: "call", actions: []string{"DeviceStateList"},
		kinds: []Kind{KindDevice, KindEndpoint},
		items: map[string]func(*server, *wire.Message, source){"DeviceStateChange": deviceItem},
		done:  devicesListed,
	},
	{
		part: "hints", from: fromHints, class: "call", actions: []string{"ExtensionStateList"},
		kinds: []Kind{KindHint},
		items: map[string]func(*server, *wire.Message, source){"ExtensionStatus": hintItem},
		done:  hintsListed,
	},
	{
		part: "pjsip-registrations", from: fromPJSIPRegistrations, class: "system", actions: []string{"PJSIPShowRegistrationsOutbound"},
		kinds: []Kind{KindRegistration},
		items: map[string]func(*server, *wire.Message, source){"OutboundRegistrationDetail": outboundRegistration},
		done:  registrationsListed,
	},
	{
		part: "sip-registrations", from: fromSIPRegistry, class: "system", actions: []string{"SIPshowregistry"},
		kinds: []Kind{KindRegistration},
		items: map[string]func(*server, *wire.Message, source){"RegistryEntry": registryEntry},
		done:  registrationsListed,
	},
	{
		part: "iax-registrations", from: fromIAXRegistry, class: "system", actions: []string{"IAXregistry"},
		kinds: []Kind{KindRegistration},
		items: map[string]func(*server, *wire.Message, source){"RegistryEntry": registryEntry},
		done:  registrationsListed,
	},
}

// An answer is what became of a listing.
type answer struct {
	items   []*wire.Message
	end     *wire.Message // the event that ended the list, nil if there was none
	refusal string        // the server's words, if it refused
	refused bool
	blind   bool // the session's event mask hides the part's events
}

// verdict says what a refusal means: that there is nothing, that the user may not ask, or that the part is absent.
func (a *answer) verdict() (empty, denied bool) {
	low := strings.ToLower(a.refusal)
	return strings.HasPrefix(low, "no ") && !strings.HasPrefix(low, "no such"), strings.HasPrefix(low, "permission denied")
}

// short reports whether a list ended before all that it announced, or has no end at all, which all of ours have. Real
// servers announce too few (ListItems: 1 with two items), never too many.
func (a *answer) short() bool {
	if a.end == nil {
		return !a.refused
	}
	n, err := strconv.Atoi(a.end.Get("ListItems"))
	return err == nil && n > len(a.items) || strings.EqualFold(a.end.Get("EventList"), "cancelled")
}

// list applies the answer to a listing.
func (s *server) list(l *listing, a answer, audit bool) {
	if a.refused {
		empty, denied := a.verdict()
		if denied {
			s.part(l.part, Events)
		} else if !empty {
			s.part(l.part, Absent)
		}
		if !empty { // what only an older session showed can be known no more
			s.lists++
			s.unlisted = true
			l.done(s, l.from)
			s.unlisted = false
			return
		}
	}
	how, was := Followed, s.next.Parts[l.part]
	if a.blind {
		how = Listed
	}
	s.part(l.part, how)
	s.apply(l, &a, audit && was == Followed)
}

// apply makes a part what its list says.
func (s *server) apply(l *listing, a *answer, audit bool) {
	s.lists++
	s.listing, s.auditing = true, audit
	defer func() { s.listing, s.auditing = false, false }()
	for _, m := range a.items {
		if f := l.items[m.Name()]; f != nil {
			f(s, m, l.from)
		}
	}
	if a.short() {
		s.next.Short++
		return // what it lacks may be there all the same
	}
	l.done(s, l.from)
}
