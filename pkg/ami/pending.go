package ami

import (
	"crypto/rand"
	"encoding/hex"
	"math/bits"
	"strconv"
	"sync/atomic"
)

const (
	maxPending = 1 << 16
	pageSlots  = 16 // slots are allocated by the page, so that an idle session holds one
)

// A call's life. Its state word holds its generation too, so that ending it is one compare-and-swap whoever tries.
const (
	slotFree   = iota
	slotLive   // accepted, its end not yet decided
	slotHeard  // live, and the reader saw the server speak of it: from here on only the reader may release it
	slotZombie // ended by timeout or cancel; the slot waits for the server's answer, or it would be taken for another's
	slotEnding // ended, and about to be released by whoever ended it
	stateBits  = 3
)

// A call is a slot of the pending table. What is not atomic is written under the session's mutex before the state
// turns live, and read by whoever ends the call, except for the reader's own fields.
type call struct {
	word atomic.Uint64 // generation<<stateBits | state

	action     string
	await      bool // Originate: until OriginateResponse
	internal   bool // the engine's own: booked apart
	start, end uint64
	submitted  int64 // nanoseconds since the session's epoch
	deadline   int64
	to         receiver

	// The reader's alone.
	phase  phase
	list   *list // written under the session's mutex too: whoever ends the call early looks at it
	strays *strays

	unsure bool // its answer may name no action; guarded by the session's mutex
}

// A callRef names one call for ever: a slot and the generation it had.
type callRef struct {
	slot uint32
	gen  uint64
}

// A callTable is the pending table of one session: numbered slots, handed out last in, first out, each reuse under a
// new generation. alloc, release and each are called under the session's mutex; lookup by the reader at any time.
type callTable struct {
	prefix string // of every ActionID: node number and a random part of this session
	pages  atomic.Pointer[[]*[pageSlots]call]
	_      cacheLine // what lookup reads is above, what alloc writes below
	free   []uint32
	used   int // live calls and zombies
	live   int
	own    int // of them, the engine's own
	peak   int
	seat   *seat // the node's, which is told of used; nil: none
}

// newCallTable returns a table whose ActionIDs begin with the node's number and 80 random bits.
func newCallTable(node uint32) callTable {
	var random [10]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand since Go 1.24)
	return callTable{prefix: strconv.FormatUint(uint64(node), 36) + "-" + hex.EncodeToString(random[:]) + "-"}
}

// alloc returns a slot in state free with a new generation in its word; publish makes it live.
func (t *callTable) alloc() (*call, callRef) {
	if len(t.free) == 0 {
		t.grow()
	}
	slot := t.free[len(t.free)-1]
	t.free = t.free[:len(t.free)-1]
	t.used++
	t.live++
	t.peak = max(t.peak, t.used)
	t.seat.tell(t.used)
	c := t.at(slot)
	return c, callRef{slot: slot, gen: c.word.Load()>>stateBits + 1}
}

func (t *callTable) grow() {
	var old []*[pageSlots]call
	if p := t.pages.Load(); p != nil {
		old = *p
	}
	pages := append(old[:len(old):len(old)], new([pageSlots]call))
	t.pages.Store(&pages)
	for i := pageSlots - 1; i >= 0; i-- {
		t.free = append(t.free, uint32(len(old)*pageSlots+i))
	}
}

// publish makes an allocated call live: from here on anybody may end it.
func (c *call) publish(r callRef) { c.word.Store(r.gen<<stateBits | slotLive) }

// state returns the call's state now, or slotFree if it is no longer that generation.
func (c *call) state(gen uint64) uint64 {
	if w := c.word.Load(); w>>stateBits == gen {
		return w & (1<<stateBits - 1)
	}
	return slotFree
}

// abandon ends a call that is still open, if nobody was faster. That makes it a zombie.
func (c *call) abandon(gen uint64) bool {
	return c.turn(gen, slotLive, slotZombie) || c.turn(gen, slotHeard, slotZombie)
}

