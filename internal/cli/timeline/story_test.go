package timeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// packet makes an event of its name and headers: "Hangup", "Uniqueid: 1", …
func packet(t *testing.T, name string, headers ...string) *wire.Message {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte("Event: " + strings.Join(append([]string{name}, headers...), "\r\n") + "\r\n\r\n"))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	m = m.Clone()
	return &m
}

// What events tell of the call, in words: whom each is about, and the other channels of the call by their numbers.
func TestWords(t *testing.T) {
	for text, event := range map[string][]string{
		"1 begins 100@in":                         {"Newchannel", "Exten: 100", "Context: in"},
		"1 begins":                                {"Newchannel", "Exten: s", "Context: in"},
		"1 is up":                                 {"Newstate", "ChannelStateDesc: Up"},
		"1 is ringing":                            {"NEWSTATE", "ChannelStateDesc: Ringing"},
		"1 100@in Dial(PJSIP/x)":                  {"Newexten", "Exten: 100", "Context: in", "Application: Dial", "AppData: PJSIP/x"},
		"1 Echo()":                                {"Newexten", "Application: Echo"},
		"1 is called 100 Ann":                     {"NewCallerid", "CallerIDNum: 100", "CallerIDName: Ann"},
		"1 is called 100":                         {"NewCallerid", "CallerIDNum: 100", "CallerIDName: <unknown>"},
		"1 is called Ann":                         {"NewCallerid", "CallerIDNum: <unknown>", "CallerIDName: Ann"},
		"1 is called 200":                         {"NewCallerid", "CallerIDNum: 200", "CallerIDName: 200"},
		"1 is called nobody":                      {"NewCallerid", "CallerIDNum: <unknown>", "CallerIDName: <unknown>"},
		"1 sees 200 Bob":                          {"NewConnectedLine", "ConnectedLineNum: 200", "ConnectedLineName: Bob"},
		"1 sees nobody":                           {"NewConnectedLine"},
		"1 is now X-1":                            {"Rename", "Newname: X-1"},
		"1 dials 2":                               {"DialBegin", "DestUniqueid: 2", "DestChannel: PJSIP/b-2"},
		"1 dials PJSIP/c-3":                       {"DialBegin", "DestUniqueid: 3", "DestChannel: PJSIP/c-3"},
		"1 dials 2: ringing":                      {"DialState", "DestUniqueid: 2", "DialStatus: RINGING"},
		"1 dialled 2: busy":                       {"DialEnd", "DestUniqueid: 2", "DialStatus: BUSY"},
		"1 enters bridge A":                       {"BridgeEnter", "BridgeUniqueid: b1"},
		"1 leaves bridge A":                       {"BridgeLeave", "BridgeUniqueid: b1"},
		"1 holds":                                 {"Hold"},
		"1 resumes":                               {"Unhold"},
		"1 hears music loud":                      {"MusicOnHoldStart", "Class: loud"},
		"1 music ends":                            {"MusicOnHoldStop"},
		"1 DTMF 5 received":                       {"DTMFEnd", "Digit: 5", "Direction: Received"},
		"1 waits in sales, place 3":               {"QueueCallerJoin", "Queue: sales", "Position: 3"},
		"1 leaves sales":                          {"QueueCallerLeave", "Queue: sales"},
		"1 gives up on sales":                     {"QueueCallerAbandon", "Queue: sales"},
		"1 rings member Ann":                      {"AgentCalled", "MemberName: Ann"},
		"1 gets member Ann":                       {"AgentConnect", "MemberName: Ann"},
		"1 no answer from member Ann":             {"AgentRingNoAnswer", "MemberName: Ann"},
		"1 done with member Ann, by caller":       {"AgentComplete", "MemberName: Ann", "Reason: caller"},
		"1 transfers blind to 300":                {"BlindTransfer", "Extension: 300"},
		"1 transfers attended to 2":               {"AttendedTransfer", "TransferTargetUniqueid: 2"},
		"1 transfers attended to PJSIP/c-3":       {"AttendedTransfer", "TransferTargetUniqueid: 3", "TransferTargetChannel: PJSIP/c-3"},
		"1 transfers attended to 300 Cat":         {"AttendedTransfer", "SecondTransfererConnectedLineNum: 300", "SecondTransfererConnectedLineName: Cat"},
		"1 picks up 2":                            {"Pickup", "TargetUniqueid: 2"},
		"1 is parked at 701":                      {"ParkedCall", "ParkingSpace: 701"},
		"1 is retrieved by 2":                     {"UnParkedCall", "RetrieverUniqueid: 2"},
		"1 was parked for too long":               {"ParkedCallTimeOut"},
		"1 gives up being parked":                 {"ParkedCallGiveUp"},
		"1 is joined with 2":                      {"LocalBridge", "LocalTwoUniqueid: 2"},
		"1 is being optimised away for PJSIP/d-4": {"LocalOptimizationBegin", "SourceChannel: PJSIP/d-4"},
		"1 A=b":                                    {"VarSet", "Variable: A", "Value: b"},
		"1 joins conference room":                  {"ConfbridgeJoin", "Conference: room"},
		"1 leaves conference room":                 {"ConfbridgeLeave", "Conference: room"},
		"1 hangs up":                               {"HangupRequest"},
		"1 is asked to hang up":                    {"SoftHangupRequest"},
		"1 ends: 17 User busy":                     {"Hangup", "Cause: 17", "Cause-txt: User busy"},
		"1 MixMonitorStart":                        {"MixMonitorStart"},
		"1 is called 100 Ann \x1b[31m of the east": {"NewCallerid", "CallerIDNum: 100", "CallerIDName: Ann \x1b[31m  of  the east"},
	} {
		tl := New("1")
		tl.Join("1", "1", "PJSIP/a-1")
		tl.Join("2", "1", "PJSIP/b-2")
		l, got := tl.Words(packet(t, event[0], append([]string{"Uniqueid: 1", "Linkedid: 1"}, event[1:]...)...))
		if l == nil || fmt.Sprintf("%d %s", l.number, got) != text {
			t.Errorf("%v: %v %q, want %q", event, l, got, text)
		}
	}
}

