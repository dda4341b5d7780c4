package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A step is something that a server says, and what is held then.
type step struct {
	say  func(*core)
	want string
}

var clockStart = time.Unix(1_800_000_000, 0).UTC()

func on(session uint64, event string, kv ...string) func(*core) {
	return func(c *core) { c.event("pbx", session, message(event, kv...), clockStart) }
}

func event(name string, kv ...string) func(*core) { return on(1, name, kv...) }

// channel is the headers of a channel.
func channel(id, state string, more ...string) []string {
	return append([]string{"Channel", "PJSIP/a-" + id, "ChannelState", state, "Uniqueid", id, "Linkedid", id}, more...)
}

// listed is the answer to a listing: whole, unless items say otherwise than they are.
func listed(part string, announced int, items ...*wire.Message) func(*core) {
	return listedOn(1, part, announced, items...)
}

func listedOn(session uint64, part string, announced int, items ...*wire.Message) func(*core) {
	return func(c *core) {
		for i := range listings {
			if l := &listings[i]; l.part == part {
				end := message("Complete", "EventList", "Complete", "ListItems", fmt.Sprint(announced))
				c.list("pbx", session, l, answer{items: items, end: end}, false, clockStart)
			}
		}
	}
}

func gap(c *core) { c.gap("pbx", ami.GapDisconnect, clockStart) }

