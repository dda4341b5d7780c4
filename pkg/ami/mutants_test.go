package ami

import (
	"io"
	"log/slog"
	"testing"
	"time"
)

// A hook that blocks for ever fills its queue; what comes then is dropped and counted, and nobody waits.
func TestNotifierDropsBehindABlockedHook(t *testing.T) {
	n := newNotifier(slog.New(slog.NewTextHandler(io.Discard, nil)))
	release, blocked := make(chan struct{}), make(chan struct{})
	n.post(func() { close(blocked); <-release })
	<-blocked
	const notes = notifierQueue + 500
	posted := make(chan struct{})
	go func() {
		defer close(posted)
		for range notes {
			n.post(func() {})
		}
	}()
	select {
	case <-posted:
	case <-time.After(20 * time.Second):
		t.Error("post waits for a hook that blocks")
	}
	if got := n.dropped.Load(); got != notes-notifierQueue {
		t.Errorf("%d notes were dropped, want %d", got, notes-notifierQueue)
	}
	close(release)
	n.close()
	<-posted
}

// However many rings want more, the last eighth of the budget is for those under their fair share.
func TestBudgetKeepsTheLastEighth(t *testing.T) {
	const chunks = 64
	b := budget{limit: chunks * creditChunk}
	const hogs = 4
	var held [hogs]int64
	taken := 0
	for turn := 0; b.take(held[turn%hogs]); turn++ {
		held[turn%hogs] += creditChunk
		taken++
	}
	if taken != chunks-chunks/8 {
		t.Errorf("%d hogs took %d chunks of %d; the last eighth is not theirs", hogs, taken, chunks)
	}
	for i := range chunks / 8 {
		if !b.take(0) {
			t.Fatalf("newcomer %d was refused its first chunk", i)
		}
	}
	if b.take(0) {
		t.Error("more than the budget was granted")
	}
	if used := b.used.Load(); used != b.limit {
		t.Errorf("%d bytes are used of %d", used, b.limit)
	}
}
