package ami_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A chapter is what changed in a call, and with which event.
type chapter struct {
	Event    string
	Channel  string // which channel is the call's: "" for the first, the channel's name without its number for another
	Answered bool
	Ended    bool
	Cause    string
}

// story feeds events to a follower and returns what became of the call on that channel.
func story(t *testing.T, events, id string) []chapter {
	t.Helper()
	var f ami.CallFollower
	call := f.Follow(id)
	wanted := map[string]bool{}
	for _, name := range ami.FollowedEvents() {
		wanted[name] = true
	}
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(events))
	var told []chapter
	var before chapter
	for {
		m, err := d.Next()
		if err != nil {
			break
		}
		if m.Kind() != wire.Event || !wanted[m.Name()] {
			continue
		}
		f.Event(&m)
		now := chapter{Answered: call.Answered, Ended: call.Ended, Cause: call.Cause}
		if call.Channel != id {
			now.Channel, _, _ = strings.Cut(call.Name, "-")
		}
		if now != before {
			before, now.Event = now, m.Name()
			told = append(told, now)
		}
	}
	return told
}

// What real servers send of calls whose first channel is not their last.
func TestFollowCaptures(t *testing.T) {
	for _, tt := range []struct {
		name string
		want []chapter
	}{
		{"asterisk22-originate-optimised", []chapter{
			{Event: "Newstate", Answered: true},
			{Event: "LocalOptimizationBegin", Channel: "Local/212@default", Answered: true},
			{Event: "Hangup", Channel: "Local/212@default", Answered: true, Ended: true, Cause: "16"},
		}},
		{"asterisk16-originate-optimised", []chapter{
			{Event: "Newstate", Answered: true},
			{Event: "LocalOptimizationBegin", Channel: "Local/212@default", Answered: true},
			{Event: "Hangup", Channel: "Local/212@default", Answered: true, Ended: true, Cause: "16"},
		}},
		{"asterisk22-originate-picked-up", []chapter{
			{Event: "Pickup", Channel: "Local/100@default", Answered: true},
			{Event: "Hangup", Channel: "Local/100@default", Answered: true, Ended: true, Cause: "16"},
		}},
		{"asterisk16-originate-picked-up", []chapter{
			{Event: "Pickup", Channel: "Local/100@default", Answered: true},
			{Event: "Hangup", Channel: "Local/100@default", Answered: true, Ended: true, Cause: "16"},
		}},
		{"asterisk22-originate-transferred", []chapter{
			{Event: "Newstate", Answered: true},
			{Event: "BlindTransfer", Channel: "Local/212@default", Answered: true},
			{Event: "Hangup", Channel: "Local/212@default", Answered: true, Ended: true, Cause: "16"},
		}},
		{"asterisk16-originate-transferred", []chapter{
			{Event: "Newstate", Answered: true},
			{Event: "BlindTransfer", Channel: "Local/212@default", Answered: true},
			{Event: "Hangup", Channel: "Local/212@default", Answered: true, Ended: true, Cause: "16"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data, err := os.ReadFile("../../testdata/captures/" + tt.name + ".raw")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, story(t, string(data), "followed-1")); diff != "" {
				t.Errorf("the call (-want +got):\n%s", diff)
			}
		})
	}
}

// event writes an event: its name, then headers.
func event(headers ...string) string {
	return "Event: " + strings.Join(headers, "\r\n") + "\r\n\r\n"
}

// wentUp says that the channel a is answered.
var wentUp = event("Newstate", "Channel: Local/1@d-1;1", "ChannelState: 6", "Uniqueid: a", "Linkedid: a")

func hangupOf(id, cause string) string {
	return event("Hangup", "Channel: x-1", "Uniqueid: "+id, "Cause: "+cause)
}

