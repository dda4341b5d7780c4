package ami_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
)

// odd plays a server with the odd answers that were seen, and Pong and Done for the rest. %s is the ActionID.
func odd(answers map[string]string) func(*peer) {
	return func(p *peer) {
		p.serve(func(a map[string]string, id string) {
			switch text, ok := answers[a["Action"]]; {
			case ok:
				_, _ = p.Write([]byte(strings.ReplaceAll(text, "%s", id)))
			case a["Action"] == "Ping":
				p.send("Response: Success\nActionID: %s\nPing: Pong\n\n", id)
			default:
				p.send("Response: Success\nActionID: %s\nMark: %s\n\n", id, a["Mark"])
			}
		})
	}
}

const (
	start = "Response: Success\r\nActionID: %s\r\nEventList: start\r\nMessage: list will follow\r\n\r\n"
	end   = "Event: DevicelistComplete\r\nActionID: %s\r\nEventList: Complete\r\nListItems: 2\r\n\r\n"
)

func device(name string) string {
	return "Event: DeviceEntry\r\nActionID: %s\r\nObjectName: " + name + "\r\n"
}

// An oddAnswer is what an odd answer is handed out as.
type oddAnswer struct {
	Message, Raw, End  string // End: the event's name
	Items              []string
	Fenced, Incomplete bool
	Err                string
}

func seenOf(reply *ami.Reply, err error) (o oddAnswer) {
	if err != nil {
		o.Err = err.Error()
	}
	if reply == nil {
		return o
	}
	o.Message, o.Raw, o.End, o.Fenced, o.Incomplete = reply.Get("Message"), reply.Raw, reply.End.Name(), reply.Fenced, reply.Incomplete
	for i := range reply.Events {
		ev := &reply.Events[i]
		text := ev.Get("ObjectName")
		if text == "" {
			_, text = ev.Line(0)
		}
		o.Items = append(o.Items, text)
	}
	return o
}

const skinnyPhone = "Channeltype: SKINNY\r\nObjectName: phone1\r\n\r\n"

