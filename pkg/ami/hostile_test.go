package ami_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

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

// A capTest sends exactly size of what a cap counts.
type capTest struct {
	name   string
	limits wire.Limits
	cap    int
	what   string // of the *wire.LimitError
	reply  func(p *peer, action, id string, size int) bool
}

var capTests = []capTest{
	{"line of a response", wire.Limits{Line: 2000}, 2000, "line", func(p *peer, action, id string, size int) bool {
		if action == "Try" {
			p.send("Response: Success\nActionID: %s\n%s\n\n", id, lineOf(size))
		}
		return action == "Try"
	}},
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
	{"headers of a response", wire.Limits{ResponseHeaders: 20}, 20, "headers", func(p *peer, action, id string, size int) bool {
		if action == "Try" {
			p.send("Response: Success\nActionID: %s\n%s\n", id, strings.Repeat("A: b\n", size-2))
		}
		return action == "Try"
	}},
	{"lines of raw text", wire.Limits{Headers: 20}, 20, "headers", func(p *peer, action, id string, size int) bool {
		if action == "Try" {
			p.send("%s\nResponse: Success\nActionID: %s\n\n", strings.Repeat("text\n", size), id)
		}
		return action == "Try"
	}},
	{"packet", wire.Limits{Packet: 4000}, 4000, "packet", func(p *peer, action, id string, size int) bool {
		if action == "Try" {
			head := "Response: Success\nActionID: " + id + "\n"
			n := size - len(head) - 2 // two CRs
			head += strings.Repeat(lineOf(98)+"\n", n/100-1)
			p.send("%s%s\n\n", head, lineOf(100+n%100-2))
		}
		return action == "Try"
	}},
	{"output of a Command", wire.Limits{Output: 4000}, 4000, "output", func(p *peer, action, id string, size int) bool {
		if action == "Try" {
			p.send("Response: Success\nActionID: %s\nMessage: Command output follows\n%sOutput: %s\n\n", id,
				strings.Repeat("Output: "+strings.Repeat("x", 90)+"\n", size/100-1), strings.Repeat("y", 90+size%100))
		}
		return action == "Try"
	}},
	{"text of an old Command", wire.Limits{Output: 4000}, 4000, "output", func(p *peer, action, id string, size int) bool {
		if action == "Try" {
			mark := "--END COMMAND--"
			p.send("Response: Follows\nPrivilege: Command\nActionID: %s\n%s%s%s\n\n", id,
				strings.Repeat(strings.Repeat("x", 98)+"\n", size/100-1), strings.Repeat("y", 98+size%100-len(mark)), mark)
		}
		return action == "Try"
	}},
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
					cfg.Limits = tt.limits
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
			cfg.Limits.Banner = limit
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
			bytes += ev.Size()
		}
		last := whole.Events[items-1].Size()
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
			cfg.ListItems, cfg.ListBytes = tt.items, tt.bytes
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
		cfg.ListBytes = 100 << 10
		c := mustDial(t, cfg)
		b := ami.NewBatch(ami.BatchOptions{})
		for i := range 10 {
			if err := c.Submit(t.Context(), ami.Action{Name: "QueueStatus", Timeout: time.Minute}, b, uint64(i)); err != nil {
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
					held += ev.Size()
				}
			}
		}
		if held > 10*cfg.ListBytes {
			t.Errorf("the lists held %d bytes", held)
		}
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
			cfg.Unauthorized, cfg.Auth = limit, ami.AuthPlain
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

