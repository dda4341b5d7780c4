package main

import "testing"

// A mark is seen wherever a packet ends, for each client by itself.
func TestWireSeesMarksAcrossPackets(t *testing.T) {
	w := &wire{seen: make(map[string]bool), rest: make(map[uint16][]byte)}
	text := "N: " + mark(1) + "\r\n\r\nN: " + mark(2) + "\r\nActionID: 7\r\n\r\n"
	for cut := range len(text) {
		clear(w.seen)
		clear(w.rest)
		w.text(1, []byte(text[:cut]))
		w.text(2, []byte("N: "+mark(3)[:cut%16]))
		w.text(1, []byte(text[cut:]))
		if !w.left(mark(1)) || !w.left(mark(2)) || len(w.seen) != 2 {
			t.Errorf("cut at %d: %v", cut, w.seen)
		}
	}
}