// oddAnswers are actions, what a server sends to each, and what the caller gets.
var oddAnswers = []struct {
	name, action, text string
	want               oddAnswer
}{
	{"nothing but a blank line", "IAXnetstats", "\r\n", oddAnswer{Fenced: true}},
	{"nothing at all", "SKINNYshowline", "", oddAnswer{Fenced: true}},
	{"raw text", "Queues", "support has 0 calls\r\n   No Members\r\n\r\n", oddAnswer{Raw: "support has 0 calls\r\n   No Members\r\n\r\n", Fenced: true}},
	{"raw text in paragraphs", "Queues", "a has 0 calls\n   1\n\nb has 0 calls\n   2\n\n", oddAnswer{Raw: "a has 0 calls\n   1\n\nb has 0 calls\n   2\n\n", Fenced: true}},
	{"headers", "SKINNYshowdevice", skinnyPhone + "\r\n", oddAnswer{Raw: skinnyPhone, Fenced: true}},
	{"headers of an action that nobody knows", "VendorShow", skinnyPhone, oddAnswer{Raw: skinnyPhone, Fenced: true}},
	{
		"a response without the ActionID", "VendorShow", "Response: Success\r\nMessage: fine\r\n\r\n",
		oddAnswer{Message: "fine", Raw: "Response: Success\r\nMessage: fine\r\n\r\n", Fenced: true},
	},
	{
		"a refusal without the ActionID", "VendorShow", "Response: Error\r\nMessage: no such\r\n\r\n",
		oddAnswer{Message: "no such", Raw: "Response: Error\r\nMessage: no such\r\n\r\n", Fenced: true, Err: "ami: do VendorShow on fake:5038: no such"},
	},
	{
		"a list whose end has none", "SCCPListDevices", start + device("1") + "\r\n" + device("2") + "\r\nEvent: SCCPListDevicesComplete\r\nEventList: Complete\r\nListItems: 2\r\n\r\n",
		oddAnswer{Message: "list will follow", Items: []string{"1", "2"}, End: "SCCPListDevicesComplete", Fenced: true},
	},
	{
		"one whose items have none either, whose end says no EventList", "VendorList", start + "Event: DeviceEntry\r\nObjectName: 1\r\n\r\nEvent: VendorListComplete\r\n\r\n",
		oddAnswer{Message: "list will follow", Items: []string{"1"}, End: "VendorListComplete", Fenced: true},
	},
	{
		"no blank lines between", "SKINNYdevices", start + device("1") + device("2") + end,
		oddAnswer{Message: "list will follow", Items: []string{"1", "2"}, End: "DevicelistComplete"},
	},
	{
		"nor an ActionID at the end", "SCCPShowDevices", start + device("1") + device("2") + "Event: SCCPListDevicesComplete\r\nEventList: Complete\r\nListItems: 2\r\n\r\n",
		oddAnswer{Message: "list will follow", Items: []string{"1", "2"}, End: "SCCPListDevicesComplete", Fenced: true},
	},
	{
		"items that are no events", "SCCPListDevices", start + "Devicename: A\r\nDevicename: B\r\nEvent: SCCPListDevicesComplete\r\nEventList: Complete\r\nListItems: 2\r\n\r\n",
		oddAnswer{Message: "list will follow", Raw: "Devicename: A\r\nDevicename: B\r\nEvent: SCCPListDevicesComplete\r\nEventList: Complete\r\nListItems: 2\r\n\r\n", Fenced: true},
	},
	{
		"items without Event, with the ActionID", "VendorList", start + "ObjectName: 1\r\nActionID: %s\r\n\r\nActionID: %s\r\nObjectName: 2\r\n\r\n" + end,
		oddAnswer{Message: "list will follow", Items: []string{"1", "2"}, End: "DevicelistComplete"},
	},
	{
		"an end without Event", "SCCPConfigMetaData", start + "Event: SegmentEntry\r\nObjectName: general\r\n\r\nEvent: SegmentlistComplete\r\n\r\nEventList: Complete\r\nListItems: 2\r\nActionID: %s\r\n\r\n",
		oddAnswer{Message: "list will follow", Items: []string{"general", "SegmentlistComplete"}},
	},
	{
		"a Command of a module's own", "SCCPConfigMetaData", "Response: Follows\r\nPriviledge: Command\r\nActionID: %s\r\nMessage: {}\r\n\r\n",
		oddAnswer{Message: "{}"},
	},
	{
		"a Command without its end mark", "Command", "Response: Follows\r\nPrivilege: Command\r\nActionID: %s\r\nMessage: {}\r\n\r\n",
		oddAnswer{},
	},
	{
		"fewer items than announced", "QueueStatus", start + device("1") + "\r\n" + end,
		oddAnswer{Message: "list will follow", Items: []string{"1"}, End: "DevicelistComplete", Incomplete: true},
	},
	{
		"more items than announced, as real servers have it", "DBGetTree", start + device("1") + "\r\n" + device("2") + "\r\n" + device("3") + "\r\n" + end,
		oddAnswer{Message: "list will follow", Items: []string{"1", "2", "3"}, End: "DevicelistComplete"},
	},
	{
		"cancelled", "QueueStatus", start + device("1") + "\r\nEvent: QueueStatusComplete\r\nActionID: %s\r\nEventList: Cancelled\r\nListItems: 1\r\n\r\n",
		oddAnswer{Message: "list will follow", Items: []string{"1"}, End: "QueueStatusComplete", Incomplete: true},
	},
}

// Answers that do not say which action they answer, or do not end as they should, end at once all the same, with what came.
func TestOddAnswers(t *testing.T) {
	for _, tt := range oddAnswers {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, cfg := scripted(t, odd(map[string]string{tt.action: tt.text}))
				c := mustDial(t, cfg)
				began := time.Now()
				got := seenOf(c.Do(t.Context(), ami.NewAction(tt.action)))
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
				if d := time.Since(began); d > time.Second {
					t.Errorf("it took %v", d)
				}
				if r, err := c.Do(t.Context(), ami.NewAction("After", "Mark", "1")); err != nil || r.Get("Mark") != "1" {
					t.Errorf("behind it: %v %v", r, err)
				}
				synctest.Wait()
				if st := c.Stats(); !st.Ledger.Exact() || st.Ledger.InFlight != 0 || st.Pending != 0 {
					t.Errorf("ledger %+v, %d slots taken", st.Ledger, st.Pending)
				}
			})
		})
	}
}

