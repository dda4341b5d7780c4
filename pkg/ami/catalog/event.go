package catalog

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed events.tsv
var eventTable string

// An Event describes an event.
type Event struct {
	Name string
	// Classes must all be in the read= of a user, and in the mask of a session, for the event to be sent (manager.c,
	// process_events). Without any it only comes in answers, whatever read= says.
	Classes []string
	Since   string   // the first series of Asterisk that has it, such as "18"; empty: 13 or before
	Removed string   // the first series without it; empty: current releases have it
	Answers []string // the actions whose answers hold it, their ends left out: Action.EndEvent names those
	Headers []Header // in the order in which Asterisk sends them, without Event and what any event may have, such as Privilege
	Open    bool     // it may have any other header too
}

// A Header is a header of an event.
type Header struct {
	Name     string
	Optional bool // not always there: it depends on the version, the configuration, the module or the call
	Repeats  bool // there may be several
}

// snapshots are the blocks of headers that many events share, each with a prefix: DestChannel, DestChannelState, …
var snapshots = map[string]string{
	// manager_channels.c, ast_manager_build_channel_state_string_prefix; Tenantid from 18 on, ChanVariable if channelvars asks
	"channel": "Channel,ChannelState,ChannelStateDesc,CallerIDNum,CallerIDName,ConnectedLineNum,ConnectedLineName," +
		"Language,AccountCode,Context,Exten,Priority,Uniqueid,Linkedid,Tenantid?,ChanVariable?*",
	// manager_bridges.c, ast_manager_build_bridge_state_string_prefix
	"bridge": "BridgeUniqueid,BridgeType,BridgeTechnology,BridgeCreator,BridgeName,BridgeNumChannels,BridgeVideoSourceMode?," +
		"BridgeVideoSource?",
	// security_events.c, what all of them require
	"security": "EventTV,Severity,Service,EventVersion,AccountID,SessionID,LocalAddress,RemoteAddress",
	// manager.c, astman_send_list_complete_start_common
	"end": "ActionID?,EventList,ListItems",
}

// eventLines are the lines of the table by lower-case name. Events are read from them as they are asked for: most programs
// ask for few.
var eventLines = sync.OnceValue(func() map[string]string {
	lines := make(map[string]string, strings.Count(eventTable, "\n"))
	for name, line := range eachEvent {
		lines[strings.ToLower(name)] = line
	}
	return lines
})

// eachEvent yields the names of the events and their lines.
func eachEvent(yield func(name, line string) bool) {
	for line := range strings.Lines(eventTable) {
		name, _, ok := strings.Cut(line, "\t")
		if ok && !strings.HasPrefix(name, "#") && !yield(name, strings.TrimSuffix(line, "\n")) {
			return
		}
	}
}

func parseEvent(line string) Event {
	col := strings.Split(line, "\t")
	e := Event{Name: col[0], Classes: words(col[1]), Since: col[2], Removed: col[3], Answers: words(col[4])}
	e.addHeaders(col[5], "", false)
	return e
}

// words splits at commas; nothing has no words.
func words(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, ",")
}

// addHeaders reads a list of headers: "Cause", "TechCause?" (optional), "Variable?*" (may repeat as well), "{Dest channel}"
// (a block with a prefix), "..." (and any others).
func (e *Event) addHeaders(list, prefix string, optional bool) {
	for word := range strings.SplitSeq(list, ",") {
		name, repeats := strings.CutSuffix(word, "*")
		name, may := strings.CutSuffix(name, "?")
		may = may || optional
		if block, ok := strings.CutPrefix(name, "{"); ok {
			block = strings.TrimSuffix(block, "}")
			before, kind, ok := strings.Cut(block, " ")
			if !ok {
				before, kind = "", block
			}
			e.addHeaders(snapshots[kind], before, may)
			continue
		}
		switch name {
		case "":
		case "...":
			e.Open = true
		default:
			e.Headers = append(e.Headers, Header{Name: prefix + name, Optional: may, Repeats: repeats})
		}
	}
}

var allEvents = sync.OnceValue(func() (all []Event) {
	for _, line := range eachEvent {
		all = append(all, parseEvent(line))
	}
	return all
})

// Events returns all events of the catalogue by name. The caller must not change it.
func Events() []Event { return allEvents() }

// LookupEvent finds an event by name, whatever its case: the server sends Newexten where its documentation says NewExten.
// It reads the table each time: a caller with many of one kind keeps what it got.
func LookupEvent(name string) (Event, bool) {
	line, ok := eventLines()[strings.ToLower(name)]
	if !ok {
		return Event{}, false
	}
	return parseEvent(line), true
}

// EventNames returns the names of all known events, sorted without regard to case. It does far less than Events.
func EventNames() (names []string) {
	for name := range eachEvent {
		names = append(names, name)
	}
	return names
}