// followedCalls are events, and what each tells of the call that began as the channel a.
var followedCalls = []struct {
	name   string
	events string
	want   []chapter
}{
	{"an ordinary call", wentUp + hangupOf("a", "17"), []chapter{
		{Event: "Newstate", Answered: true},
		{Event: "Hangup", Answered: true, Ended: true, Cause: "17"},
	}},
	{"never answered", hangupOf("b", "16") + hangupOf("a", "21"), []chapter{{Event: "Hangup", Ended: true, Cause: "21"}}},
	{"answered, as its OriginateResponse says", event("OriginateResponse", "Response: Success", "Uniqueid: a"), []chapter{{Event: "OriginateResponse", Answered: true}}},
	{"failed, as its OriginateResponse says", event("OriginateResponse", "Response: Failure", "Uniqueid: a"), nil},
	{
		"the other half of the Local channel is ours",
		event("LocalOptimizationBegin", "LocalOneUniqueid: z", "LocalTwoUniqueid: a", "SourceUniqueid: h", "SourceChannel: SIP/h-1") + hangupOf("a", "16") + hangupOf("h", "19"),
		[]chapter{{Event: "LocalOptimizationBegin", Channel: "SIP/h"}, {Event: "Hangup", Channel: "SIP/h", Ended: true, Cause: "19"}},
	},
	{
		"the heir is named before it takes over, and ours goes first, whichever order",
		event("LocalOptimizationBegin", "LocalOneUniqueid: a", "LocalTwoUniqueid: z", "SourceUniqueid: h", "SourceChannel: SIP/h-1") + hangupOf("h", "19") + hangupOf("a", "16"),
		[]chapter{{Event: "LocalOptimizationBegin", Channel: "SIP/h"}, {Event: "Hangup"}, {Event: "Hangup", Ended: true, Cause: "16"}},
	},
	{
		"twice",
		event("LocalOptimizationBegin", "LocalOneUniqueid: a", "LocalTwoUniqueid: z", "SourceUniqueid: h", "SourceChannel: Local/h-1;1") + hangupOf("a", "16") +
			event("LocalOptimizationBegin", "LocalOneUniqueid: h", "LocalTwoUniqueid: y", "SourceUniqueid: i", "SourceChannel: SIP/i-1") + hangupOf("h", "16") + hangupOf("i", "16"),
		[]chapter{
			{Event: "LocalOptimizationBegin", Channel: "Local/h"},
			{Event: "LocalOptimizationBegin", Channel: "SIP/i"},
			{Event: "Hangup", Channel: "SIP/i", Ended: true, Cause: "16"},
		},
	},
	{
		"two bridges are merged: no source is named",
		wentUp + event("LocalOptimizationBegin", "LocalOneUniqueid: a", "LocalTwoUniqueid: z") +
			event("BridgeEnter", "Channel: SIP/stranger-1", "Uniqueid: s", "Linkedid: s") +
			event("BridgeEnter", "Channel: Local/1@d-1;2", "Uniqueid: z", "Linkedid: a") +
			event("BridgeEnter", "Channel: SIP/h-1", "Uniqueid: h", "Linkedid: a") + hangupOf("a", "16") + hangupOf("h", "18"),
		[]chapter{
			{Event: "Newstate", Answered: true},
			{Event: "BridgeEnter", Channel: "SIP/h", Answered: true},
			{Event: "Hangup", Channel: "SIP/h", Answered: true, Ended: true, Cause: "18"},
		},
	},
	{
		"another channel takes its place in the bridge",
		wentUp + event("BridgeEnter", "Channel: SIP/h-1", "Uniqueid: h", "SwapUniqueid: a") + hangupOf("a", "16") + hangupOf("h", "18"),
		[]chapter{
			{Event: "Newstate", Answered: true},
			{Event: "BridgeEnter", Channel: "SIP/h", Answered: true},
			{Event: "Hangup", Channel: "SIP/h", Answered: true, Ended: true, Cause: "18"},
		},
	},
	{
		"attended transfer by our party, on either of its channels",
		wentUp + event("AttendedTransfer", "Result: Success", "OrigTransfererUniqueid: x", "SecondTransfererUniqueid: a", "TransfereeUniqueid: h", "TransfereeChannel: SIP/h-1") +
			hangupOf("a", "16") + hangupOf("h", "18"),
		[]chapter{
			{Event: "Newstate", Answered: true},
			{Event: "AttendedTransfer", Channel: "SIP/h", Answered: true},
			{Event: "Hangup", Channel: "SIP/h", Answered: true, Ended: true, Cause: "18"},
		},
	},
	{
		"one that failed",
		wentUp + event("AttendedTransfer", "Result: Fail", "OrigTransfererUniqueid: a", "TransfereeUniqueid: h", "TransfereeChannel: SIP/h-1") + hangupOf("a", "16"),
		[]chapter{{Event: "Newstate", Answered: true}, {Event: "Hangup", Answered: true, Ended: true, Cause: "16"}},
	},
}

func TestFollow(t *testing.T) {
	for _, tt := range followedCalls {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, story(t, tt.events, "a")); diff != "" {
				t.Errorf("the call (-want +got):\n%s", diff)
			}
		})
	}
}

// Many calls at once do not mix, and one that is forgotten is told of no more.
func TestFollowManyCalls(t *testing.T) {
	var f ami.CallFollower
	one, two, gone := f.Follow("1"), f.Follow("2"), f.Follow("3")
	f.Forget(gone)
	feed := func(text string) *ami.FollowedCall {
		d := wire.NewDecoder(wire.Limits{})
		d.Feed([]byte(text))
		m, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		return f.Event(&m)
	}
	if got := feed(event("LocalOptimizationBegin", "LocalOneUniqueid: 1", "LocalTwoUniqueid: x", "SourceUniqueid: 9", "SourceChannel: SIP/9")); got != one {
		t.Errorf("the optimization of the first call is told of %+v", got)
	}
	if got := feed(event("Hangup", "Uniqueid: 3", "Cause: 16")); got != nil {
		t.Errorf("a forgotten call is told of: %+v", got)
	}
	if got := feed(event("Hangup", "Uniqueid: 2", "Cause: 17")); got != two || !two.Ended || two.Cause != "17" || one.Ended {
		t.Errorf("%+v, %+v", one, two)
	}
	feed(event("Hangup", "Uniqueid: 1", "Cause: 16"))
	if got := feed(event("Hangup", "Uniqueid: 9", "Cause: 19", "Cause-txt: No answer")); got != one || !one.Ended || one.Cause != "19" || one.CauseText != "No answer" {
		t.Errorf("%+v", one)
	}
	if got := feed(event("Hangup", "Uniqueid: 9", "Cause: 16")); got != nil {
		t.Errorf("a call that is over is told of: %+v", got)
	}
}
