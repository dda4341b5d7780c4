package ami

import (
	"strings"

	"github.com/apntalk/amictl/pkg/ami/catalog"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// phase is how far a call's answer has come.
type phase uint8

const (
	awaitReply     phase = iota
	inList               // "EventList: start" came; ends at "EventList: Complete", an Error, or the catalogue's end event
	inBareList           // a server before 13.2, WaitEvent: a list without an EventList header, ended by its end event alone
	awaitOne             // FAXSession, FAXStats: an acknowledgement, then one event, no end event
	awaitOriginate       // the acknowledgement came, OriginateResponse is awaited
)

// onResponse tells what a response packet means for a call in phase p: the phase it goes on in, or done.
//
// What is a list is decided from what arrives, not from the action's name: an EventList header, or on servers that
// send none (manager.c before 13.2, action_waitevent) the words "will follow" together with an end event in the
// catalogue. An empty list may be a plain Success or Error on any version.
func (p phase) onResponse(m *wire.Message, action string, await bool) (next phase, done bool) {
	if !wire.EqualFold(m.Name(), "Success") {
		return p, true // an Error ends a list too: CoreShowChannelMap sends no Complete behind it
	}
	if p != awaitReply {
		return p, false // a second Success while its list runs says nothing new
	}
	if await {
		return awaitOriginate, false
	}
	if list := listHeader(m); list != "" {
		return inList, !wire.EqualFold(list, "start")
	}
	switch {
	case wire.EqualFold(action, "FAXSession"), wire.EqualFold(action, "FAXStats"):
		return awaitOne, false
	case wire.EqualFold(action, "WaitEvent"):
		return inBareList, false
	case announcesList(m.Get("Message")) && listEnd(action) != "":
		return inBareList, false
	}
	return p, true
}

// listHeader returns a packet's EventList header, which is ahead of all values (manager.c, astman_send_response_full and
// astman_send_list_complete_start): further down it is a line of a value, which nobody but its author vouches for.
func listHeader(m *wire.Message) string {
	for i := range min(m.Len(), 3) {
		if name, value := m.Line(i); wire.EqualFold(name, "EventList") {
			return value
		}
	}
	return ""
}

// announcesList tells the Message of a list's response from a plain acknowledgement: "Channel status will follow".
func announcesList(message string) bool {
	return strings.Contains(message, "follow") || strings.Contains(message, "Follow")
}

// onEvent tells what an event that carries the call's ActionID means: an item of its list, its end, or neither.
func (p phase) onEvent(m *wire.Message, action string) (item, done bool) {
	switch p {
	case inList:
		if listHeader(m) != "" {
			return false, true
		}
		done = isEndEvent(m.Name(), action)
		return !done, done
	case inBareList:
		done = isEndEvent(m.Name(), action)
		return !done, done
	case awaitOne:
		return true, true
	case awaitOriginate:
		return false, wire.EqualFold(m.Name(), "OriginateResponse")
	}
	return false, false
}

func isEndEvent(event, action string) bool {
	return strings.HasSuffix(event, "Complete") && wire.EqualFold(event, listEnd(action))
}

// listEnd returns the event that ends an action's list as far as the catalogue knows, or "".
func listEnd(action string) string {
	a, _ := catalog.Lookup(action)
	return a.EndEvent
}
