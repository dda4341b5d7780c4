package amidoor

import (
	"fmt"
	"strings"
	"testing"
)

// What a client's actions are remembered by is bounded in bytes and in number, and the latest are known.
func TestAdoptedIsBounded(t *testing.T) {
	var a adopted
	for i := range 100_000 {
		a.add(&named{id: fmt.Sprint("id", i), own: strings.Repeat("x", i%1000)})
		if i%3 == 0 {
			if own, ok := a.take(fmt.Sprint("id", i)); !ok || len(own) != i%1000 {
				t.Fatalf("%d: %q, %v", i, own, ok)
			}
		}
		if a.bytes > mostAdopted || len(a.order) > 16+4*len(a.own) {
			t.Fatalf("%d: %d bytes, %d in order, %d known", i, a.bytes, len(a.order), len(a.own))
		}
	}
	if !a.has("id99998") || a.has("id0") || a.has("id1") {
		t.Error("the latest are not known, or the oldest are")
	}
	for id := range a.own {
		a.take(id)
	}
	if a.bytes != 0 {
		t.Errorf("%d bytes of nothing", a.bytes)
	}
}
