package ami_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// answering greets, and answers a Ping and what reply knows; size reaches reply as it is.
func answering(size int, reply func(p *peer, action, id string, size int) (known bool)) func(*peer) {
	return func(p *peer) {
		if !p.greet() {
			return
		}
		for {
			a, ok := p.action()
			if !ok {
				return
			}
			if !reply(p, a["Action"], a["ActionID"], size) {
				p.send("Response: Success\nActionID: %s\nPing: Pong\n\n", a["ActionID"])
			}
		}
	}
}

// lineOf returns a header line of exactly n bytes, its end not counted.
func lineOf(n int) string { return "A: " + strings.Repeat("x", n-3) }

// answerOf answers Try with exactly size bytes, the blank line at the end not counted.
func answerOf(head, line, mark string) func(p *peer, action, id string, size int) bool {
	return func(p *peer, action, id string, size int) bool {
		if action != "Try" {
			return false
		}
		text := fmt.Sprintf(head, id)
		rest := size - len(text) - strings.Count(text, "\n")
		text += strings.Repeat(line+strings.Repeat("x", 98-len(line))+"\n", rest/100-1)
		p.send("%s%s\n\n", text, line+strings.Repeat("y", 98+rest%100-len(line)-len(mark))+mark)
		return true
	}
}

// A capTest sends exactly size of what a cap counts.
type capTest struct {
	name   string
	limits wire.Limits
	cap    int
	what   string // of the *wire.LimitError
	reply  func(p *peer, action, id string, size int) bool
}

var capTests = []capTest{
	{"line of an event", wire.Limits{Line: 2000}, 2000, "line", func(p *peer, action, id string, size int) bool {
		if action == "Try" {
			p.send("Event: E\n%s\n\nResponse: Success\nActionID: %s\n\n", lineOf(size), id)
		}
		return action == "Try"
	}},
	{"headers of an event", wire.Limits{Headers: 20}, 20, "headers", func(p *peer, action, id string, size int) bool {
		if action == "Try" {
			p.send("Event: E\n%s\nResponse: Success\nActionID: %s\n\n", strings.Repeat("A: b\n", size-1), id)
		}
		return action == "Try"
	}},
	{"an event", wire.Limits{Packet: 4000}, 4000, "packet", func(p *peer, action, id string, size int) bool {
		if action == "Try" {
			rest := size - len("Event: E\r\n")
			p.send("Event: E\n%s%s\n\n", strings.Repeat(lineOf(98)+"\n", rest/100-1), lineOf(98+rest%100))
			p.send("Response: Success\nActionID: %s\n\n", id)
		}
		return action == "Try"
	}},
	{"an answer", wire.Limits{Line: 200, Headers: 5, Packet: 300, Answer: 4000}, 4000, "answer", answerOf("Response: Success\nActionID: %s\n", "A: ", "")},
	{"an answer in one line", wire.Limits{Line: 200, Headers: 5, Packet: 300, Answer: 4000}, 4000, "answer", func(p *peer, action, id string, size int) bool {
		if action == "Try" {
			head := "Response: Success\nActionID: " + id + "\n"
			p.send("%s%s\n\n", head, lineOf(size-len(head)-2-2))
		}
		return action == "Try"
	}},
	{"output of a Command", wire.Limits{Answer: 4000}, 4000, "answer", answerOf("Response: Success\nActionID: %s\n", "Output: ", "")},
	{"text of an old Command", wire.Limits{Answer: 4000}, 4000, "answer", answerOf("Response: Follows\nPrivilege: Command\nActionID: %s\n", "", "--END COMMAND--")},
}

// A node beside a hostile one must not notice.
func untouched(t *testing.T, n *amitest.Network) (check func()) {
	t.Helper()
	s := amitest.NewServer(amitest.WithNetwork(n), amitest.WithName("neighbour"))
	t.Cleanup(s.Close)
	c := mustDial(t, ami.Config{Addr: s.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Dial: n.DialContext})
	return func() {
		t.Helper()
		start := time.Now()
		if _, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil || time.Since(start) > time.Second {
			t.Errorf("the neighbour suffers: %v after %v", err, time.Since(start))
		}
	}
}

