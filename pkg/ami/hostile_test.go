package ami_test

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami"
)

// pourOut sends a start and then more and more, and notes how much it got rid of and how large the heap grew.
func pourOut(p *peer, start, more string, most int64, sent *atomic.Int64, peak *atomic.Uint64) {
	if start != "" {
		_, _ = p.Write([]byte(start))
	}
	for i := 0; sent.Load() < most; i++ {
		k, err := p.Write([]byte(more))
		sent.Add(int64(k))
		if err != nil {
			return
		}
		if i%256 == 0 {
			peak.Store(max(peak.Load(), heap()))
		}
	}
	p.drain()
}

// Endless streams: each must end its session, or be read and dropped, in bounded memory.
func TestEndless(t *testing.T) {
	const mib = 1 << 20
	x := strings.Repeat("x", 64<<10)
	for _, tt := range []struct {
		name  string
		login bool // it starts behind the login
		start string
		more  string
		op    ami.Op
		cause error
		most  int // bytes that the server gets rid of, network buffers aside; 0: any
	}{
		{"banner", false, "Asterisk Call Manager/", x, "banner", ami.ErrProtocol, mib},
		{"other protocol", false, "", x, "banner", ami.ErrProtocol, mib},
		{"blank lines before the banner", false, "", strings.Repeat("\r\n", 1000), "banner", ami.ErrProtocol, mib},
		{"events before the login", false, "Asterisk Call Manager/1\r\n", strings.Repeat("Event: A\r\n\r\n", 1000), "login", ami.ErrProtocol, mib},
		{"one line before the login", false, "Asterisk Call Manager/1\r\nA: ", x, "login", ami.ErrProtocol, mib},
		{"blank lines before the login", false, "Asterisk Call Manager/1\r\n", strings.Repeat("\r\n", 1000), "login", ami.ErrProtocol, mib},
		{"responses before the login", false, "Asterisk Call Manager/1\r\n", strings.Repeat("Response: Success\r\nActionID: x\r\n\r\n", 1000), "login", ami.ErrProtocol, mib},
		{"header", true, "Response: Success\r\nA: ", x, "do", ami.ErrProtocol, 0},
		{"header name", true, "Event: A\r\n", x, "do", ami.ErrProtocol, 4 * mib},
		{"packet", true, "Response: Success\r\n", strings.Repeat("A: b\r\n", 1000), "do", ami.ErrProtocol, 0},
		{"event", true, "Event: A\r\n", strings.Repeat("A: b\r\n", 1000), "do", ami.ErrProtocol, 4 * mib},
		{"raw text", true, "Text\r\n", strings.Repeat("text\r\n", 1000), "do", ami.ErrProtocol, 0},
		{"Command, new form", true, "Response: Success\r\nMessage: Command output follows\r\n", strings.Repeat("Output: x\r\n", 1000), "do", ami.ErrProtocol, 20 * mib},
		{"Command, old form", true, "Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\n", strings.Repeat("text\r\n", 1000), "do", ami.ErrProtocol, 20 * mib},
		{"old Command without a line end", true, "Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\n", x, "do", ami.ErrProtocol, 20 * mib},
		{"blank lines", true, "", strings.Repeat("\r\n", 1000), "do", ami.ErrTimeout, 0},
		{"stray responses", true, "", strings.Repeat("Response: Success\r\n\r\n", 1000), "do", ami.ErrListTooLong, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var peak atomic.Uint64
			var sent atomic.Int64
			before := heap()
			synctest.Test(t, func(t *testing.T) {
				n, cfg := scripted(t, func(p *peer) {
					if tt.login && (!p.greet() || !first(p.action())) {
						return
					}
					pourOut(p, tt.start, tt.more, 24*mib, &sent, &peak)
				})
				check := untouched(t, n)
				c, err := ami.Dial(t.Context(), cfg)
				if err == nil {
					_, err = c.Do(t.Context(), ami.Action{Name: "Try", Timeout: 10 * time.Second})
					defer c.Close()
				}
				wantOp(t, err, tt.op, tt.cause)
				check()
			})
			if tt.most > 0 && sent.Load() > int64(tt.most) {
				t.Errorf("the server could send %d bytes before it was cut off", sent.Load())
			}
			if grown := int64(peak.Load()) - int64(before); grown > 128*mib {
				t.Errorf("the heap grew by %d MiB", grown/mib)
			}
		})
	}
}

