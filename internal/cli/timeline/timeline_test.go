package timeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Which events are a call's, whatever it is named by, and which channels they bring in.
func TestTake(t *testing.T) {
	events := func(t *testing.T) []*wire.Message {
		return []*wire.Message{
			packet(t, "Newchannel", "Channel: PJSIP/a-1", "Uniqueid: 1", "Linkedid: 1"),
			packet(t, "Newchannel", "Channel: PJSIP/z-9", "Uniqueid: 9", "Linkedid: 9"),
			packet(t, "DialBegin", "Channel: PJSIP/a-1", "Uniqueid: 1", "Linkedid: 1", "DestChannel: PJSIP/b-2", "DestUniqueid: 2", "DestLinkedid: 1"),
			packet(t, "CEL", "Channel: PJSIP/b-2", "UniqueID: 2", "LinkedID: 1"),
			packet(t, "BridgeCreate", "BridgeUniqueid: 1"),
			packet(t, "FullyBooted", "Uptime: 1"),
			packet(t, "Hold", "Channel: PJSIP/b-2", "Uniqueid: 2"),
			packet(t, "Hold", "Uniqueid: ", "Linkedid: "),
			packet(t, "Newstate", "Channel: PJSIP/z-9", "Uniqueid: 9", "Linkedid: 1"), // joined
			packet(t, "Hold", "Uniqueid: 9", "Linkedid: 9"),
		}
	}
	const all = "1 0 1 1 0 0 1 0 1 1"
	for id, want := range map[string]string{
		"1":          all,
		"PJSIP/a-1":  all,
		"2":          "0 0 1 1 0 0 1 0 1 1", // told from where it is first seen; who wants more begins again
		"9":          "0 1 0 0 0 0 0 0 1 1",
		"PJSIP/z-9":  "0 1 0 0 0 0 0 0 1 1",
		"7":          "0 0 0 0 0 0 0 0 0 0",
		"PJSIP/none": "0 0 0 0 0 0 0 0 0 0",
	} {
		tl := New(id)
		var got []string
		for _, m := range events(t) {
			got = append(got, fmt.Sprint(map[bool]int{true: 1}[tl.Take(m)]))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %s, want %s", id, text, want)
		}
	}
}

// A call knows how many channels it has, had at once, and whether the last one is gone.
func TestCourseOfACall(t *testing.T) {
	tl := New("1")
	type course struct {
		Legs, Most, Known int
		Over              bool
	}
	look := func() course { return course{tl.Legs(), tl.Most(), tl.Known(), tl.Over()} }
	got := []course{look()}
	step := func(name string, headers ...string) {
		tl.Take(packet(t, name, headers...))
		got = append(got, look())
	}
	step("Newchannel", "Channel: a", "Uniqueid: 1", "Linkedid: 1")
	step("Newchannel", "Channel: b", "Uniqueid: 2", "Linkedid: 1")
	step("Hangup", "Channel: b", "Uniqueid: 2", "Linkedid: 1")
	step("Hangup", "Channel: b", "Uniqueid: 2", "Linkedid: 1") // again
	step("Newchannel", "Channel: c", "Uniqueid: 3", "Linkedid: 1")
	step("Hangup", "Channel: a", "Uniqueid: 1", "Linkedid: 1")
	step("hangup", "Channel: c", "Uniqueid: 3", "Linkedid: 1")
	tl.Again()
	got = append(got, look())
	want := []course{
		{0, 1, 1, false},
		{1, 1, 1, false},
		{2, 2, 2, false},
		{2, 2, 2, false},
		{2, 2, 2, false},
		{3, 2, 3, false},
		{3, 2, 3, false},
		{3, 2, 3, true},
		{0, 2, 3, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A leg has the name that its channel has by then.
func TestLegsAreRenamed(t *testing.T) {
	tl := New("1")
	if l := tl.Join("1", "1", "a"); l == nil || l.name != "a" || tl.Leg("1") != l || tl.Leg("2") != nil {
		t.Errorf("the first leg is %v", l)
	}
	name := func(want string, event string, headers ...string) {
		t.Helper()
		if tl.Take(packet(t, event, headers...)); tl.Leg("1").name != want {
			t.Errorf("after %s it is %s, want %s", event, tl.Leg("1").name, want)
		}
	}
	name("a", "Hold", "Uniqueid: 1")
	name("b", "Rename", "Channel: a", "Newname: b", "Uniqueid: 1")
	name("b", "Newstate", "Channel: b", "Uniqueid: 1")
	name("c", "Newstate", "Channel: c", "Uniqueid: 1")
	name("c", "Rename", "Channel: x", "Newname: y", "Uniqueid: 2")
}

// A server that invents channels of one call without end fills no memory.
func TestMostLegs(t *testing.T) {
	tl := New("1")
	for i := range 3 * mostLegs {
		tl.Join(fmt.Sprint("u", i), fmt.Sprint("l", i), "x")
	}
	if tl.Legs() != mostLegs || tl.Most() != mostLegs || tl.Known() != mostIDs {
		t.Errorf("%d legs, %d at once, %d names", tl.Legs(), tl.Most(), tl.Known())
	}
	if tl.Leg(fmt.Sprint("u", mostLegs-1)) == nil || tl.Leg(fmt.Sprint("u", mostLegs)) != nil {
		t.Error("others than the first are kept")
	}
}

func TestShows(t *testing.T) {
	for _, test := range []struct {
		names, event string
		want         bool
	}{
		{"", "Hangup", true},
		{"", "VarSet", false},
		{"", "varset", false},
		{"", "RTCPSent", false},
		{"", "ChannelTalkingStart", false},
		{"VarSet", "VarSet", true},
		{"VarSet", "Hangup", false},
		{"Hold Hang*", "hangup", true},
		{"*", "RTCPSent", true},
	} {
		if got := Shows(strings.Fields(test.names), test.event); got != test.want {
			t.Errorf("%s of %q: %v", test.event, test.names, got)
		}
	}
}