// An event is about the first of its channels that is the call's; a dial without a caller is about who is dialled.
func TestWhomWordsAreAbout(t *testing.T) {
	tl := New("1")
	tl.Join("1", "1", "PJSIP/a-1")
	tl.Join("2", "1", "PJSIP/b-2")
	for text, m := range map[string]*wire.Message{
		"2 is dialled":   packet(t, "DialBegin", "DestUniqueid: 2"),
		"2 picks up x-9": packet(t, "Pickup", "TargetUniqueid: 9", "TargetChannel: x-9", "Uniqueid: 2"),
		"2 holds":        packet(t, "Hold", "Uniqueid: 2"),
		"none":           packet(t, "Hold", "Uniqueid: 9"),
		"none ":          packet(t, "FullyBooted"),
	} {
		l, got := tl.Words(m)
		if l != nil {
			got = fmt.Sprintf("%d %s", l.number, got)
		}
		if want := strings.TrimSpace(strings.TrimPrefix(text, "none")); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Bridges have letters, then numbers, and keep them.
func TestBridgesHaveLetters(t *testing.T) {
	tl := New("1")
	tl.Join("1", "", "")
	name := func(bridge int) string {
		_, text := tl.Words(packet(t, "BridgeEnter", "Uniqueid: 1", fmt.Sprintf("BridgeUniqueid: b%d", bridge)))
		return strings.TrimPrefix(text, "enters bridge ")
	}
	var got []string
	for i := range 28 {
		got = append(got, name(i))
	}
	want := append(strings.Split("ABCDEFGHIJKLMNOPQRSTUVWXYZ", ""), "27", "28")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for i := range 3 * mostIDs {
		name(i)
	}
	if name(2) != "C" || name(26) != "27" || len(tl.bridges) != mostIDs {
		t.Errorf("later they are %s and %s, of %d", name(2), name(26), len(tl.bridges))
	}
}