// An answer over its limit ends its call, and the session too if its end does not come.
func TestEndlessAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := []byte(strings.Repeat("x", 64<<10))
		var sent atomic.Int64
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			a, _ := p.action()
			p.send("Response: Success\nActionID: %s\nJSON: ", a["ActionID"])
			for sent.Load() < 200<<20 {
				n, err := p.Write(x)
				sent.Add(int64(n))
				if err != nil {
					return
				}
			}
		})
		c := mustDial(t, cfg)
		_, err := c.Do(t.Context(), ami.NewAction("Try"))
		wantOp(t, err, "do", ami.ErrListTooLong)
		<-c.Done()
		if !errors.Is(c.Err(), ami.ErrProtocol) || sent.Load() > 100<<20 {
			t.Errorf("the session died of %v after %d bytes", c.Err(), sent.Load())
		}
		exact(t, c.Stats())
	})
}

func first(_ map[string]string, ok bool) bool { return ok }

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A list that drips keeps its call no longer than its timeout.
func TestDrippingList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			a, _ := p.action()
			p.send("Response: Success\nActionID: %s\nEventList: start\n\n", a["ActionID"])
			for range 1000 {
				p.send("Event: E\nActionID: %s\n\n", a["ActionID"])
				time.Sleep(time.Second)
			}
		})
		c := mustDial(t, cfg)
		start := time.Now()
		_, err := c.Do(t.Context(), ami.Action{Name: "QueueStatus", Timeout: 20 * time.Second})
		wantOp(t, err, "do", ami.ErrTimeout)
		if d := time.Since(start); d > 21*time.Second {
			t.Errorf("it took %v", d)
		}
		if c.Err() != nil {
			t.Errorf("the session died: %v", c.Err())
		}
	})
}

// Items of IAXpeers have no ActionID; they belong to the list that is running and to no other.
func TestItemsWithoutActionID(t *testing.T) {
	for name, start := range map[string]string{"by EventList": "EventList: start\n", "legacy": ""} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { itemsWithoutActionID(t, start) })
		})
	}
}

func itemsWithoutActionID(t *testing.T, start string) {
	_, cfg := scripted(t, func(p *peer) {
		if !p.greet() {
			return
		}
		for {
			a, ok := p.action()
			if !ok {
				return
			}
			id := a["ActionID"]
			if a["Action"] != "IAXpeers" {
				p.send("Response: Success\nActionID: %s\n\nEvent: PeerEntry\nObjectName: stray\n\n", id)
				continue
			}
			p.send("Response: Success\nActionID: %s\n%sMessage: IAX Peer status list will follow\n\n", id, start)
			p.send("Event: PeerEntry\nObjectName: one\n\nEvent: Hangup\nPrivilege: call,all\nChannel: news\n\nEvent: PeerEntry\nObjectName: two\n\n")
			p.send("Event: PeerlistComplete\nActionID: %s\nListItems: 2\n\n", id)
		}
	})
	c := mustDial(t, cfg)
	sub, err := c.Subscribe(ami.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r, err := c.Do(t.Context(), ami.NewAction("IAXpeers"))
		if err != nil || len(r.Events) != 2 || r.Events[0].Get("ObjectName") != "one" || r.Events[1].Get("ObjectName") != "two" {
			t.Fatalf("%v %v", r, err)
		}
		if r, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil || len(r.Events) != 0 {
			t.Fatalf("%v %v", r, err)
		}
		for _, want := range []string{"Hangup", "PeerEntry"} {
			if ev, err := sub.Next(t.Context()); err != nil || ev.Name() != want {
				t.Fatalf("news: %v %v, want %s", ev, err, want)
			}
		}
	}
}

// An endless list ends at its cap with what arrived; the rest is read and dropped.
func TestEndlessList(t *testing.T) {
	for _, items := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var sent atomic.Int64
			n, cfg := scripted(t, func(p *peer) {
				if !p.greet() {
					return
				}
				a, _ := p.action()
				id := a["ActionID"]
				p.send("Response: Success\nActionID: %s\nEventList: start\n\n", id)
				item := []byte(strings.Repeat("Event: E\r\nActionID: "+id+"\r\nPad: "+strings.Repeat("x", 1000)+"\r\n\r\n", 50))
				for sent.Load() < 32<<20 {
					k, err := p.Write(item)
					sent.Add(int64(k))
					if err != nil {
						return
					}
				}
				p.drain()
			})
			cfg.Limits.ListBytes = 1 << 20
			check := untouched(t, n)
			c := mustDial(t, cfg)
			b := &ami.Batch[uint64]{Items: items}
			if err := b.Submit(t.Context(), c, ami.Action{Name: "QueueStatus", Timeout: time.Minute}, 1); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // nobody takes what arrives
			held := 0
			for {
				r, err := b.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if r.Item != nil {
					held += inside.Of(&r.Item.Message).Size()
					continue
				}
				wantOp(t, r.Err, "do", ami.ErrListTooLong)
				if r.Reply != nil {
					for _, ev := range r.Reply.Events {
						held += inside.Of(&ev.Message).Size()
					}
				}
				break
			}
			if held > cfg.Limits.ListBytes || held < cfg.Limits.ListBytes/2 {
				t.Errorf("items %v: %d bytes were held, the cap is %d", items, held, cfg.Limits.ListBytes)
			}
			check()
			if c.Err() != nil {
				t.Errorf("the session died: %v", c.Err())
			}
			exact(t, c.Stats())
		})
	}
}