// Endless streams: each must end its session, or be read and dropped, in bounded memory.
func TestEndless(t *testing.T) {
	const mib = 1 << 20
	x := strings.Repeat("x", 64<<10)
	for _, tt := range []struct {
		name  string
		login bool // it starts behind the login
		start string
		more  string
		op    string
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
		{"header", true, "Response: Success\r\nA: ", x, "do", ami.ErrProtocol, 4 * mib},
		{"header name", true, "Event: A\r\n", x, "do", ami.ErrProtocol, 4 * mib},
		{"packet", true, "Response: Success\r\n", strings.Repeat("A: b\r\n", 1000), "do", ami.ErrProtocol, 4 * mib},
		{"event", true, "Event: A\r\n", strings.Repeat("A: b\r\n", 1000), "do", ami.ErrProtocol, 4 * mib},
		{"raw text", true, "Text\r\n", strings.Repeat("text\r\n", 1000), "do", ami.ErrProtocol, 4 * mib},
		{"Command, new form", true, "Response: Success\r\nMessage: Command output follows\r\n", strings.Repeat("Output: x\r\n", 1000), "do", ami.ErrProtocol, 20 * mib},
		{"Command, old form", true, "Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\n", strings.Repeat("text\r\n", 1000), "do", ami.ErrProtocol, 20 * mib},
		{"old Command without a line end", true, "Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\n", x, "do", ami.ErrProtocol, 20 * mib},
		{"blank lines", true, "", strings.Repeat("\r\n", 1000), "do", ami.ErrTimeout, 0},
		{"stray responses", true, "", strings.Repeat("Response: Success\r\n\r\n", 1000), "do", ami.ErrTimeout, 0},
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
					if tt.start != "" {
						_, _ = p.Write([]byte(tt.start))
					}
					for i := 0; sent.Load() < 24*mib; i++ {
						k, err := p.Write([]byte(tt.more))
						sent.Add(int64(k))
						if err != nil {
							return
						}
						if i%256 == 0 {
							peak.Store(max(peak.Load(), heap()))
						}
					}
					p.drain()
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

// Many sessions with servers that say random things: no panic, no hang, typed errors, a balanced ledger, bounded
// memory, and a neighbour that does not notice.
func TestRandomHostileSessions(t *testing.T) {
	sessions := 2000
	if os.Getenv("AMICTL_PROVE") == "1" {
		sessions = 10_000
	} else if testing.Short() {
		sessions = 200
	}
	runtime.GC()
	before := heap()
	const each = 50 // sessions in one bubble, at once
	for seed := range uint64(sessions / each) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			rng := rand.New(rand.NewPCG(seed, 5))
			n, cfg := scripted(t, func(p *peer) {
				mu.Lock()
				own := rand.New(rand.NewPCG(rng.Uint64(), 6))
				mu.Unlock()
				hostile(p, own)
			})
			cfg.Limits = wire.Limits{Banner: 128, Line: 4096, Headers: 64, ResponseHeaders: 64, Packet: 16 << 10, Output: 16 << 10}
			cfg.ListItems, cfg.ListBytes, cfg.Unauthorized, cfg.Pending = 50, 16<<10, 8<<10, 16
			check := untouched(t, n)
			var wg sync.WaitGroup
			for range each {
				wg.Go(func() { victim(t, seed, cfg) })
			}
			wg.Wait()
			check()
		})
	}
	runtime.GC()
	if after := heap(); after > before+32<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}

// victim uses one session as a program would.
func victim(t *testing.T, seed uint64, cfg ami.Config) {
	c, err := ami.Dial(t.Context(), cfg)
	if err != nil {
		var oe *ami.OpError
		if !errors.As(err, &oe) || oe.Op != "banner" && oe.Op != "login" {
			t.Errorf("seed %d: Dial: %v (%T)", seed, err, err)
		}
		return
	}
	b := ami.NewBatch(ami.BatchOptions{Items: seed%2 == 0})
	open := 0
	for i, name := range []string{"Ping", "QueueStatus", "Command", "Originate", "IAXpeers", "FAXStats", "WaitEvent"} {
		a := ami.NewAction(name, "Async", "true")
		a.Timeout, a.AwaitOriginate = 5*time.Second, i%2 == 1
		if c.Submit(t.Context(), a, b, uint64(i)) == nil {
			open++
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		r, err := c.Do(ctx, a)
		cancel()
		var oe *ami.OpError
		if err != nil && !errors.As(err, &oe) || err == nil && r == nil {
			t.Errorf("seed %d: %s: %v %v", seed, name, r, err)
		}
	}
	for open > 0 {
		r, err := b.Next(t.Context())
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			return
		}
		if r.Item == nil {
			open--
		}
	}
	_ = c.Close()
	if s := c.Stats(); !s.Ledger.Exact() || s.Ledger.InFlight != 0 {
		t.Errorf("seed %d: the ledger does not balance: %+v", seed, s.Ledger)
	}
}