func TestCapsOfAPacket(t *testing.T) {
	for _, tt := range capTests {
		for _, size := range []int{tt.cap - 1, tt.cap, tt.cap + 1} {
			t.Run(fmt.Sprintf("%s of %d", tt.name, size), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n, cfg := scripted(t, answering(size, tt.reply))
					cfg.Limits.Wire = tt.limits
					check := untouched(t, n)
					c := mustDial(t, cfg)
					_, err := c.Do(t.Context(), ami.NewAction("Try"))
					check()
					if size <= tt.cap {
						if err != nil {
							t.Fatalf("within the limit of %d: %v", tt.cap, err)
						}
						if _, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil {
							t.Errorf("behind it: %v", err)
						}
						return
					}
					var limit *wire.LimitError
					if !errors.As(err, &limit) || limit.What != tt.what || limit.Limit != tt.cap {
						t.Fatalf("over the limit of %d: %v", tt.cap, err)
					}
					oe := wantOp(t, err, "do", ami.ErrProtocol)
					if tt.what == "answer" { // which names the call: the session goes on
						if !errors.Is(err, ami.ErrListTooLong) || oe.Sent != ami.SentYes {
							t.Errorf("%v (sent %v)", err, oe.Sent)
						}
						if _, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil {
							t.Errorf("behind it: %v", err)
						}
						exact(t, c.Stats())
						return
					}
					if !errors.Is(err, ami.ErrDisconnected) || oe.Sent != ami.SentYes {
						t.Errorf("%v (sent %v)", err, oe.Sent)
					}
					<-c.Done()
					if !errors.Is(c.Err(), ami.ErrProtocol) {
						t.Errorf("the session died of %v", c.Err())
					}
					exact(t, c.Stats())
				})
			})
		}
	}
}

func TestCapOfTheBanner(t *testing.T) {
	const limit = 64
	for _, size := range []int{limit - 1, limit, limit + 1} {
		synctest.Test(t, func(t *testing.T) {
			_, cfg := scripted(t, func(p *peer) {
				const start = "Asterisk Call Manager/"
				p.send("%s%s\n", start, strings.Repeat("1", size-len(start)-1)) // its CR counts
				for {
					a, ok := p.action()
					if !ok {
						return
					}
					p.send("Response: Success\nActionID: %s\nChallenge: 1\n\n", a["ActionID"])
				}
			})
			cfg.Limits.Wire.Banner = limit
			c, err := ami.Dial(t.Context(), cfg)
			if size <= limit {
				if err != nil {
					t.Fatalf("%d bytes: %v", size, err)
				}
				_ = c.Close()
				return
			}
			wantOp(t, err, "banner", ami.ErrProtocol)
			if l := new(wire.LimitError); !errors.As(err, &l) || l.What != "banner" {
				t.Errorf("%d bytes: %v", size, err)
			}
		})
	}
}

// listOf answers a QueueStatus with n items.
func listOf(n int) func(*peer, string, string, int) bool {
	return func(p *peer, action, id string, _ int) bool {
		if action != "QueueStatus" {
			return false
		}
		p.send("Response: Success\nActionID: %s\nEventList: start\n\n", id)
		for i := range n {
			p.send("Event: QueueParams\nActionID: %s\nQueue: %03d\n\n", id, i)
		}
		p.send("Event: QueueStatusComplete\nActionID: %s\nEventList: Complete\nListItems: %d\n\n", id, n)
		return true
	}
}

// A list over its caps is an error that carries what arrived; the session goes on.
func TestCapsOfAList(t *testing.T) {
	const items = 10
	synctest.Test(t, func(t *testing.T) {
		n, cfg := scripted(t, answering(0, listOf(items)))
		c := mustDial(t, cfg)
		whole, err := c.Do(t.Context(), ami.NewAction("QueueStatus"))
		if err != nil || len(whole.Events) != items {
			t.Fatalf("%v %v", whole, err)
		}
		bytes := 0
		for _, ev := range whole.Events {
			bytes += inside.Of(&ev.Message).Size()
		}
		last := inside.Of(&whole.Events[items-1].Message).Size()
		check := untouched(t, n)
		for _, tt := range []struct {
			name         string
			items, bytes int
			want         int // items that come
		}{
			{"items, one spare", items + 1, 0, items},
			{"items, exactly", items, 0, items},
			{"items, one too many", items - 1, 0, items - 1},
			{"bytes, one spare", 0, bytes + 1, items},
			{"bytes, exactly", 0, bytes, items},
			{"bytes, one too many", 0, bytes - 1, items - 1},
			{"bytes, an item too many", 0, bytes - last, items - 1},
		} {
			cfg.Limits.ListItems, cfg.Limits.ListBytes = tt.items, tt.bytes
			c := mustDial(t, cfg)
			for range 3 { // what a list held is given back
				r, err := c.Do(t.Context(), ami.NewAction("QueueStatus"))
				if r == nil || len(r.Events) != tt.want {
					t.Fatalf("%s: %v %v, want %d items", tt.name, r, err, tt.want)
				}
				if (err == nil) != (tt.want == items) {
					t.Errorf("%s: %v", tt.name, err)
				}
				if err != nil {
					wantOp(t, err, "do", ami.ErrListTooLong)
				}
				if _, err := c.Do(t.Context(), ami.NewAction("Ping")); err != nil {
					t.Errorf("%s: behind it: %v", tt.name, err)
				}
			}
			synctest.Wait()
			st := c.Stats()
			exact(t, st)
			if st.Pending != 0 {
				t.Errorf("%s: %d slots taken at rest", tt.name, st.Pending)
			}
		}
		check()
	})
}

