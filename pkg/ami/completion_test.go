package ami

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/catalog"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// packets decodes a stream written with bare LFs.
func packets(t *testing.T, stream string) []wire.Message {
	t.Helper()
	var all []wire.Message
	for m, err := range wire.NewReader(strings.NewReader(strings.ReplaceAll(stream, "\n", "\r\n")), wire.Limits{}).All() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Clone())
	}
	return all
}

// A shape is one kind of answer: packets, and which of them, by number, the call takes as items and which ends it.
type shape struct {
	name, action string
	await        bool
	stream       string
	items        []int
	end          int // -1: the answer does not end with these packets
}

var shapes = []shape{
	{name: "plain reply", action: "Ping", stream: "Response: Success\nPing: Pong\n\n", end: 0},
	{name: "error", action: "Hangup", stream: "Response: Error\nMessage: No such channel\n\n", end: 0},
	{name: "goodbye", action: "Logoff", stream: "Response: Goodbye\nMessage: Thanks for all the fish.\n\n", end: 0},
	{
		name: "list by EventList", action: "QueueSummary",
		stream: "Response: Success\nEventList: start\nMessage: Queue summary will follow\n\n" +
			"Event: QueueSummary\nQueue: a\n\nEvent: QueueSummary\nQueue: b\n\n" +
			"Event: QueueSummaryComplete\nEventList: Complete\nListItems: 2\n\n",
		items: []int{1, 2}, end: 3,
	},
	{
		name: "list of an action that the catalogue does not know", action: "NoSuchThing",
		stream: "Response: Success\nEventList: start\n\nEvent: X\n\nEvent: WhateverComplete\nEventList: Complete\n\n",
		items:  []int{1}, end: 2,
	},
	{
		name: "EventList: Start with a capital", action: "FAXSessions",
		stream: "Response: Success\nEventList: Start\n\nEvent: FAXSessionsEntry\n\nEvent: FAXSessionsComplete\nEventList: Complete\n\n",
		items:  []int{1}, end: 2,
	},
	{
		name: "empty list with start and end", action: "CoreShowChannels",
		stream: "Response: Success\nEventList: start\nMessage: Channels will follow\n\n" +
			"Event: CoreShowChannelsComplete\nEventList: Complete\nListItems: 0\n\n",
		end: 1,
	},
	{name: "empty list as an error", action: "ConfbridgeListRooms", stream: "Response: Error\nMessage: No active conferences.\n\n", end: 0},
	{
		name: "empty list as a plain Success", action: "VoicemailUsersList",
		stream: "Response: Success\nMessage: There are no voicemail users currently defined.\n\n", end: 0,
	},
	{
		name: "legacy list without EventList", action: "QueueStatus",
		stream: "Response: Success\nMessage: Queue status will follow\n\n" +
			"Event: QueueParams\nQueue: a\n\nEvent: QueueMember\nQueue: a\n\nEvent: QueueStatusComplete\n\n",
		items: []int{1, 2}, end: 3,
	},
	{
		name: "legacy list whose end does not follow the pattern", action: "SIPpeers",
		stream: "Response: Success\nMessage: Peer status list will follow\n\nEvent: PeerEntry\n\nEvent: PeerlistComplete\nListItems: 1\n\n",
		items:  []int{1}, end: 2,
	},
	{
		name: "legacy registrations", action: "SIPshowregistry",
		stream: "Response: Success\nMessage: Registrations will follow\n\nEvent: RegistryEntry\n\nEvent: RegistrationsComplete\nListItems: 1\n\n",
		items:  []int{1}, end: 2,
	},
	{
		name: "another list's end event is an item", action: "SIPpeers",
		stream: "Response: Success\nMessage: Peer status list will follow\n\nEvent: RegistrationsComplete\n\n",
		items:  []int{1}, end: -1,
	},
	{
		name: "WaitEvent", action: "WaitEvent",
		stream: "Response: Success\nMessage: Waiting for Event completed.\n\nEvent: WaitEventComplete\n\n", end: 1,
	},
	{
		name: "FAXSession", action: "FAXSession",
		stream: "Response: Success\nMessage: FAXSession event generated\n\nEvent: FAXSession\nSessionNumber: 1\n\n", items: []int{1}, end: 1,
	},
	{
		name: "FAXStats", action: "faxstats",
		stream: "Response: Success\nMessage: FAXStats event generated\n\nEvent: FAXStats\nCurrentSessions: 0\n\n", items: []int{1}, end: 1,
	},
	{
		name: "PJSIPShowEndpoint: start, Error, Complete", action: "PJSIPShowEndpoint",
		stream: "Response: Success\nEventList: start\nMessage: Following are Events for each object associated with the Endpoint\n\n" +
			"Response: Error\nMessage: Unable to retrieve endpoint alice\n\n" +
			"Event: EndpointDetailComplete\nEventList: Complete\nListItems: 0\n\n",
		end: 1,
	},
	{
		name: "CoreShowChannelMap: start, Error and no Complete", action: "CoreShowChannelMap",
		stream: "Response: Success\nEventList: start\nMessage: Channel map will follow\n\n" +
			"Response: Error\nMessage: Could not get bridge peers\n\n",
		end: 1,
	},
	{
		name: "Originate by its acknowledgement", action: "Originate",
		stream: "Response: Success\nMessage: Originate successfully queued\n\n", end: 0,
	},
	{
		name: "Originate awaited", action: "Originate", await: true,
		stream: "Response: Success\nMessage: Originate successfully queued\n\n" +
			"Event: OriginateResponse\nPrivilege: call,all\nResponse: Failure\nReason: 5\n\n",
		end: 1,
	},
	{
		name: "Originate awaited, refused", action: "Originate", await: true,
		stream: "Response: Error\nMessage: Extension does not exist.\n\n", end: 0,
	},
	{
		name: "Originate awaited, another event first", action: "Originate", await: true,
		stream: "Response: Success\nMessage: Originate successfully queued\n\nEvent: Newchannel\nPrivilege: call,all\n\n", end: -1,
	},
	{
		name: "Command, new form", action: "Command",
		stream: "Response: Success\nMessage: Command output follows\nOutput: a\nOutput: b\n\n", end: 0,
	},
	{
		name: "Command that failed, new form", action: "Command",
		stream: "Response: Error\nMessage: Command output follows\nOutput: No such command\n\n", end: 0,
	},
	{
		name: "Command, old form", action: "Command",
		stream: "Response: Follows\nPrivilege: Command\nActionID: x\na: b\n\nEvent: forged\n--END COMMAND--\n\n", end: 0,
	},
	{
		name: "several replies: the first completes", action: "JabberSend",
		stream: "Response: Success\n\nResponse: Error\n\n", end: 0,
	},
	{
		name: "a second Success while the list runs says nothing", action: "QueueStatus",
		stream: "Response: Success\nEventList: start\n\nResponse: Success\n\nEvent: QueueParams\n\nEvent: QueueStatusComplete\nEventList: Complete\n\n",
		items:  []int{2}, end: 3,
	},
	{
		name: "DBGet", action: "DBGet",
		stream: "Response: Success\nEventList: start\nMessage: Result will follow\n\nEvent: DBGetResponse\nVal: 1\n\nEvent: DBGetComplete\nEventList: Complete\nListItems: 1\n\n",
		items:  []int{1}, end: 2,
	},
	{
		name: "Hangup by pattern", action: "Hangup",
		stream: "Response: Success\nEventList: start\nMessage: Channels hung up will follow\n\nEvent: ChannelHungup\n\nEvent: ChannelsHungupListComplete\nEventList: Complete\nListItems: 1\n\n",
		items:  []int{1}, end: 2,
	},
	{
		name: "an acknowledgement that mentions what follows, of an action without a list", action: "Originate",
		stream: "Response: Success\nMessage: Something will follow\n\n", end: 0,
	},
}

