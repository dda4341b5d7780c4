package output

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
)

func event(t *testing.T, packet string) ami.Event {
	t.Helper()
	return ami.Event{Message: message(t, packet)}
}

// replies are packets, and the rest of the line that each becomes.
var replies = []struct {
	name   string
	packet string
	origin Origin
	events []string
	end    string
	want   string
}{
	{
		"lifted headers leave the fields", "Response: Success\r\nActionID: x\r\nMessage: done\r\nA: 1\r\n\r\n",
		Origin{Action: "Ping", ID: "7", Line: 3},
		nil, "",
		`"action":"Ping","id":"7","line":3,"response":"Success","message":"done","rtt_us":812,"fields":{"A":"1"}}`,
	},
	{
		"a list: items without their ActionID, and the count", "Response: Success\r\nActionID: x\r\nEventList: start\r\nMessage: m\r\n\r\n",
		Origin{Action: "QueueStatus"},
		[]string{"Event: QueueParams\r\nActionID: x\r\nQueue: a\r\n\r\n", "Event: QueueMember\r\nActionID: x\r\nQueue: b\r\n\r\n"},
		"Event: QueueStatusComplete\r\nEventList: Complete\r\n\r\n",
		`"action":"QueueStatus","response":"Success","message":"m","rtt_us":812,"fields":{},"events":[{"event":"QueueParams","fields":{"Queue":"a"}},{"event":"QueueMember","fields":{"Queue":"b"}}],"items":2}`,
	},
	{
		"an empty list has events", "Response: Success\r\nEventList: start\r\n\r\n",
		Origin{Action: "X"},
		nil, "Event: XComplete\r\nEventList: Complete\r\n\r\n",
		`"action":"X","response":"Success","rtt_us":812,"fields":{},"events":[],"items":0}`,
	},
	{
		"a Command, new form", "Response: Success\r\nMessage: Command output follows\r\nOutput:   a\r\nOutput: \r\n\r\n",
		Origin{Action: "Command"},
		nil, "",
		`"action":"Command","response":"Success","message":"Command output follows","rtt_us":812,"fields":{},"output":["  a",""]}`,
	},
	{
		"a Command, old form", "Response: Follows\r\nPrivilege: Command\r\nActionID: x\r\n  a: b\n\nc\n--END COMMAND--\r\n\r\n",
		Origin{Action: "Command"},
		nil, "",
		`"action":"Command","response":"Follows","rtt_us":812,"fields":{"Privilege":"Command"},"output":["  a: b","","c"]}`,
	},
	{
		"Output of another action is a field that repeats no more than it does", "Response: Success\r\nA: 1\r\nA: 2\r\nbare\r\n\r\n",
		Origin{Action: "GetConfig"},
		nil, "",
		`"action":"GetConfig","response":"Success","rtt_us":812,"fields":{"A":"1"},"multi":{"A":["1","2"]},"text":["bare"]}`,
	},
	{
		"an Originate that was waited for", "Response: Success\r\nMessage: Originate successfully queued\r\n\r\n",
		Origin{Action: "Originate"},
		nil, "Event: OriginateResponse\r\nActionID: x\r\nResponse: Failure\r\nReason: 5\r\n\r\n",
		`"action":"Originate","response":"Success","message":"Originate successfully queued","outcome":"busy","rtt_us":812,"fields":{},"end":{"event":"OriginateResponse","fields":{"Response":"Failure","Reason":"5"}}}`,
	},
}

func TestAppendReply(t *testing.T) {
	const prefix = `{"type":"reply","node":"pbx1","time":"2026-11-23T12:00:00.123456Z","ts":1795435200.123456,`
	for _, tt := range replies {
		t.Run(tt.name, func(t *testing.T) {
			r := &ami.Reply{Message: message(t, tt.packet), Node: "pbx1", Received: noon, RTT: 812 * time.Microsecond}
			for _, e := range tt.events {
				r.Events = append(r.Events, event(t, e))
			}
			if tt.end != "" {
				r.End = message(t, tt.end)
			}
			got := JSON{}.AppendReply(nil, r, &tt.origin)
			if diff := cmp.Diff(prefix+tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !json.Valid(got) {
				t.Error("not JSON")
			}
		})
	}
}

func TestAppendError(t *testing.T) {
	got := string(AppendError(nil, &Failure{
		Node: "pbx1", Time: noon, Origin: Origin{Action: "Ping", ID: "a", Line: 2}, Code: "timeout", Exit: 5, Sent: "yes", Message: "m\n", Hint: "h",
	}))
	want := `{"type":"error","node":"pbx1","time":"2026-11-23T12:00:00.123456Z","ts":1795435200.123456,"action":"Ping","id":"a","line":2,"code":"timeout","exit":5,"sent":"yes","message":"m\n","hint":"h"}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestTimestamp(t *testing.T) {
	for _, at := range []time.Time{noon, time.Unix(0, 0), time.Date(2000, 2, 29, 23, 59, 59, 999999999, time.UTC), time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("x", 3600))} {
		want := at.UTC().Truncate(time.Microsecond).Format(`"2006-01-02T15:04:05.000000Z"`)
		if got := string(appendTimestamp(nil, at)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