// Of many actions in flight each gets its own answer, named or not, and a fence takes nobody else's.
func TestOddAnswersAmongOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := map[string]string{
			"IAXnetstats": "\r\n", "Queues": "the queues\r\n\r\n", "VendorShow": "vendor text\r\n\r\n",
			"SKINNYdevices":   start + device("1") + device("2") + end,
			"SCCPListDevices": start + device("1") + "\r\nEvent: SCCPListDevicesComplete\r\nEventList: Complete\r\nListItems: 1\r\n\r\n",
		}
		_, cfg := scripted(t, odd(answers))
		c := mustDial(t, cfg)
		b := &ami.Batch[uint64]{}
		actions := []string{"Mark", "IAXnetstats", "Mark", "Queues", "VendorShow", "SKINNYdevices", "Mark", "SCCPListDevices", "Queues", "VendorShow"}
		const rounds = 30
		for i := range rounds * len(actions) {
			a := ami.NewAction(actions[i%len(actions)], "Mark", fmt.Sprint(i))
			if err := b.Submit(t.Context(), c, a, uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
		for range rounds * len(actions) {
			r, err := b.Next(t.Context())
			if err != nil || r.Err != nil {
				t.Fatalf("%v %v", err, r.Err)
			}
			switch got := seenOf(r.Reply, nil); actions[int(r.Value)%len(actions)] {
			case "Mark":
				if r.Reply.Get("Mark") != fmt.Sprint(r.Value) || got.Fenced {
					t.Errorf("%d: %+v", r.Value, got)
				}
			case "IAXnetstats":
				if got.Raw != "" || !got.Fenced {
					t.Errorf("%d: %+v", r.Value, got)
				}
			case "Queues":
				if got.Raw != "the queues\r\n\r\n" || !got.Fenced {
					t.Errorf("%d: %+v", r.Value, got)
				}
			case "VendorShow":
				if got.Raw != "vendor text\r\n\r\n" || !got.Fenced {
					t.Errorf("%d: %+v", r.Value, got)
				}
			case "SKINNYdevices":
				if len(got.Items) != 2 || got.Fenced {
					t.Errorf("%d: %+v", r.Value, got)
				}
			case "SCCPListDevices":
				if len(got.Items) != 1 || !got.Fenced {
					t.Errorf("%d: %+v", r.Value, got)
				}
			}
		}
		synctest.Wait()
		exact(t, c.Stats())
	})
}

// Two actions that the server does not know to name, sent at once: neither takes the other's answer, and neither waits
// for its timeout.
func TestOddAnswersThatCannotBeToldApart(t *testing.T) {
	for _, second := range []string{"second text\r\n\r\n", ""} {
		synctest.Test(t, func(t *testing.T) {
			_, cfg := scripted(t, odd(map[string]string{"One": "first text\r\n\r\n", "Two": second}))
			c := mustDial(t, cfg)
			b := &ami.Batch[uint64]{}
			began := time.Now()
			for i, name := range []string{"Before", "One", "Two", "After"} {
				if err := b.Submit(t.Context(), c, ami.NewAction(name, "Mark", name), uint64(i)); err != nil {
					t.Fatal(err)
				}
			}
			for range 4 {
				r, _ := b.Next(t.Context())
				if named := r.Value == 0 || r.Value == 3; named != (r.Err == nil) || !named && (r.Reply.Raw != "" || !errors.Is(r.Err, ami.ErrProtocol)) {
					t.Errorf("%d: %+v %v", r.Value, seenOf(r.Reply, nil), r.Err)
				}
			}
			if d := time.Since(began); d > time.Second {
				t.Errorf("it took %v", d)
			}
			exact(t, c.Stats())
		})
	}
}