// hostile says random things, now and then some that make sense.
func hostile(p *peer, rng *rand.Rand) {
	if rng.IntN(10) > 0 {
		if !p.greet() {
			return
		}
	} else if rng.IntN(2) == 0 {
		p.send("Asterisk Call Manager/1\n")
	}
	var ids []string
	id := func() string {
		if len(ids) == 0 || rng.IntN(8) == 0 {
			return fmt.Sprintf("%d-%020x-%x.%x", rng.IntN(9), rng.Uint64(), rng.IntN(4), rng.IntN(4))
		}
		return ids[rng.IntN(len(ids))]
	}
	for range 2 + rng.IntN(60) {
		if rng.IntN(3) == 0 {
			_ = p.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			if a, ok := p.action(); ok {
				ids = append(ids, a["ActionID"])
			}
		}
		switch rng.IntN(20) {
		case 0, 1, 2:
			p.send("Response: Success\nActionID: %s\n\n", id())
		case 3:
			p.send("Response: Error\nActionID: %s\nMessage: no\n\n", id())
		case 4, 5:
			p.send("Response: Success\nActionID: %s\nEventList: start\n\n", id())
		case 6, 7:
			p.send("Event: Item\nActionID: %s\n\n", id())
		case 8:
			p.send("Event: %sComplete\nActionID: %s\nEventList: Complete\n\n", []string{"QueueStatus", "Peerlist", "WaitEvent", "X"}[rng.IntN(4)], id())
		case 9:
			p.send("Event: OriginateResponse\nPrivilege: call,all\nActionID: %s\nResponse: %s\n\n", id(), []string{"Success", "Failure", ""}[rng.IntN(3)])
		case 10:
			p.send("Response: Follows\nPrivilege: Command\nActionID: %s\nsome: text\n\nEvent: Fake\n--END COMMAND--\n\n", id())
		case 11:
			junk := make([]byte, rng.IntN(3000))
			for i := range junk {
				junk[i] = byte(rng.Uint32())
			}
			_, _ = p.Write(append(junk, 0))
		case 12:
			p.send("Event: Long\nA: %s\n\n", strings.Repeat("x", 4000+rng.IntN(100)))
		case 13:
			p.send("Event: Many\n%s\n", strings.Repeat("A: b\n", 55+rng.IntN(20)))
		case 14:
			p.send("%s", strings.Repeat("\n", 1+rng.IntN(5000)))
		case 15:
			p.send("Response: Success\nActionID: %s\n%s\n", id(), strings.Repeat("Output: x\n", rng.IntN(2000)))
		case 16:
			p.send("Event: Bare\n\nEvent: QueueStatusComplete\n\nResponse: Success\n\n: \n\n \n\n")
		case 17:
			time.Sleep(time.Duration(rng.IntN(3000)) * time.Millisecond)
		case 18:
			p.send("Response: Success\nActionID: %s", id()) // and the rest never, or glued on
		default:
			if rng.IntN(10) == 0 {
				return
			}
		}
	}
	_ = p.SetReadDeadline(time.Time{})
	p.drain()
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
			cfg.ListBytes = 1 << 20
			check := untouched(t, n)
			c := mustDial(t, cfg)
			b := ami.NewBatch(ami.BatchOptions{Items: items})
			if err := c.Submit(t.Context(), ami.Action{Name: "QueueStatus", Timeout: time.Minute}, b, 1); err != nil {
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
					held += r.Item.Size()
					continue
				}
				wantOp(t, r.Err, "do", ami.ErrListTooLong)
				if r.Reply != nil {
					for _, ev := range r.Reply.Events {
						held += ev.Size()
					}
				}
				break
			}
			if held > cfg.ListBytes || held < cfg.ListBytes/2 {
				t.Errorf("items %v: %d bytes were held, the cap is %d", items, held, cfg.ListBytes)
			}
			check()
			if c.Err() != nil {
				t.Errorf("the session died: %v", c.Err())
			}
			exact(t, c.Stats())
		})
	}
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
				_, cfg := scripted(t, func(p *peer) {
					if !p.greet() {
						return
					}
					a, _ := p.action()
					id := a["ActionID"]
					if tt.action == "QueueStatus" {
						p.send("Response: Success\nActionID: %s\nEventList: start\n\nEvent: QueueParams\nActionID: %s\nQueue: a\n\n", id, id)
						p.send("Event: QueueEntry\nActionID: %s\nQueue: a\nCallerIDName: x\n\n", id)
					} else {
						p.send("Response: Success\nActionID: %s\nMessage: Originate successfully queued\n\n", id)
					}
					p.send("%s", tt.forged)
					switch tt.action {
					case "QueueStatus":
						p.send("Event: QueueMember\nActionID: %s\nQueue: a\n\nEvent: QueueStatusComplete\nActionID: %s\nEventList: Complete\nListItems: 3\n\n", id, id)
					case "Originate":
						p.send("Event: OriginateResponse\nPrivilege: call,all\nActionID: %s\nResponse: Success\nReason: 4\n\n", id)
					default:
						p.send("Event: FAXStats\nActionID: %s\nForged: no\n\n", id)
					}
					p.drain()
				})
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