// The bytes of lists are capped for all of a session's lists together.
func TestCapOfManyListsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			var ids []string
			for range 10 {
				a, ok := p.action()
				if !ok {
					return
				}
				ids = append(ids, a["ActionID"])
				p.send("Response: Success\nActionID: %s\nEventList: start\n\n", a["ActionID"])
			}
			for range 100 { // a liar mixes its lists
				for _, id := range ids {
					p.send("Event: E\nActionID: %s\nPad: %s\n\n", id, strings.Repeat("x", 1000))
				}
			}
			p.drain()
		})
		cfg.Limits.ListBytes = 100 << 10
		c := mustDial(t, cfg)
		b := &ami.Batch[uint64]{}
		for i := range 10 {
			if err := b.Submit(t.Context(), c, ami.Action{Name: "QueueStatus", Timeout: time.Minute}, uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
		held := 0
		for range 10 {
			r, err := b.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !errors.Is(r.Err, ami.ErrListTooLong) && !errors.Is(r.Err, ami.ErrTimeout) {
				t.Errorf("ended with %v", r.Err)
			}
			if r.Reply != nil {
				for _, ev := range r.Reply.Events {
					held += inside.Of(&ev.Message).Size()
				}
			}
		}
		if held > 10*cfg.Limits.ListBytes {
			t.Errorf("the lists held %d bytes", held)
		}
	})
}

// The items of all lists that a server mixes count together.
func TestCapOfTheItemsOfManyLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lists, most = 10, 50
		_, cfg := scripted(t, func(p *peer) {
			if !p.greet() {
				return
			}
			var ids []string
			for range lists {
				a, ok := p.action()
				if !ok {
					return
				}
				ids = append(ids, a["ActionID"])
				p.send("Response: Success\nActionID: %s\nEventList: start\n\n", a["ActionID"])
			}
			for range most/lists + 1 {
				for _, id := range ids {
					p.send("Event: E\nActionID: %s\n\n", id)
				}
			}
			for _, id := range ids {
				p.send("Event: EComplete\nActionID: %s\nEventList: Complete\n\n", id)
			}
			p.drain()
		})
		cfg.Limits.ListItems = most
		c := mustDial(t, cfg)
		b := &ami.Batch[uint64]{}
		for i := range lists {
			if err := b.Submit(t.Context(), c, ami.NewAction("QueueStatus"), uint64(i)); err != nil {
				t.Fatal(err)
			}
		}
		cut := 0
		for range lists {
			r, err := b.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if errors.Is(r.Err, ami.ErrListTooLong) {
				if cut++; len(r.Reply.Events) != most/lists {
					t.Errorf("list %d was cut off after %d items, want %d", r.Value, len(r.Reply.Events), most/lists)
				}
			} else if r.Err != nil || len(r.Reply.Events) != most/lists+1 {
				t.Errorf("list %d: %v, %d items", r.Value, r.Err, len(r.Reply.Events))
			}
		}
		if cut != 2 { // each makes room for five more items
			t.Errorf("%d of %d lists were cut off", cut, lists)
		}
		exact(t, c.Stats())
	})
}

func TestCapOfUnauthenticatedBytes(t *testing.T) {
	const limit = 4096
	junk := func(n int) string {
		const packet = "Event: Junk\r\nA: b\r\n\r\n"
		s := strings.Repeat(packet, n/len(packet)-1)
		return s + "Event: Junk\r\nA: b" + strings.Repeat("b", n-len(s)-len(packet)) + "\r\n\r\n"
	}
	banner := "Asterisk Call Manager/11.0.0\r\n"
	for _, size := range []int{limit - 1, limit, limit + 1} {
		synctest.Test(t, func(t *testing.T) {
			_, cfg := scripted(t, func(p *peer) {
				_, _ = p.Write([]byte(banner + junk(size-len(banner))))
				a, ok := p.action()
				if !ok {
					return
				}
				time.Sleep(time.Second)
				p.send("Response: Success\nActionID: %s\n\n", a["ActionID"])
				p.drain()
			})
			cfg.Limits.Unauthorized, cfg.Auth = limit, ami.AuthPlain
			c, err := ami.Dial(t.Context(), cfg)
			if size <= limit {
				if err != nil {
					t.Fatalf("%d bytes before the answer: %v", size, err)
				}
				_ = c.Close()
				return
			}
			wantOp(t, err, "login", ami.ErrProtocol)
		})
	}
}
