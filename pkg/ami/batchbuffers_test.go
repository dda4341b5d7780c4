package ami

import (
	"testing"

	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// packedPong is the answer to a Ping as the reader hands it to a batch, and its text.
func packedPong(t *testing.T) (answer, []byte) {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte("Response: Success\r\nActionID: 1\r\nPing: Pong\r\n\r\n"))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	text := make([]byte, inside.Of(&m).Size())
	return answer{end: end{packed: inside.Of(&m).Pack(text)}}, text
}

// A putter is a batch into which a test puts answers to actions that nobody sent.
type putter struct{ *Batch[uint64] }

func (b putter) submitted(a answer, text []byte, o origin) {
	b.accepted.Add(1)
	a.end.slot = b.values.put(7)
	b.queue.putAll([]answer{a}, text, o)
}

// What a burst needed is let go by a batch that is quiet afterwards; a busy one keeps it.
func TestBatchBuffersFitTheLoad(t *testing.T) {
	a, text := packedPong(t)
	b := putter{&Batch[uint64]{}}
	// round puts n answers and takes them, and returns the bytes of buffers that the batch then holds.
	round := func(n int) (held int) {
		for range n {
			b.submitted(a, text, origin{node: "pbx"})
		}
		for range n {
			if r, ok := b.PollBorrowed(); !ok || r.Value != 7 || r.Node != "pbx" || r.Reply.Get("Ping") != "Pong" {
				t.Fatal(r, ok)
			}
		}
		for range 10 { // only the first is an idle moment behind a busy one
			if _, ok := b.PollBorrowed(); ok {
				t.Fatal("one too many")
			}
		}
		for _, r := range []results{b.pulled, b.queue.results} {
			held += cap(r.ends)*endBytes + cap(r.text)
		}
		return held
	}
	full := round(4096)
	if need := 4096 * (endBytes + len(text)); full < need {
		t.Fatalf("%d bytes held %d", full, need)
	}
	for i := range 20 {
		if round(4096) < full {
			t.Fatalf("buffers in use were let go in round %d", i)
		}
	}
	for i := range 40 {
		round(1)
		if i == 0 && round(1) < full {
			t.Error("the buffers were let go at the first quiet moment")
		}
	}
	if quiet := round(1); quiet > keptResults {
		t.Errorf("%d bytes are held where one answer comes at a time, want %d at most", quiet, keptResults)
	}
}

// What a burst needed is let go, whichever of the two buffers it went into.
func TestBatchBuffersOfOneBurst(t *testing.T) {
	a, text := packedPong(t)
	b := putter{&Batch[uint64]{}}
	round := func(n int) {
		for range n {
			b.submitted(a, text, origin{node: "pbx"})
		}
		for range n {
			if _, ok := b.PollBorrowed(); !ok {
				t.Fatal("one is missing")
			}
		}
		if _, ok := b.PollBorrowed(); ok {
			t.Fatal("one too many")
		}
	}
	round(100_000) // a consumer that came late, once
	for range 1000 {
		round(1)
	}
	held := 0
	for _, r := range []results{b.pulled, b.queue.results} {
		held += cap(r.ends)*endBytes + cap(r.text)
	}
	if held > keptResults {
		t.Errorf("%d bytes are held after 1,000 quiet rounds, want %d at most", held, keptResults)
	}
}