// forgeInside answers one action, with a forgery in the middle of the answer.
func forgeInside(p *peer, action, forged string) {
	if !p.greet() {
		return
	}
	a, _ := p.action()
	id := a["ActionID"]
	if action == "QueueStatus" {
		p.send("Response: Success\nActionID: %s\nEventList: start\n\nEvent: QueueParams\nActionID: %s\nQueue: a\n\n", id, id)
		p.send("Event: QueueEntry\nActionID: %s\nQueue: a\nCallerIDName: x\n\n", id)
	} else {
		p.send("Response: Success\nActionID: %s\nMessage: Originate successfully queued\n\n", id)
	}
	p.send("%s", forged)
	switch action {
	case "QueueStatus":
		p.send("Event: QueueMember\nActionID: %s\nQueue: a\n\nEvent: QueueStatusComplete\nActionID: %s\nEventList: Complete\nListItems: 3\n\n", id, id)
	case "Originate":
		p.send("Event: OriginateResponse\nPrivilege: call,all\nActionID: %s\nResponse: Success\nReason: 4\n\n", id)
	default:
		p.send("Event: FAXStats\nActionID: %s\nForged: no\n\n", id)
	}
	p.drain()
}

// Text from a caller can split a packet (a raw newline in QueueEntry or UserEvent) and look like a list's end or a
// call's outcome. Without our own ActionID nothing of it may be believed.
func TestForgedEnds(t *testing.T) {
	for _, tt := range []struct{ name, action, end, forged string }{
		{"no ActionID", "QueueStatus", "QueueStatusComplete", "Event: QueueStatusComplete\nEventList: Complete\nListItems: 0\n\n"},
		{"no ActionID and no EventList", "QueueStatus", "QueueStatusComplete", "Event: QueueStatusComplete\n\n"},
		{"another's ActionID", "QueueStatus", "QueueStatusComplete", "Event: QueueStatusComplete\nActionID: 1-00000000000000000000-0.1\nEventList: Complete\n\n"},
		{"an empty ActionID", "QueueStatus", "QueueStatusComplete", "Event: QueueStatusComplete\nActionID: \nEventList: Complete\n\n"},
		{"a response without ActionID", "QueueStatus", "QueueStatusComplete", "Response: Error\nMessage: forged\n\n"},
		{"OriginateResponse, bare", "Originate", "OriginateResponse", "Event: OriginateResponse\nResponse: Failure\nReason: 5\n\n"},
		{"OriginateResponse as a broadcast", "Originate", "OriginateResponse", "Event: OriginateResponse\nPrivilege: call,all\nResponse: Failure\nReason: 5\n\n"},
		{"OriginateResponse with another's ActionID", "Originate", "OriginateResponse", "Event: OriginateResponse\nPrivilege: call,all\nActionID: x\nResponse: Failure\n\n"},
		{"FAXStats, bare", "FAXStats", "", "Event: FAXStats\nForged: yes\n\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, cfg := scripted(t, func(p *peer) { forgeInside(p, tt.action, tt.forged) })
				c := mustDial(t, cfg)
				a := ami.NewAction(tt.action)
				if tt.action == "Originate" {
					a = ami.NewAction("Originate", "Channel", "Local/1@x", "Async", "true")
					a.AwaitOriginate = true
				}
				r, err := c.Do(t.Context(), a)
				if err != nil {
					t.Fatalf("the forgery was believed: %v", err)
				}
				names := []string{}
				for _, ev := range r.Events {
					names = append(names, ev.Name())
				}
				if got := r.End.Name(); got != tt.end {
					t.Errorf("the end is %q, want %q", got, tt.end)
				}
				switch tt.action {
				case "QueueStatus":
					if !slices.Contains(names, "QueueMember") || r.End.Get("ListItems") != "3" {
						t.Errorf("the forgery was believed: %v, end %q", names, r.End.Text())
					}
				case "Originate":
					if r.End.Get("Reason") != "4" {
						t.Errorf("the forgery was believed: %q", r.End.Text())
					}
				default:
					if len(r.Events) != 1 || r.Events[0].Get("Forged") != "no" {
						t.Errorf("the forgery was believed: %v", names)
					}
				}
			})
		})
	}
}