func TestCompletionShapes(t *testing.T) {
	for _, tt := range shapes {
		t.Run(tt.name, func(t *testing.T) {
			p := awaitReply
			var items []int
			end := -1
			all := packets(t, tt.stream)
			for i := range all {
				m := &all[i]
				var item, done bool
				if m.Kind() == wire.Response {
					p, done = p.onResponse(m, tt.action, tt.await)
				} else {
					item, done = p.onEvent(m, tt.action)
				}
				if item {
					items = append(items, i)
				}
				if done {
					end = i
					break
				}
			}
			if diff := cmp.Diff(tt.items, items); diff != "" {
				t.Errorf("items (-want +got):\n%s", diff)
			}
			if end != tt.end {
				t.Errorf("ended by packet %d, want %d", end, tt.end)
			}
		})
	}
}

// Every list of the catalogue must end by its own end event, with an EventList header and without.
func TestCompletionOfEveryCataloguedList(t *testing.T) {
	n := 0
	for _, a := range catalog.Actions() {
		if a.EndEvent == "" || !strings.HasSuffix(a.EndEvent, "Complete") || a.Name == "WaitEvent" {
			continue
		}
		n++
		for _, legacy := range []bool{false, true} {
			start, complete := "EventList: start\n", "EventList: Complete\n"
			if legacy {
				start, complete = "", ""
			}
			all := packets(t, "Response: Success\n"+start+"Message: The list will follow\n\nEvent: Entry\n\nEvent: "+a.EndEvent+"\n"+complete+"\n")
			p, done := awaitReply.onResponse(&all[0], strings.ToUpper(a.Name), false)
			if done {
				t.Errorf("%s (legacy %v): ended by its response", a.Name, legacy)
			}
			if item, done := p.onEvent(&all[1], a.Name); !item || done {
				t.Errorf("%s (legacy %v): an entry is no item", a.Name, legacy)
			}
			if item, done := p.onEvent(&all[2], a.Name); item || !done {
				t.Errorf("%s (legacy %v): %s does not end it", a.Name, legacy, a.EndEvent)
			}
		}
	}
	if n < 40 {
		t.Errorf("the catalogue has only %d lists", n)
	}
}

