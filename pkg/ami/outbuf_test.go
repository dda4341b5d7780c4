package ami

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// A naivePiece is one call's bytes in the model: it stays until it is cut or written.
type naivePiece struct {
	start, end uint64
	text       string
	cut        bool
}

// A naiveOut is an outbuf that keeps everything and works everything out from scratch.
type naiveOut struct {
	pieces []naivePiece
	end    uint64
}

func (n *naiveOut) live() (text string) {
	for _, p := range n.pieces {
		if !p.cut {
			text += p.text
		}
	}
	return text
}

// TestOutbufAgainstModel appends, cuts, compacts and takes at random and compares bytes and offsets with the model.
func TestOutbufAgainstModel(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			var o outbuf
			var spare []byte
			model := naiveOut{}
			for range 200 {
				switch k := rng.IntN(10); {
				case k < 5:
					text := string(bytes.Repeat([]byte{byte('a' + rng.IntN(26))}, 1+rng.IntN(40)))
					o.buf = append(o.buf, text...)
					model.pieces = append(model.pieces, naivePiece{start: o.end, end: o.end + uint64(len(text)), text: text})
					o.appended(len(text))
					model.end += uint64(len(text))
				case k < 8:
					var candidates []int
					for i, p := range model.pieces {
						if !p.cut {
							candidates = append(candidates, i)
						}
					}
					if len(candidates) > 0 {
						p := &model.pieces[candidates[rng.IntN(len(candidates))]]
						o.cut(p.start, p.end)
						p.cut = true
					}
				case k < 9:
					o.compact()
				default:
					spare = checkTake(t, &o, &model, spare)
				}
				if got, want := o.live(), len(model.live()); got != want {
					t.Fatalf("live = %d bytes, want %d", got, want)
				}
				if o.end != model.end {
					t.Fatalf("end = %d, want %d", o.end, model.end)
				}
			}
			checkTake(t, &o, &model, spare)
		})
	}
}

// checkTake takes everything and checks that exactly the live bytes come, and that reach tells for every count of
// written bytes which calls were written whole, which not at all.
func checkTake(t *testing.T, o *outbuf, model *naiveOut, spare []byte) []byte {
	t.Helper()
	want := model.live()
	batch := o.take(spare)
	if string(batch.buf) != want {
		t.Fatalf("take gave %q, want %q", batch.buf, want)
	}
	if batch.end != model.end || o.base != model.end || o.end != model.end || len(o.buf) != 0 {
		t.Fatalf("after take: batch.end %d, base %d, end %d, %d bytes; want %d and nothing", batch.end, o.base, o.end, len(o.buf), model.end)
	}
	for n := range len(want) + 1 {
		at := batch.reach(n)
		written := 0
		for _, p := range model.pieces {
			if p.cut {
				continue
			}
			whole, none := written+len(p.text) <= n, written >= n
			written += len(p.text)
			if (p.end <= at) != whole {
				t.Fatalf("%d of %d bytes written, reach %d: call %d–%d counts as whole %v, want %v", n, len(want), at, p.start, p.end, p.end <= at, whole)
			}
			if (p.start >= at) != none {
				t.Fatalf("%d of %d bytes written, reach %d: call %d–%d counts as untouched %v, want %v", n, len(want), at, p.start, p.end, p.start >= at, none)
			}
		}
	}
	model.pieces = nil
	return batch.buf
}

// A server that does not read for long, and callers with short deadlines, must not make the buffer's bookkeeping grow:
// what is held is bounded by what is live.
func TestOutbufBookkeepingIsBounded(t *testing.T) {
	var o outbuf
	packet := bytes.Repeat([]byte("x"), 100)
	add := func() (start, end uint64) {
		start = o.end
		o.buf = append(o.buf, packet...)
		o.appended(len(packet))
		return start, o.end
	}
	add() // one that stays
	for range 50_000 {
		start, end := add()
		o.cut(start, end)
	}
	if len(o.holes) > 1000 {
		t.Errorf("%d holes are kept for one live call of %d bytes", len(o.holes), o.live())
	}
	if cap(o.buf) > 100*len(packet) {
		t.Errorf("%d bytes are held for %d live ones", cap(o.buf), o.live())
	}
}
