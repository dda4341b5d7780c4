package state

import (
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// FuzzCore takes packets as events, as items of lists, and gaps, as the first byte of a packet's first line says.
func FuzzCore(f *testing.F) {
	f.Add([]byte("Event: Newchannel\r\nUniqueid: 1.1\r\nLinkedid: 1.1\r\nChannelState: 4\r\n\r\nEvent: Hangup\r\nUniqueid: 1.1\r\n\r\n"))
	f.Add([]byte("Event: BridgeEnter\r\nBridgeUniqueid: b\r\nBridgeType: basic\r\nUniqueid: 1.1\r\n\r\nEvent: CoreShowChannel\r\nUniqueid: 1.1\r\nBridgeId: c\r\n\r\n"))
	f.Add([]byte("Event: QueueCallerJoin\r\nQueue: q\r\nUniqueid: 1.1\r\nPosition: 1\r\n\r\nEvent: QueueParams\r\nQueue: q\r\n\r\nEvent: Gap\r\n\r\n"))
	f.Add([]byte("Event: ParkedCall\r\nParkeeUniqueid: 1.1\r\nTimestamp: 1800000000.000001\r\n\r\nEvent: Registry\r\nChannelType: SIP\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := newCore(4, nil)
		book := ledger{t: t, held: map[string]bool{}}
		d := wire.NewDecoder(wire.Limits{})
		d.Feed(b)
		now := time.Unix(1_800_000_000, 0)
		for {
			m, err := d.Next()
			if err != nil {
				break
			}
			now = now.Add(time.Second)
			own := m.Clone() // a list's items live on
			switch l := listingOf(m.Name()); {
			case m.Name() == "Gap":
				c.gap("pbx", ami.GapDisconnect, now)
			case l != nil && len(b)%2 == 0:
				c.list("pbx", 1, l, answer{items: []*wire.Message{&own}, end: &own}, true, now)
			default:
				c.event("pbx", uint64(len(m.Text())%2), &m, now)
			}
			book.book(c.take())
			if err := c.check(); err != nil {
				t.Fatal(err)
			}
		}
		c.forget("pbx", now)
		book.book(c.take())
		if len(book.held) > 0 {
			t.Fatalf("left behind: %v", book.held)
		}
	})
}

func listingOf(item string) *listing {
	for i := range listings {
		if listings[i].items[item] != nil {
			return &listings[i]
		}
	}
	return nil
}
