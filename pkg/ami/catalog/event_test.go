package catalog_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/catalog"
)

func TestLookupEvent(t *testing.T) {
	channel := func(prefix string, optional bool) (hs []catalog.Header) {
		for _, name := range strings.Fields("Channel ChannelState ChannelStateDesc CallerIDNum CallerIDName ConnectedLineNum ConnectedLineName" +
			" Language AccountCode Context Exten Priority Uniqueid Linkedid") {
			hs = append(hs, catalog.Header{Name: prefix + name, Optional: optional})
		}
		return append(hs, catalog.Header{Name: prefix + "Tenantid", Optional: true}, catalog.Header{Name: prefix + "ChanVariable", Optional: true, Repeats: true})
	}
	end := []catalog.Header{{Name: "ActionID", Optional: true}, {Name: "EventList"}, {Name: "ListItems"}}
	for name, want := range map[string]catalog.Event{
		"hangup": {Name: "Hangup", Classes: []string{"call"}, Headers: append(channel("", false),
			catalog.Header{Name: "Cause"}, catalog.Header{Name: "Cause-txt"}, catalog.Header{Name: "TechCause", Optional: true})},
		"NewExten": {Name: "Newexten", Classes: []string{"dialplan"}, Headers: append(channel("", false),
			catalog.Header{Name: "Extension"}, catalog.Header{Name: "Application"}, catalog.Header{Name: "AppData"})},
		"DialBegin": {Name: "DialBegin", Classes: []string{"call"}, Headers: append(append(channel("", true), channel("Dest", false)...),
			catalog.Header{Name: "DialString"})},
		"UserEvent": {Name: "UserEvent", Classes: []string{"user"}, Open: true, Headers: append(channel("", true),
			catalog.Header{Name: "UserEvent"}, catalog.Header{Name: "ActionID", Optional: true})},
		// All classes are needed: app_voicemail.c publishes it with both.
		"VoicemailPasswordChange": {
			Name: "VoicemailPasswordChange", Classes: []string{"system", "user"}, Since: "18",
			Headers: []catalog.Header{{Name: "Context"}, {Name: "Mailbox"}, {Name: "NewPassword"}},
		},
		"QueueSummary": {Name: "QueueSummary", Answers: []string{"QueueSummary"}, Headers: []catalog.Header{
			{Name: "Queue"},
			{Name: "LoggedIn"},
			{Name: "Available"},
			{Name: "Callers"},
			{Name: "HoldTime"},
			{Name: "TalkTime"},
			{Name: "LongestHoldTime"},
			{Name: "ActionID", Optional: true},
		}},
		"QueueSummaryComplete": {Name: "QueueSummaryComplete", Headers: end},
		"MonitorStop":          {Name: "MonitorStop", Classes: []string{"call"}, Removed: "21", Headers: channel("", false)},
		"SIPQualifyPeerDone":   {Name: "SIPQualifyPeerDone", Classes: []string{"call"}, Removed: "21", Headers: []catalog.Header{{Name: "Peer"}, {Name: "ActionID", Optional: true}}},
	} {
		got, ok := catalog.LookupEvent(name)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s (%v) (-want +got):\n%s", name, ok, diff)
		}
	}
	if got, ok := catalog.LookupEvent("Hangups"); ok || got.Name != "" {
		t.Errorf("there is a %+v", got)
	}
	for _, name := range []string{"MonitorStart", "SessionTimeout", "DeviceEntry", "SIPpeerstatusComplete", "VoicemailUserEntry"} {
		if _, ok := catalog.LookupEvent(name); !ok {
			t.Errorf("there is no %s", name)
		}
	}
}