// Text that belongs to an action which nobody waits for any more is nobody's.
func TestOddAnswerOfAZombie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			p.serve(func(a map[string]string, id string) {
				switch a["Action"] {
				case "Slow":
					time.Sleep(5 * time.Second)
					p.send("late text\n\n")
				case "Ping":
					p.send("Response: Success\nActionID: %s\nPing: Pong\n\n", id)
				default:
					time.Sleep(3 * time.Second)
					p.send("own text\n\n")
				}
			})
		})
		c := mustDial(t, cfg)
		began := time.Now()
		go func() { _, _ = c.Do(t.Context(), ami.Action{Name: "Slow", Timeout: time.Second}) }()
		synctest.Wait()
		got := seenOf(c.Do(t.Context(), ami.NewAction("Next")))
		if got.Raw != "" || !got.Incomplete || !strings.Contains(got.Err, "cannot be told") {
			t.Errorf("%+v", got)
		}
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("it took %v", d)
		}
		exact(t, c.Stats())
	})
}

// A server that answers slowly, and text that an event left behind: the named answer is the answer.
func TestStrayTextBeforeAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			p.serve(func(a map[string]string, id string) {
				if a["Action"] == "Command" {
					p.send("left over by an event\n\n")
					time.Sleep(5 * time.Second)
				}
				p.send("Response: Success\nActionID: %s\nMark: %s\n\n", id, a["Action"])
			})
		})
		c := mustDial(t, cfg)
		r, err := c.Do(t.Context(), ami.NewAction("Command"))
		if err != nil || r.Get("Mark") != "Command" || r.Fenced || r.Raw != "" {
			t.Errorf("%+v %v", seenOf(r, err), err)
		}
		if st := c.Stats(); st.Raw != 1 {
			t.Errorf("%d raw packets counted", st.Raw)
		}
		exact(t, c.Stats())
	})
}

// An answer may have 16 MiB, however it is laid out. Beyond that the call is an error, and the session goes on.
func TestLargeAnswers(t *testing.T) {
	const mib = 1 << 20
	lines := func(bytes, line int) string {
		return strings.Repeat("Line-000000-000000: "+strings.Repeat("x", line-22)+"\r\n", bytes/line)
	}
	for _, tt := range []struct {
		name, text string
		ok         bool
	}{
		{"GetConfig of 3 MiB", "Response: Success\r\nActionID: %s\r\n" + lines(3*mib, 30) + "\r\n", true},
		{"GetConfig of 15 MiB", "Response: Success\r\nActionID: %s\r\n" + lines(15*mib, 40) + "\r\n", true},
		{"GetConfigJSON of 15 MiB", "Response: Success\r\nActionID: %s\r\nJSON: " + strings.Repeat("x", 15*mib) + "\r\n\r\n", true},
		{"raw text of 2 MiB", lines(2*mib, 64) + "\r\n", true},
		{"GetConfig of 20 MiB", "Response: Success\r\nActionID: %s\r\n" + lines(20*mib, 40) + "\r\n", false},
		{"GetConfigJSON of 20 MiB", "Response: Success\r\nActionID: %s\r\nJSON: " + strings.Repeat("x", 20*mib) + "\r\n\r\n", false},
		{"old Command of 20 MiB", "Response: Follows\r\nPrivilege: Command\r\nActionID: %s\r\n" + lines(20*mib, 40) + "\n\nx--END COMMAND--\r\n\r\n", false},
		{"raw text of 20 MiB", lines(20*mib, 64) + "\r\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, cfg := scripted(t, odd(map[string]string{"Large": tt.text}))
				c := mustDial(t, cfg)
				r, err := c.Do(t.Context(), ami.NewAction("Large"))
				switch {
				case tt.ok && (err != nil || len(r.Text())+len(r.Raw) < len(tt.text)):
					t.Errorf("%v", err)
				case !tt.ok && !errors.Is(err, ami.ErrListTooLong):
					t.Errorf("beyond the limit: %v", err)
				}
				if r, err := c.Do(t.Context(), ami.NewAction("After", "Mark", "1")); err != nil || r.Get("Mark") != "1" {
					t.Errorf("behind it: %v", err)
				}
				exact(t, c.Stats())
			})
		})
	}
}