// held tells what of it matters here.
func held(c *core) string {
	var all []string
	for _, s := range c.servers {
		s.objects(func(o Object) {
			switch o := o.(type) {
			case *Channel:
				all = append(all, strings.TrimSpace(o.Uniqueid+" "+o.State+" "+o.Bridge))
			case *Caller:
				all = append(all, fmt.Sprintf("%s waits %d", o.Uniqueid, o.Position))
			case *Bridge:
				all = append(all, fmt.Sprintf("%s has %d", o.ID, o.Count))
			case *Conference:
				all = append(all, o.Name)
			case *Device:
				all = append(all, o.Name+" "+o.State)
			case *Endpoint:
				all = append(all, o.Name)
			}
		})
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// listedChannel is a channel as a list has it.
func listedChannel(id, state string, more ...string) *wire.Message {
	return message("CoreShowChannel", channel(id, state, more...)...)
}

// listedCaller is one who waits in the queue q, as a list has him behind queueItself.
func listedCaller(id, position string) *wire.Message {
	return message("QueueEntry", "Queue", "q", "Position", position, "Uniqueid", id)
}

var queueItself = message("QueueParams", "Queue", "q")

// spliceRules are the rules by which lists and events are spliced, each as steps and what is held behind them.
var spliceRules = []struct {
	name  string
	steps []step
}{
	{"a list replaces the set", []step{
		{event("Newchannel", channel("1", "4")...), "1 ring"},
		{listed("channels", 1, listedChannel("2", "6")), "2 up"},
	}},
	{"what a list lacks is not brought back by what comes before its Hangup", []step{
		{event("Newchannel", channel("1", "4")...), "1 ring"},
		{listed("channels", 0), ""},
		{event("Newstate", channel("1", "6")...), ""},
		{event("BridgeEnter", channel("1", "6", "BridgeUniqueid", "b", "BridgeType", "basic")...), "b has 0"},
		{event("BridgeDestroy", "BridgeUniqueid", "b"), ""},
		{event("Hangup", channel("1", "6", "Cause", "16")...), ""},
		{event("Newchannel", channel("1", "4")...), "1 ring"}, // another one, if there could be
	}},
	{"what a list of this session had and the next lacks has an end to come, too", []step{
		{listed("channels", 1, listedChannel("1", "6")), "1 up"},
		{listed("channels", 0), ""},
		{event("Newexten", channel("1", "6")...), ""},
	}},
	{"what only an older session showed has none", []step{
		{event("Newchannel", channel("1", "4")...), "1 ring"},
		{gap, "1 ring"},
		{listedOn(2, "channels", 0), ""},
		{on(2, "Newchannel", channel("1", "4")...), "1 ring"}, // no tombstone keeps it away
	}},
	{"nor what was seen before an overflow", []step{
		{event("Newchannel", channel("1", "4")...), "1 ring"},
		{gap, "1 ring"},
		{listed("channels", 0), ""},
		{event("Newchannel", channel("1", "4")...), "1 ring"},
	}},
	{"what an event told of behind the gap has", []step{
		{event("Newchannel", channel("1", "4")...), "1 ring"},
		{gap, "1 ring"},
		{on(2, "Newstate", channel("1", "5")...), "1 ringing"},
		{listedOn(2, "channels", 0), ""},
		{on(2, "Newexten", channel("1", "5")...), ""},
	}},
	{"a list brings back what an earlier one lacked", []step{
		{event("Newchannel", channel("1", "4")...), "1 ring"},
		{listed("channels", 0), ""},
		{listed("channels", 1, listedChannel("1", "6")), "1 up"},
		{event("Newstate", channel("1", "7")...), "1 busy"},
	}},
	{"a late Newchannel lowers no state", []step{
		{listed("channels", 1, listedChannel("1", "6")), "1 up"},
		{event("Newchannel", channel("1", "0")...), "1 up"},
	}},
	{"a list that broke off takes nothing away", []step{
		{event("Newchannel", channel("1", "4")...), "1 ring"},
		{listed("channels", 2, listedChannel("2", "6")), "1 ring, 2 up"},
	}},
	{"and one without an end neither", []step{
		{event("Newchannel", channel("1", "4")...), "1 ring"},
		{func(c *core) { c.list("pbx", 1, &listings[0], answer{}, false, clockStart) }, "1 ring"},
	}},
	{"a list that announces too little is believed", []step{
		{listed("channels", 1, listedChannel("1", "6"), listedChannel("2", "6")), "1 up, 2 up"},
		{listed("channels", 0, listedChannel("2", "6")), "2 up"},
	}},
	{"a late end of one stay does not end the next", []step{
		{listed("bridges", 1, message("BridgeListItem", "BridgeUniqueid", "b")), "b has 0"},
		{listed("channels", 1, listedChannel("1", "6", "BridgeId", "b")), "1 up b, b has 1"},
		{event("BridgeLeave", channel("1", "6", "BridgeUniqueid", "a")...), "1 up b, b has 1"},
	}},
	{"a bridge that a list lacks lets its channels go", []step{
		{event("BridgeEnter", channel("1", "6", "BridgeUniqueid", "b", "BridgeType", "basic")...), "1 up b, b has 1"},
		{listed("bridges", 0), "1 up"},
		{event("BridgeEnter", channel("1", "6", "BridgeUniqueid", "b", "BridgeType", "basic")...), "1 up"},
	}},
	{"who a list told of is moved by no late Join", []step{
		{listed("queues", 3, queueItself, listedCaller("1", "1"), listedCaller("2", "2")), "1 waits 1, 2 waits 2"},
		{event("QueueCallerJoin", channel("2", "6", "Queue", "q", "Position", "3")...), "1 waits 1, 2 waits 2"},
	}},
	{"who a list lacks moves nobody when he leaves", []step{
		{event("QueueCallerJoin", channel("1", "6", "Queue", "q", "Position", "1")...), "1 waits 1"},
		{event("QueueCallerJoin", channel("2", "6", "Queue", "q", "Position", "2")...), "1 waits 1, 2 waits 2"},
		{listed("queues", 2, queueItself, listedCaller("2", "1")), "2 waits 1"},
		{event("QueueCallerLeave", channel("1", "6", "Queue", "q", "Position", "1")...), "2 waits 1"},
		{event("QueueCallerJoin", channel("3", "6", "Queue", "q", "Position", "1")...), "2 waits 2, 3 waits 1"},
		{event("QueueCallerLeave", channel("3", "6", "Queue", "q", "Position", "1")...), "2 waits 1"},
	}},
	{"who is taken out of a queue leaves it without an event: into a bridge", []step{
		{event("QueueCallerJoin", channel("1", "6", "Queue", "q", "Position", "1")...), "1 waits 1"},
		{event("QueueCallerJoin", channel("2", "6", "Queue", "q", "Position", "2")...), "1 waits 1, 2 waits 2"},
		{event("BridgeEnter", channel("1", "6", "BridgeUniqueid", "b", "BridgeType", "basic")...), "1 up b, 2 waits 1, b has 1"},
	}},
	{"or by a Redirect", []step{
		{event("QueueCallerJoin", channel("1", "6", "Queue", "q", "Position", "1")...), "1 waits 1"},
		{event("Newexten", channel("1", "6", "Application", "Queue")...), "1 up, 1 waits 1"},
		{event("Newexten", channel("1", "6", "Application", "Wait")...), "1 up"},
	}},
	{"and has none to come if a list lacked him", []step{
		{event("QueueCallerJoin", channel("1", "6", "Queue", "q", "Position", "1")...), "1 waits 1"},
		{listed("queues", 1, queueItself), ""},
		{event("BridgeEnter", channel("1", "6", "BridgeUniqueid", "b", "BridgeType", "basic")...), "1 up b, b has 1"},
		{event("BridgeLeave", channel("1", "6", "BridgeUniqueid", "b")...), "1 up, b has 0"},
		{event("QueueCallerJoin", channel("1", "6", "Queue", "q", "Position", "1")...), "1 up, 1 waits 1, b has 0"},
	}},
	{"who is hung up waits no more", []step{
		{event("Newchannel", channel("1", "6")...), "1 up"},
		{event("QueueCallerJoin", channel("1", "6", "Queue", "q", "Position", "1")...), "1 up, 1 waits 1"},
		{event("Hangup", channel("1", "6")...), ""},
	}},
	{"Asterisk tells of channels that it has hung up", []step{
		{event("Newchannel", channel("1", "6")...), "1 up"},
		{event("Hangup", channel("1", "6")...), ""},
		{event("NewCallerid", channel("1", "6")...), ""},
		{event("Newchannel", channel("1", "4")...), "1 ring"}, // an Originate may use an ID again
	}},
	{"nor do they in a session that began behind the Hangup", []step{
		{listed("channels", 0), ""},
		{event("NewCallerid", channel("1", "6")...), ""},
		{event("Newchannel", channel("2", "4")...), "2 ring"},
		{event("NewCallerid", channel("2", "4")...), "2 ring"},
		{gap, "2 ring"},
		{event("Newstate", channel("3", "6")...), "2 ring, 3 up"}, // its Newchannel may be missing
	}},
	{"a device that no list has is not told of again", []step{
		{event("DeviceStateChange", "Device", "Custom:x", "State", "INUSE"), "Custom:x in-use"},
		{listed("devices", 0), ""},
		{event("DeviceStateChange", "Device", "Custom:x", "State", "NOT_INUSE"), ""},
		{listed("devices", 1, message("DeviceStateChange", "Device", "Custom:x", "State", "INUSE")), "Custom:x in-use"},
	}},
	{"a list says nothing of what another one is about", []step{
		{listed("pjsip", 1, message("EndpointList", "ObjectName", "a")), "PJSIP/a"},
		{listed("sip", 1, message("PeerEntry", "ObjectName", "b")), "PJSIP/a, SIP/b"},
		{listed("pjsip", 1, message("EndpointList", "ObjectName", "c")), "PJSIP/c, SIP/b"},
		{listed("sip", 0), "PJSIP/c"},
	}},
	{"a part that may not be listed keeps what this session showed", []step{
		{event("Newchannel", channel("1", "4")...), "1 ring"},
		{gap, "1 ring"},
		{on(2, "Newchannel", channel("2", "4")...), "1 ring, 2 ring"},
		{func(c *core) {
			c.list("pbx", 2, &listings[0], answer{refused: true, refusal: "Permission denied"}, false, clockStart)
		}, "2 ring"},
	}},
}

// The rules by which lists and events are spliced, each with what would go wrong without it.
func TestSplice(t *testing.T) {
	for _, tt := range spliceRules {
		t.Run(tt.name, func(t *testing.T) {
			c := newCore(100, nil)
			for i, s := range tt.steps {
				s.say(c)
				if diff := cmp.Diff(s.want, held(c)); diff != "" {
					t.Fatalf("step %d: -want +got:\n%s", i, diff)
				}
				if err := c.check(); err != nil {
					t.Fatalf("step %d: %v", i, err)
				}
			}
		})
	}
}

// A call whose channels a list lacked waits for their Hangups, which tell how it ended.
func TestRecordWaitsForTheHangup(t *testing.T) {
	c := newCore(100, nil)
	event("Newchannel", channel("1", "4")...)(c)
	event("Newstate", channel("1", "6")...)(c)
	listed("channels", 0)(c)
	records := func() (got []string) {
		for _, ch := range c.take() {
			if r, ok := ch.Object.(*Record); ok {
				got = append(got, fmt.Sprintf("%s by %s, cause %d, partial %v", r.Outcome, r.By, r.Cause, r.Partial))
			}
		}
		return got
	}
	if got := records(); got != nil {
		t.Errorf("before the Hangup: %v", got)
	}
	event("HangupRequest", channel("1", "6", "Cause", "17")...)(c)
	event("Hangup", channel("1", "6", "Cause", "17", "Cause-txt", "User busy")...)(c)
	if diff := cmp.Diff([]string{"answered by caller, cause 17, partial false"}, records()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// One whose Hangup never comes ends all the same, and says so.
	event("Newchannel", channel("2", "4")...)(c)
	listed("channels", 0)(c)
	c.tick(clockStart.Add(tombTime + time.Second))
	if diff := cmp.Diff([]string{"unknown by , cause 0, partial true"}, records()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A call is up as long as one of its channels is; the Hangups that are still to come tell only how it ended.
func TestCallWhoseChannelsAListLacks(t *testing.T) {
	c := newCore(100, nil)
	calls := func() (all []string) {
		c.servers["pbx"].objects(func(o Object) {
			if o, ok := o.(*Call); ok {
				all = append(all, fmt.Sprintf("%s: %d legs, %v", o.Linkedid, o.Legs, o.Channels))
			}
		})
		return all
	}
	far := channel("2", "6")
	far[7] = "1" // its Linkedid
	for i, s := range []struct {
		say  func(*core)
		want []string
	}{
		{event("Newchannel", channel("1", "6")...), []string{"1: 1 legs, [1]"}},
		{event("Newchannel", far...), []string{"1: 2 legs, [1 2]"}},
		{listed("channels", 1, message("CoreShowChannel", far...)), []string{"1: 1 legs, [2]"}},
		{listed("channels", 0), nil},
		{listed("channels", 1, message("CoreShowChannel", channel("1", "6")...)), []string{"1: 1 legs, [1]"}},
		{listed("channels", 0), nil},
		{event("Hangup", channel("1", "6", "Cause", "17")...), nil},
		{event("Hangup", far...), nil},
	} {
		s.say(c)
		if diff := cmp.Diff(s.want, calls()); diff != "" {
			t.Errorf("step %d: -want +got:\n%s", i, diff)
		}
		if err := c.check(); err != nil {
			t.Errorf("step %d: %v", i, err)
		}
	}
	if r := lastRecord(t, c); len(r.Legs) != 2 || r.Partial {
		t.Errorf("the record is %+v", r)
	}
}

// What a list has again did not end: its call is no more over when a tombstone would have fallen than before.
func TestCallThatIsListedAgain(t *testing.T) {
	c := newCore(100, nil)
	event("Newchannel", channel("1", "6")...)(c)
	listed("channels", 0)(c)
	listed("channels", 1, message("CoreShowChannel", channel("1", "6")...))(c)
	c.tick(clockStart.Add(tombTime + time.Second))
	for _, ch := range c.take() {
		if r, ok := ch.Object.(*Record); ok {
			t.Errorf("it ended: %+v", r)
		}
	}
	if got, calls := held(c), len(c.servers["pbx"].calls); got != "1 up" || calls != 1 {
		t.Errorf("%q is held, in %d calls", got, calls)
	}
}

// What tells of a channel in a session that began behind its Hangup keeps its call for a moment, and not until a tombstone
// falls: no end is to come.
func TestEchoOfAnEarlierSession(t *testing.T) {
	c := newCore(100, nil)
	on(2, "NewCallerid", channel("1", "6")...)(c)
	listedOn(2, "channels", 0)(c)
	c.tick(clockStart.Add(goneTime + time.Second))
	if n := len(c.servers["pbx"].calls); n != 0 {
		t.Errorf("%d calls are left", n)
	}
	if r := lastRecord(t, c); !r.Partial {
		t.Errorf("the record is %+v", r)
	}
}

// A call that was there before somebody looked says so when it ends.
func TestRecordOfACallThatWasListed(t *testing.T) {
	c := newCore(100, nil)
	listed("channels", 1, message("CoreShowChannel", channel("1", "6", "Duration", "00:01:00")...))(c)
	event("Hangup", channel("1", "6", "Cause", "16")...)(c)
	if r := lastRecord(t, c); !r.Partial || !r.Start.Equal(clockStart.Add(-time.Minute)) {
		t.Errorf("partial %v, since %v", r.Partial, r.Start)
	}
}

// Who was reached is not forgotten when he hangs up first, for an end of a Local channel that is still there.
func TestRecordOfLocalChannels(t *testing.T) {
	leg := func(id, name, state string) []string {
		return []string{"Channel", "Local/" + name, "ChannelState", state, "Uniqueid", id, "Linkedid", "1"}
	}
	legs := [][2]string{{"1", "100@d-1;1"}, {"2", "100@d-1;2"}, {"3", "202@d-2;1"}, {"4", "202@d-2;2"}}
	c := newCore(100, nil)
	for _, l := range legs {
		event("Newchannel", leg(l[0], l[1], "0")...)(c)
		event("Newstate", leg(l[0], l[1], "6")...)(c)
	}
	for _, l := range [][2]string{legs[2], legs[3], legs[0], legs[1]} {
		event("Hangup", leg(l[0], l[1], "6")...)(c)
	}
	if r := lastRecord(t, c); r.Caller.Endpoint != "Local/100@d" || r.Callee.Endpoint != "Local/202@d" || r.Callee.Uniqueid != "3" {
		t.Errorf("%+v called %+v", r.Caller, r.Callee)
	}
}

func lastRecord(t *testing.T, c *core) (last *Record) {
	t.Helper()
	for _, ch := range c.take() {
		if r, ok := ch.Object.(*Record); ok {
			last = r
		}
	}
	if last == nil {
		t.Fatal("no call ended")
	}
	return last
}
