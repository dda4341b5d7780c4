package wire

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMarks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var p [64]byte
		for i := range p {
			p[i] = "\n:\r a\x8a\x3b\x09"[rng.IntN(8)]
		}
		lf, colon := marks(&p)
		if wantLF, wantColon := marksGeneric(&p); lf != wantLF || colon != wantColon {
			t.Fatalf("%q: line ends %064b, colons %064b; want %064b, %064b", p, lf, colon, wantLF, wantColon)
		}
	}
}

// Blocks of 64 bytes at once, and a search a line, find the same, wherever they start and whatever limit they meet.
func TestTakeMarkedLikeTake(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"\r\n", "\n", "Name: value\r\n", "Name:value\n", ":x\r\n", "no colon\r\n", "A: \r\n", "Long: ", "OUTPUT: x\r\n", "Outbut:x\n", "0123456789abcdef0123456789abcdef", ":", "\r"}
	for range 20_000 {
		var buf []byte
		for range 1 + rng.IntN(30) {
			buf = append(buf, pieces[rng.IntN(len(pieces))]...)
		}
		from := rng.IntN(4)
		for i, c := range buf[:min(from, len(buf))] {
			if c == '\n' {
				from = i
				break
			}
		}
		one := lines{buf: buf, from: min(from, len(buf)), most: len(buf) - rng.IntN(3)*rng.IntN(50), line: 20 + rng.IntN(100), left: 1 + rng.IntN(20)}
		two := one
		done := one.take()
		gotDone := two.takeMarked() || two.take()
		if done != gotDone || one.pos != two.pos || one.left != two.left || !cmp.Equal(one.idx, two.idx) {
			t.Fatalf("%q: take: %v, %d, %d left, %x; takeMarked: %v, %d, %d left, %x", buf, done, one.pos, one.left, one.idx, gotDone, two.pos, two.left, two.idx)
		}
	}
}