// What came of a list that does not end is handed out with the error.
func TestListCutOff(t *testing.T) {
	items := start + device("1") + "\r\n" + device("2") + "\r\n"
	for _, tt := range []struct {
		name  string
		do    func(c *ami.Conn) (*ami.Reply, error)
		text  string
		close bool
		cause error
	}{
		{"timeout", func(c *ami.Conn) (*ami.Reply, error) {
			return c.Do(context.Background(), ami.Action{Name: "List", Timeout: time.Second})
		}, items, false, ami.ErrTimeout},
		{"deadline", func(c *ami.Conn) (*ami.Reply, error) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			return c.Do(ctx, ami.NewAction("List"))
		}, items, false, ami.ErrTimeout},
		{"cancelled", func(c *ami.Conn) (*ami.Reply, error) {
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(time.Second, cancel)
			return c.Do(ctx, ami.NewAction("List"))
		}, items, false, ami.ErrCancelled},
		{"the session ends", func(c *ami.Conn) (*ami.Reply, error) {
			return c.Do(context.Background(), ami.NewAction("List"))
		}, items, true, ami.ErrDisconnected},
		{"in a batch", func(c *ami.Conn) (*ami.Reply, error) {
			b := &ami.Batch[uint64]{}
			if err := b.Submit(context.Background(), c, ami.Action{Name: "List", Timeout: time.Second}, 1); err != nil {
				return nil, err
			}
			r, _ := b.Next(context.Background())
			return r.Reply, r.Err
		}, items, false, ami.ErrTimeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, cfg := scripted(t, func(p *peer) {
					p.serve(func(a map[string]string, id string) {
						_, _ = p.Write([]byte(strings.ReplaceAll(tt.text, "%s", id)))
						if tt.close {
							time.Sleep(time.Second)
							p.Close()
						}
					})
				})
				c := mustDial(t, cfg)
				reply, err := tt.do(c)
				got := seenOf(reply, nil)
				if diff := cmp.Diff(oddAnswer{Message: "list will follow", Items: []string{"1", "2"}, Incomplete: true}, got); diff != "" {
					t.Errorf("answer (-want +got):\n%s", diff)
				}
				if !errors.Is(err, tt.cause) {
					t.Errorf("error %v", err)
				}
				if reply != nil && reply.Items != 2 {
					t.Errorf("%d items", reply.Items)
				}
				exact(t, c.Stats())
			})
		})
	}
}

// Whoever asks for them gets the packets that are neither event nor answer; nobody else does.
func TestSubscribePackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			p.serve(func(a map[string]string, id string) {
				if a["Action"] == "Work" { // and not the fence that the response without an ActionID brings
					p.send("Event: One\nPrivilege: call,all\n\nsome text\n\nResponse: Success\nMessage: whose\n\n")
					p.send("Response: Success\nActionID: other\n\nEvent: Two\nPrivilege: call,all\n\n")
				}
				p.send("Response: Success\nActionID: %s\n\n", id)
			})
		})
		c := mustDial(t, cfg)
		subscribe := func(o ami.SubscribeOptions) *ami.Subscription {
			s, err := c.Subscribe(o)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		where, err := ami.ParseWhere("Message=whose")
		if err != nil {
			t.Fatal(err)
		}
		subs := map[string]*ami.Subscription{
			"events":        subscribe(ami.SubscribeOptions{}),
			"all":           subscribe(ami.SubscribeOptions{Packets: true}),
			"some and two":  subscribe(ami.SubscribeOptions{Packets: true, Events: []string{"Two"}}),
			"chosen packet": subscribe(ami.SubscribeOptions{Packets: true, Where: where}),
		}
		if _, err := c.Do(t.Context(), ami.NewAction("Work")); err != nil {
			t.Fatal(err)
		}
		got := map[string][]string{}
		for name, s := range subs {
			for ev, ok := s.Poll(); ok; ev, ok = s.Poll() {
				_, v := ev.Line(0)
				got[name] = append(got[name], ev.Kind().String()+" "+v)
			}
			if st := s.Stats(); st.Offered != st.Filtered+st.Delivered {
				t.Errorf("%s: %+v", name, st)
			}
		}
		want := map[string][]string{
			"events":        {"event One", "event Two"},
			"all":           {"event One", "raw some text", "response Success", "response Success", "event Two"},
			"some and two":  {"raw some text", "response Success", "response Success", "event Two"},
			"chosen packet": {"response Success"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