// The tables fit each other: the events that end and fill lists are there, what is only in answers is in one, and each
// name is there once, as are an event's headers.
func TestEventsFitActions(t *testing.T) {
	var ends []string
	for _, a := range catalog.Actions() {
		if a.EndEvent == "" {
			continue
		}
		ends = append(ends, a.EndEvent)
		if _, ok := catalog.LookupEvent(a.EndEvent); !ok {
			t.Errorf("%s ends with %s, which is no event", a.Name, a.EndEvent)
		}
	}
	classes := strings.Fields("system call log verbose command agent user config dtmf reporting cdr dialplan agi cc aoc test security message")
	for _, e := range catalog.Events() {
		if len(e.Classes) == 0 && len(e.Answers) == 0 && !slices.Contains(ends, e.Name) {
			t.Errorf("%s comes neither by itself nor in an answer", e.Name)
		}
		for _, c := range e.Classes {
			if !slices.Contains(classes, c) {
				t.Errorf("%s: there is no class %s", e.Name, c)
			}
		}
		for _, a := range e.Answers {
			if _, ok := catalog.Lookup(a); !ok {
				t.Errorf("%s is in the answers to %s, which is no action", e.Name, a)
			}
		}
		if len(e.Headers) == 0 && !e.Open {
			t.Errorf("%s has no headers", e.Name)
		}
		seen := make(map[string]bool)
		for _, h := range e.Headers {
			if key := strings.ToLower(h.Name); seen[key] || strings.Trim(h.Name, "{}?*. ") != h.Name {
				t.Errorf("%s: header %q", e.Name, h.Name)
			} else {
				seen[key] = true
			}
		}
	}
}

// preamble is what manager.c puts in front of any event.
var preamble = []string{"Event", "Privilege", "Timestamp", "SequenceNumber", "File", "Line", "Func", "SystemName"}

// notCatalogued are headers in the captures that are nobody's.
var notCatalogued = map[string]string{
	"Newexten Forged": "a raw newline in AppData, which Asterisk does not escape",
}

// What real servers sent is in the catalogue: events, their classes, and their headers by spelling and order.
func TestCaptures(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "testdata", "captures", "*.raw"))
	if err != nil || len(files) < 100 {
		t.Fatalf("%d captures: %v", len(files), err)
	}
	seen := make(map[string]bool)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// Some items come without a blank line between them.
		packets := strings.NewReplacer("\r\nEvent: ", "\n\nEvent: ", "\r\n", "\n").Replace(string(text))
		for packet := range strings.SplitSeq(packets, "\n\n") {
			packet = strings.TrimLeft(packet, "\n")
			if name, ok := strings.CutPrefix(packet, "Event: "); ok {
				name, _, _ = strings.Cut(name, "\n")
				seen[name] = true
				for _, wrong := range unlike(name, strings.Split(packet, "\n")) {
					t.Errorf("%s: %s: %s", filepath.Base(file), name, wrong)
				}
			}
		}
	}
	if len(seen) < 80 {
		t.Errorf("only %d events in the captures", len(seen))
	}
}

// unlike says where a packet is not as the catalogue has it.
func unlike(name string, lines []string) (wrong []string) {
	e, ok := catalog.LookupEvent(name)
	if !ok || e.Name != name {
		return []string{"the catalogue has " + e.Name}
	}
	next, there := 0, make(map[string]bool)
	for _, line := range lines {
		header, value, _ := strings.Cut(line, ":")
		there[header] = true
		if header == "Privilege" && value != " Call" { // as Status says, by hand, in answers
			if diff := cmp.Diff(strings.Join(append(e.Classes, "all"), ","), strings.TrimSpace(value)); diff != "" {
				wrong = append(wrong, "classes: "+diff)
			}
		}
		if slices.Contains(preamble, header) || notCatalogued[name+" "+header] != "" {
			continue
		}
		at := slices.IndexFunc(e.Headers, func(h catalog.Header) bool { return h.Name == header })
		switch {
		case at < 0 && !e.Open:
			wrong = append(wrong, "unknown header "+header)
		case at >= 0 && at < next-1, at >= 0 && at == next-1 && !e.Headers[at].Repeats:
			if !e.Open {
				wrong = append(wrong, header+" is out of order")
			}
		case at >= 0:
			next = at + 1
		}
	}
	for _, h := range e.Headers {
		if !h.Optional && !there[h.Name] {
			wrong = append(wrong, "no header "+h.Name)
		}
	}
	return wrong
}
