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
	left  int   // guarded by mu: how many of rings have left
	away  int64 // guarded by mu: since when disconnected, 0: not
}

// offer gives an event to every subscription that wants it; each copies it into its own ring.
func (f *feed) offer(m *wire.Message, at int64, seq, session uint64) {
	f.decoded.Add(1)
	rings := f.rings.Load()
	if rings == nil {
		return
	}
	for _, r := range *rings {
		if r.left.Load() {
			continue
		}
		if r.sub.wants(f.node, m) {
			r.offer(m, at, seq, session)
		} else {
			r.stagedOffered++
		}
	}
}

// offerPacket gives what is neither event nor answer to those that ask for it.
func (f *feed) offerPacket(m *wire.Message, at int64, seq, session uint64) {
	for _, r := range f.list() {
		if r.left.Load() {
			continue
		}
		if r.sub.packets && (r.sub.where == nil || r.sub.where.Match(f.node, m)) {
			r.offer(m, at, seq, session)
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
		r.flush()
	}
}

// lost tells every subscription that the session ended at that instant. The session's own get nothing of the next one.
func (f *feed) lost(at int64) {
	f.flush()
	f.mu.Lock()
	f.away = at
	rings := f.list()
	for _, r := range f.keep(func(r *ring) bool { return r.sub.over == nil }) {
		r.away = true
	}
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
	var told []*ring
	for _, r := range f.list() {
		if r.away {
			r.away = false
			told = append(told, r)
		}
	}
	f.mu.Unlock()
	for _, r := range told {
		r.mark(loss{since: since, until: at})
	}
}

func (f *feed) list() []*ring {
	if p := f.rings.Load(); p != nil {
		return *p
	}
	return nil
}

// join adds a ring for the subscription.
func (f *feed) join(s *Subscription) *ring {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := &ring{node: f.node, sub: s, budget: f.budget, segs: segments{pool: &s.pool}}
	if s.throttle {
		r.room = make(chan struct{}, 1)
	}
	rings := append(f.list(), r) // behind what the reader has seen of the array
	f.rings.Store(&rings)
	return r
}

// leave removes a ring. The reader may be pushing to it at this moment; a closed ring discards that. Rings that have left
// stay in the list until they are half of it, so that each costs the same to take out however many there are.
func (f *feed) leave(r *ring) {
	f.mu.Lock()
	r.left.Store(true)
	if f.left++; f.left > len(f.list())/2 {
		f.keep(func(*ring) bool { return true })
	}
	f.mu.Unlock()
	r.close()
}

// keep makes a new list of the rings that are to stay, but for those that have left. Called under mu.
func (f *feed) keep(stays func(*ring) bool) []*ring {
	rest := slices.DeleteFunc(slices.Clone(f.list()), func(r *ring) bool { return r.left.Load() || !stays(r) })
	f.rings.Store(&rest)
	f.left = 0
	return rest
}
