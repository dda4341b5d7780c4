package wire

import (
	"testing"
)

// The read buffer doubles with each read that fills it, up to the size of a busy session's, and goes back to an idle one's
// when enough small reads came in a row, not sooner: one that is not small begins the count anew.
func TestBufferFollowsTheLoad(t *testing.T) {
	packet := []byte("Event: A\r\n\r\n")
	d := NewDecoder(Limits{})
	read := func(n int) {
		t.Helper()
		space := d.Space()
		for i := range min(n, len(space)) {
			space[i] = packet[i%len(packet)]
		}
		d.Wrote(min(n, len(space)))
		d.r, d.w = 0, 0 // as if all of it had been taken
		d.pos, d.scan = 0, 0
	}
	for _, want := range []int{smallBuffer, 2 * smallBuffer, 4 * smallBuffer, 8 * smallBuffer, largeBuffer, largeBuffer} {
		if got := len(d.Space()); got != want {
			t.Fatalf("room for %d bytes, want %d", got, want)
		}
		read(largeBuffer)
	}
	small := largeBuffer/8 - 1
	for range shrinkAfter - 1 {
		read(small)
	}
	read(small + 1) // not small
	for range shrinkAfter - 1 {
		read(small)
	}
	if got := len(d.Space()); got != largeBuffer {
		t.Fatalf("%d small reads in a row left room for %d bytes", shrinkAfter-1, got)
	}
	read(small)
	if got := len(d.Space()); got != smallBuffer {
		t.Errorf("%d small reads in a row left room for %d bytes, want %d", shrinkAfter, got, smallBuffer)
	}
	for range 2 * shrinkAfter { // an idle session's is no smaller
		read(1)
	}
	if got := len(d.Space()); got != smallBuffer {
		t.Errorf("an idle session has room for %d bytes, want %d", got, smallBuffer)
	}
}