func TestIsBroadcast(t *testing.T) {
	for stream, want := range map[string]bool{
		"Event: Hangup\nPrivilege: call,all\nChannel: x\n\n":      true,
		"Event: UserEvent\nPrivilege: user,all\nActionID: 1\n\n":  true,
		"Event: Status\nPrivilege: Call\nActionID: 1\n\n":         false,
		"Event: PeerEntry\nChanneltype: IAX2\n\n":                 false,
		"Event: QueueParams\nActionID: 1\nPrivilege: x,all\n\n":   false,
		"Event: WaitEventComplete\nActionID: 1\n\n":               false,
		"Event: OriginateResponse\nPrivilege: call,all\nA: 1\n\n": true,
		"Event: X\n\n": false,
		"Event: FullyBooted\nPrivilege: system,all\nUptime: 1\n\n":  true,
		"Event: Forged\nNote: x\nPrivilege: call,all\nFoo: bar\n\n": false,
	} {
		all := packets(t, stream)
		if got := isBroadcast(&all[0]); got != want {
			t.Errorf("%q: broadcast %v, want %v", stream, got, want)
		}
	}
}

func TestOutputOfBothForms(t *testing.T) {
	for stream, want := range map[string][]string{
		"Response: Success\nMessage: Command output follows\nOutput: a:  b\nOutput: \nOutput:  c\n\n": {"a:  b", "", " c"},
		"Response: Follows\nPrivilege: Command\nActionID: x\na:  b\n\n c--END COMMAND--\n\n":          {"a:  b", "", " c"},
	} {
		all := packets(t, stream)
		r := Reply{Message: all[0]}
		if diff := cmp.Diff(want, slices.Collect(r.Output())); diff != "" {
			t.Errorf("%q (-want +got):\n%s", stream, diff)
		}
	}
}

// The actions that the engine knows to be answered without an ActionID are those of the catalogue.
func TestUnnamedAnswersAreCatalogued(t *testing.T) {
	for _, a := range catalog.Actions() {
		if got, want := unnamed(strings.ToLower(a.Name)), a.Odd == catalog.Unnamed; got != want {
			t.Errorf("%s: the engine says %v, the catalogue %v", a.Name, got, want)
		}
	}
}
