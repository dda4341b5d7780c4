package ami

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A feed carries one node's events to the rings of its subscriptions. offer and flush belong to the node's reader;
// there is one at a time.
type feed struct {
	node    string
	budget  *budget
	decoded atomic.Uint64 // events read

	mu    sync.Mutex // guards changes of rings
	rings atomic.Pointer[[]*ring]
	away  int64 // guarded by mu: since when disconnected, 0: not
}

// stageSize is how many events the reader gathers before it takes a ring's lock.
const stageSize = 64

// offer gives an event to every subscription that wants it. The message is copied once, and only if one does.
func (f *feed) offer(m *wire.Message, at int64, seq, session uint64) {
	f.decoded.Add(1)
	rings := f.rings.Load()
	if rings == nil {
		return
	}
	var own wire.Message
	copied := false
	for _, r := range *rings {
		r.stagedOffered++
		if !r.sub.wants(f.node, m) {
			continue
		}
		if !copied {
			own, copied = m.Clone(), true
		}
		r.stage = append(r.stage, entry{msg: own, at: at, seq: seq, session: session})
		if len(r.stage) >= stageSize {
			r.flush()
		}
	}
}

// flush hands what was staged over. The reader calls it before it waits for the network and before it completes a
// call, so that events which came before a reply are there when Do returns.
func (f *feed) flush() {
	rings := f.rings.Load()
	if rings == nil {
		return
	}
	for _, r := range *rings {
		if r.stagedOffered > 0 {
			r.flush()
		}
	}
}

// lost tells every subscription that the session ended at that instant.
func (f *feed) lost(at int64) {
	f.flush()
	f.mu.Lock()
	f.away = at
	rings := f.list()
	f.mu.Unlock()
	for _, r := range rings {
		r.mark(loss{since: at})
	}
}

// resumed tells every subscription that was there at the disconnect that events flow again.
func (f *feed) resumed(at int64) {
	f.mu.Lock()
	since := f.away
	f.away = 0
	rings := f.list()
	f.mu.Unlock()
	if since == 0 {
		return
	}
	for _, r := range rings {
		if r.joined <= since {
			r.mark(loss{since: since, until: at})
		}
	}
}

func (f *feed) list() []*ring {
	if p := f.rings.Load(); p != nil {
		return *p
	}
	return nil
}

// join adds a ring for the subscription.
func (f *feed) join(s *Subscription, at int64) *ring {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &ring{node: f.node, sub: s, budget: f.budget, joined: at}
	old := f.list()
	rings := append(old[:len(old):len(old)], r)
	f.rings.Store(&rings)
	return r
}

// leave removes a ring. The reader may be pushing to it at this moment; a closed ring discards that.
func (f *feed) leave(r *ring) {
	f.mu.Lock()
	rings := slices.DeleteFunc(slices.Clone(f.list()), func(o *ring) bool { return o == r })
	f.rings.Store(&rings)
	f.mu.Unlock()
	r.close()
}
