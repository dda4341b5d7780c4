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

// Wherever an ActionID stands in a packet, it is the client's own or none; nothing else changes.
func TestRenamed(t *testing.T) {
	const id = "1-00112233445566778899-a.1"
	for _, c := range []struct{ name, text, own, want string }{
		{"a response", "Response: Success\r\nActionID: " + id + "\r\n\r\n", "x", "Response: Success\r\nActionID: x\r\n\r\n"},
		{"none given", "Response: Success\r\nActionID: " + id + "\r\nPing: Pong\r\n\r\n", "", "Response: Success\r\nPing: Pong\r\n\r\n"},
		{"further down", "Event: Status\r\nA: b\r\nActionID: " + id + "\r\n\r\n", "x", "Event: Status\r\nA: b\r\nActionID: x\r\n\r\n"},
		{"twice", "Event: A\r\nActionID: " + id + "\r\nactionid: " + id + "\r\n\r\n", "y", "Event: A\r\nActionID: y\r\nactionid: y\r\n\r\n"},
		{"bare line ends", "Event: A\nActionID: " + id + "\n\n", "y", "Event: A\nActionID: y\n\n"},
		{"another header", "Event: A\r\nX: " + id + "\r\nActionID: " + id + "\r\n\r\n", "y", "Event: A\r\nX: " + id + "\r\nActionID: y\r\n\r\n"},
		{"a longer value", "Event: A\r\nActionID: " + id + "5\r\n\r\n", "y", "Event: A\r\nActionID: " + id + "5\r\n\r\n"},
		{"a shorter header", "Event: A\r\nActionID: x" + id + "\r\n\r\n", "y", "Event: A\r\nActionID: x" + id + "\r\n\r\n"},
		{"without a line end", "ActionID: " + id, "y", "ActionID: y"},
		{"not there", "Event: A\r\n\r\n", "y", "Event: A\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(appendRenamed(nil, c.text, id, c.own)); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
	if got := string(appendRenamed(nil, "ActionID: \r\n", "", "y")); got != "ActionID: \r\n" {
		t.Errorf("%q", got)
	}
}
