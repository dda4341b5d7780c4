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

// tight reports whether only rings under their fair share get more.
func (b *budget) tight() bool { return b.used.Load() > b.limit-b.limit/8 }

func (b *budget) share() int64 { return b.limit / max(1, b.rings.Load()) }

// take grants a chunk to a ring that holds that much credit, or refuses.
func (b *budget) take(held int64) bool {
	used := b.used.Add(creditChunk)
	if used <= b.limit-b.limit/8 || used <= b.limit && held+creditChunk <= max(b.share(), creditChunk) {
		if held == 0 {
			b.rings.Add(1)
		}
		return true
	}
	b.used.Add(-creditChunk)
	return false
}

// give returns credit; all tells that the ring holds none any more.
func (b *budget) give(credit int64, all bool) {
	b.used.Add(-credit)
	if all {
		b.rings.Add(-1)
	}
}