// turn moves the call from one state to another if it is still that generation and in that state.
func (c *call) turn(gen uint64, from, to uint64) bool {
	return c.word.CompareAndSwap(gen<<stateBits|from, gen<<stateBits|to)
}

// clear lets go of what an ended call held, and of its generation. Whoever gave the call up must have done with it.
func (c *call) clear() {
	c.to, c.action, c.list, c.strays, c.phase, c.unsure = receiver{}, "", nil, nil, awaitReply, false
	c.word.Store(c.word.Load() &^ (1<<stateBits - 1)) // slotFree
}

// over counts a live call's end.
func (t *callTable) over(k *call) {
	t.live--
	if k.internal {
		t.own--
	}
}

// release returns slots whose calls are cleared.
func (t *callTable) release(slots ...uint32) {
	t.free = append(t.free, slots...)
	t.used -= len(slots)
	t.seat.tell(t.used)
}

func (t *callTable) at(slot uint32) *call {
	pages := *t.pages.Load()
	return &pages[slot/pageSlots][slot%pageSlots]
}

// each calls f for every slot that is not free.
func (t *callTable) each(f func(c *call, r callRef, state uint64)) {
	p := t.pages.Load()
	if p == nil {
		return
	}
	for i, page := range *p {
		for j := range page {
			w := page[j].word.Load()
			if state := w & (1<<stateBits - 1); state != slotFree {
				f(&page[j], callRef{slot: uint32(i*pageSlots + j), gen: w >> stateBits}, state)
			}
		}
	}
}

// appendID appends the ActionID of a call: prefix, slot, generation.
func (t *callTable) appendID(dst []byte, r callRef) []byte {
	dst = append(dst, t.prefix...)
	dst = appendHex(dst, uint64(r.slot))
	dst = append(dst, '.')
	return appendHex(dst, r.gen)
}

// appendHex is strconv.AppendUint to the base 16, which takes twice as long.
func appendHex(dst []byte, n uint64) []byte {
	for shift := max(0, bits.Len64(n)-1) &^ 3; shift >= 0; shift -= 4 {
		dst = append(dst, "0123456789abcdef"[n>>shift&15])
	}
	return dst
}

// idKind says whose an ActionID is.
type idKind uint8

const (
	idForeign idKind = iota // another client's, node's or session's
	idStale                 // ours, of a call that is over
	idOurs                  // of the call returned
)

// lookup finds the call that an ActionID names, live or zombie.
func (t *callTable) lookup(id string) (*call, callRef, idKind) {
	if len(id) <= len(t.prefix) || id[:len(t.prefix)] != t.prefix {
		return nil, callRef{}, idForeign
	}
	slot, rest, ok := cutHex(id[len(t.prefix):])
	gen, tail, ok2 := cutHex(rest)
	pages := t.pages.Load()
	if !ok || !ok2 || tail != "" || pages == nil || slot >= uint64(len(*pages)*pageSlots) {
		return nil, callRef{}, idForeign
	}
	r := callRef{slot: uint32(slot), gen: gen}
	c := t.at(r.slot)
	if w := c.word.Load(); w>>stateBits == gen {
		switch w & (1<<stateBits - 1) {
		case slotLive, slotHeard, slotZombie:
			return c, r, idOurs
		}
	}
	return nil, r, idStale
}

// cutHex reads lower-case hexadecimal digits up to a dot or the end.
func cutHex(s string) (n uint64, rest string, ok bool) {
	for i := range len(s) {
		c := s[i]
		switch {
		case '0' <= c && c <= '9':
			n = n<<4 | uint64(c-'0')
		case 'a' <= c && c <= 'f':
			n = n<<4 | uint64(c-'a'+10)
		case c == '.':
			return n, s[i+1:], i > 0
		default:
			return 0, "", false
		}
		if i >= 15 {
			return 0, "", false
		}
	}
	return n, "", s != ""
}
