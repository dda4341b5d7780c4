package ami

import "sync/atomic"

const (
	// DefaultBudget bounds what all rings of a cluster hold together, in bytes.
	DefaultBudget = 1 << 30

	creditChunk = 64 << 10
)

// A budget is the memory that all rings of a cluster share, taken as credit in chunks. The last eighth is kept for
// rings under their fair share, so that those that use most feel the limit first; what they hold beyond their share
// then goes at their next push. No ring touches another's lock.
type budget struct {
	limit int64
	used  atomic.Int64
	rings atomic.Int64 // that hold credit
}

// open is what is granted to any ring; the rest is for those under their fair share.
func (b *budget) open() int64 { return b.limit - b.limit/8 }

// over returns how many bytes beyond what is open to all are in use; those with more than their share must give them.
func (b *budget) over() int64 { return b.used.Load() - b.open() }

// share is what each ring may hold when all want more, one that has nothing yet included.
func (b *budget) share() int64 { return max(creditChunk, b.open()/(b.rings.Load()+1)) }

// take grants a chunk to a ring that holds that much credit, or refuses.
func (b *budget) take(held int64) bool {
	for {
		before := b.used.Load()
		used := before + creditChunk
		if used > b.open() && (used > b.limit || held+creditChunk > b.share()) {
			return false
		}
		if b.used.CompareAndSwap(before, used) {
			break
		}
	}
	if held == 0 {
		b.rings.Add(1)
	}
	return true
}

// give returns credit; all tells that the ring holds none any more.
func (b *budget) give(credit int64, all bool) {
	b.used.Add(-credit)
	if all {
		b.rings.Add(-1)
	}
}
