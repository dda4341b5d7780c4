package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// message makes a packet of headers given as name, value, ….
func message(event string, kv ...string) *wire.Message {
	text := "Event: " + event + "\r\n"
	for i := 0; i+1 < len(kv); i += 2 {
		text += kv[i] + ": " + kv[i+1] + "\r\n"
	}
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(text + "\r\n"))
	m, err := d.Next()
	if err != nil {
		panic(err)
	}
	m = m.Clone()
	return &m
}

// A ledger checks that changes make sense one after the other.
type ledger struct {
	t    testing.TB
	held map[string]bool
}

func (l *ledger) book(changes []Change) {
	for _, ch := range changes {
		key := ch.Node + " " + string(ch.Object.Kind()) + " " + ch.Object.Key()
		switch ch.Op {
		case OpAdd:
			if l.held[key] {
				l.t.Fatalf("%q was added twice", key)
			}
			l.held[key] = true
		case OpRemove:
			if !l.held[key] {
				l.t.Fatalf("%q was removed and not there", key)
			}
			delete(l.held, key)
		case OpChange:
			if !l.held[key] || len(ch.Changed) == 0 {
				l.t.Fatalf("%q was changed: there %v, keys %v", key, l.held[key], ch.Changed)
			}
		}
	}
}

// A chaos is a server that says anything: every event and list that there is, about few things, in any order.
type chaos struct {
	rng *rand.Rand
	now time.Time
}

func (x *chaos) one(of ...string) string { return of[x.rng.IntN(len(of))] }

func (x *chaos) id() string { return x.one("1.1", "1.2", "1.3", "1.4", "1.5", "") }

// headers are all that any handler reads, with values that mean something or nothing.
func (x *chaos) headers() []string {
	var kv []string
	for _, prefix := range []string{"", "Dest", "Parkee", "Transferer", "OrigTransferer", "Target"} {
		kv = append(kv, prefix+"Channel", x.one("PJSIP/a-1", "Local/1@x-1;1", "Local/1@x-1;2", "x", ""), prefix+"ChannelState", fmt.Sprint(x.rng.IntN(11)-1),
			prefix+"Uniqueid", x.id(), prefix+"Linkedid", x.id(), prefix+"CallerIDNum", x.one("1", unknown), prefix+"CallerIDName", x.one(`a\"b\`, ""))
	}
	kv = append(kv, "BridgeUniqueid", x.one("b1", "b2", "b3", ""), "FromBridgeUniqueid", x.one("b1", "b2"), "ToBridgeUniqueid", x.one("b1", "b2"),
		"BridgeType", x.one("basic", "base"), "BridgeTechnology", x.one("softmix", "holding_bridge"), "BridgeCreator", x.one("ConfBridge", unknown),
		"BridgeName", x.one("r1", "r2"), "BridgeId", x.one("b1", "b2", "b9", ""), "Conference", x.one("r1", "r2", ""),
		"Queue", x.one("q1", "q2", ""), "Interface", x.one("PJSIP/a", "PJSIP/b", ""), "Location", "PJSIP/c", "Position", fmt.Sprint(x.rng.IntN(5)-1),
		"Status", x.one("1", "2", "-1", "99", "x"), "Paused", x.one("0", "1"), "Device", x.one("PJSIP/a", "Custom:x", ""), "State", x.one("INUSE", ""),
		"ObjectName", x.one("a", "b"), "Contacts", x.one("a/sip:a,", ",,/", ""), "AOR", x.one("a", ""), "URI", x.one("sip:a", ""),
		"ContactStatus", x.one("Created", "Removed"), "Peer", x.one("SIP/a", "PJSIP/a", "a", ""), "PeerStatus", x.one("Registered", "Unregistered"),
		"Exten", x.one("1", ""), "Context", "x", "ChannelType", x.one("PJSIP", "SIP", ""), "Username", x.one("u", ""), "ClientUri", x.one("u", "v"),
		"Parkinglot", "default", "ParkingSpace", x.one("701", "702"), "Newname", x.one("PJSIP/z-1", ""), "DialStatus", x.one("ANSWER", "BUSY"),
		"Timestamp", x.one("1800000000.5", "-1", "x", "99999999999999"))
	return kv
}

// step does one thing to a core.
func (x *chaos) step(c *core, names []string) {
	x.now = x.now.Add(time.Duration(x.rng.IntN(3000)) * time.Millisecond)
	session := uint64(1 + x.rng.IntN(20)/19)
	switch n := x.rng.IntN(100); {
	case n < 80:
		c.event("pbx", session, message(names[x.rng.IntN(len(names))], x.headers()...), x.now)
	case n < 94:
		l := &listings[x.rng.IntN(len(listings))]
		var a answer
		for name := range l.items {
			for range x.rng.IntN(4) {
				a.items = append(a.items, message(name, x.headers()...))
			}
		}
		if x.rng.IntN(4) > 0 {
			a.end = message("Complete", "ListItems", fmt.Sprint(x.rng.IntN(8)))
		}
		if x.rng.IntN(8) == 0 {
			a = answer{refused: true, refusal: x.one("Permission denied", "No such thing", "No active conferences.", "")}
		}
		c.list("pbx", session, l, a, x.rng.IntN(2) == 0, x.now)
	case n < 96:
		c.gap("pbx", ami.GapDisconnect, x.now)
	case n < 98:
		c.synced("pbx", x.now)
	case n < 99:
		c.tick(x.now)
	default:
		c.forget("pbx", x.now)
	}
}

// Whatever a server says in whatever order, the core stays consistent and within its limits, its changes make sense one
// after the other, and nothing is left when the node is forgotten.
func TestChaos(t *testing.T) {
	names := eventNames()
	for seed := range uint64(20) {
		x := &chaos{rng: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1_800_000_000, 0)}
		c := newCore(3+x.rng.IntN(5), nil)
		book := ledger{t: t, held: map[string]bool{}}
		for n := range 1000 {
			x.step(c, names)
			book.book(c.take())
			if err := c.check(); err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, n, err)
			}
		}
		c.forget("pbx", x.now)
		book.book(c.take())
		if len(book.held) > 0 {
			t.Fatalf("seed %d: left behind: %v", seed, book.held)
		}
	}
}

// A million channels that are announced and never end cost what the limit says, and are counted.
func TestMillionChannels(t *testing.T) {
	const limit, n = 1000, 1_000_000
	c := newCore(limit, nil)
	m := message("Newchannel", "Channel", "PJSIP/a-0000000", "ChannelState", "4", "Uniqueid", "1800000000.0000000", "Linkedid", "1800000000.0000000")
	text := []byte(m.Text())
	var places []int // of the numbers that tell one from the other
	for at := range text {
		if bytes.HasPrefix(text[at:], []byte("0000000\r")) {
			places = append(places, at)
		}
	}
	now := time.Unix(1_800_000_000, 0)
	d := wire.NewDecoder(wire.Limits{})
	for i := range n {
		digits := fmt.Appendf(nil, "%07d", i)
		own := text
		for _, at := range places {
			copy(own[at:], digits)
		}
		d.Feed(own)
		m, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		c.event("pbx", 1, &m, now)
		c.take()
	}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	c.tick(now)
	if s := c.servers["pbx"]; len(s.channels.rows) != limit || s.node.Refused != n-limit {
		t.Errorf("%d channels, %d refused; wanted %d and %d", len(s.channels.rows), s.node.Refused, limit, n-limit)
	}
}