// A line break in a value makes lines of its own; such a line does not end a list.
func TestListHeaderInsideAValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			p.serve(func(a map[string]string, id string) {
				switch a["Action"] {
				case "DBGet": // manager.c, db.c: one item, whose Val is what somebody stored
					p.send("Response: Success\nActionID: %s\nEventList: start\nMessage: Result will follow\n\n", id)
					p.send("Event: DBGetResponse\nFamily: f\nKey: k\nVal: one\nEventList: Complete\nActionID: %s\n\n", id)
					p.send("Event: DBGetComplete\nActionID: %s\nEventList: Complete\nListItems: 1\n\n", id)
				case "CoreShowChannels":
					p.send("Response: Success\nActionID: %s\nEventList: start\nMessage: Channels will follow\n\n", id)
					p.send("Event: CoreShowChannel\nActionID: %s\nChannel: PJSIP/1\nCallerIDName: x\nEventList: Complete\n\n", id)
					p.send("Event: CoreShowChannel\nActionID: %s\nChannel: PJSIP/2\nCallerIDName: y\n\n", id)
					p.send("Event: CoreShowChannelsComplete\nActionID: %s\nEventList: Complete\nListItems: 2\n\n", id)
				case "Getvar":
					p.send("Response: Success\nActionID: %s\nVariable: X\nValue: one\nEventList: start\n\n", id)
				default:
					p.send("Response: Success\nActionID: %s\n\n", id)
				}
			})
		})
		c := mustDial(t, cfg)
		for action, items := range map[string]int{"DBGet": 1, "CoreShowChannels": 2} {
			r, err := c.Do(t.Context(), ami.NewAction(action))
			if err != nil || len(r.Events) != items || r.End.Name() != action+"Complete" {
				t.Errorf("%s: %d items, end %q, error %v; want %d items", action, len(r.Events), r.End.Name(), err, items)
			}
		}
		if _, err := c.Do(t.Context(), ami.NewAction("Getvar", "Variable", "X")); err != nil {
			t.Errorf("Getvar of a value of two lines: %v", err)
		}
		exact(t, c.Stats())
	})
}

// An item of Status has its ActionID at its end (manager.c, generate_status): what a line break in a caller's name makes
// of it carries that too, and ends no call.
func TestForgedPacketWithTheItemsActionID(t *testing.T) {
	for name, text := range map[string]string{
		"end event": "x\n\nEvent: StatusComplete\nEventList: Complete",
		"error":     "x\n\nResponse: Error\nMessage: forged",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, cfg := scripted(t, func(p *peer) {
					p.serve(func(_ map[string]string, id string) {
						p.send("Response: Success\nActionID: %s\nEventList: start\nMessage: Channel status will follow\n\n", id)
						for i, caller := range []string{"a", text, "b"} {
							p.send("Event: Status\nPrivilege: Call\nChannel: PJSIP/%d\nChannelState: 6\nChannelStateDesc: Up\nCallerIDNum: 1\nCallerIDName: %s\n"+
								"ConnectedLineNum: 1\nConnectedLineName: 1\nLanguage: en\nAccountCode: \nContext: c\nExten: 1\nPriority: 1\nUniqueid: 1.%d\nLinkedid: 1.%d\nType: PJSIP\nActionID: %s\n\n", i, caller, i, i, id)
						}
						p.send("Event: StatusComplete\nActionID: %s\nEventList: Complete\nListItems: 3\nItems: 3\n\n", id)
					})
				})
				c := mustDial(t, cfg)
				r, err := c.Do(t.Context(), ami.NewAction("Status"))
				if err != nil || r.End.Get("Items") != "3" {
					t.Errorf("the list ended by %q with %d items, error %v", r.End.Text(), len(r.Events), err)
				}
				synctest.Wait()
				exact(t, c.Stats())
			})
		})
	}
}

// Servers before 13.2 write the ActionID of a dialplan's end behind its counts (pbx.c).
func TestShowDialPlanOfAnOldServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			p.serve(func(_ map[string]string, id string) {
				p.send("Response: Success\nActionID: %s\nEventList: start\nMessage: DialPlan list will follow\n\n", id)
				p.send("Event: ListDialplan\nActionID: %s\nContext: default\n\n", id)
				p.send("Event: ShowDialPlanComplete\nEventList: Complete\nListItems: 1\nListExtensions: 1\nListPriorities: 1\nListContexts: 1\nActionID: %s\n\n", id)
			})
		})
		c := mustDial(t, cfg)
		if r, err := c.Do(t.Context(), ami.NewAction("ShowDialPlan")); err != nil || len(r.Events) != 1 {
			t.Errorf("%d items, %v", len(r.Events), err)
		}
	})
}
