package ami_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

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
			cfg.Limits.Wire = wire.Limits{Banner: 128, Line: 4096, Headers: 64, Packet: 16 << 10, Answer: 16 << 10}
			cfg.Limits.ListItems, cfg.Limits.ListBytes, cfg.Limits.Unauthorized, cfg.Limits.Pending = 50, 16<<10, 8<<10, 16
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
	b := &ami.Batch[uint64]{Items: seed%2 == 0}
	open := 0
	for i, name := range []string{"Ping", "QueueStatus", "Command", "Originate", "IAXpeers", "FAXStats", "WaitEvent"} {
		a := ami.NewAction(name, "Async", "true")
		a.Timeout, a.AwaitOriginate = 5*time.Second, i%2 == 1
		if b.Submit(t.Context(), c, a, uint64(i)) == nil {
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
