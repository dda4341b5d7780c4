package ami

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// However a Secret is formatted, wrapped or encoded, its value does not show.
func TestSecretNeverPrints(t *testing.T) {
	const value = "kanarie-7"
	s := NewSecret(value)
	in := struct {
		Public Secret
		Map    map[string]Secret
		Slice  []*Secret
		Config Config
		hidden Secret // fmt cannot call methods on what is not exported
	}{s, map[string]Secret{"k": s}, []*Secret{&s}, Config{Secret: StaticSecret(value)}, s}
	var shown []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%10.3s", "%c", "%U"} {
		shown = append(shown, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, in))
	}
	asJSON, err := json.Marshal(map[string]any{"s": s, "p": &s, "m": in.Map})
	asXML, xmlErr := xml.Marshal(s)
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("m", "secret", s, "in", in.Map, "pointer", &s, slog.Group("g", "s", s))
	}
	shown = append(shown, string(asJSON), string(asXML), log.String(), fmt.Sprint(fmt.Errorf("wrapped: %v", s)), fmt.Sprintln(s, &s), errors.Join(fmt.Errorf("%s", s)).Error())
	if err != nil || xmlErr != nil {
		t.Error(err, xmlErr)
	}
	for _, text := range shown {
		if lower := strings.ToLower(text); strings.Contains(lower, value) || strings.Contains(lower, fmt.Sprintf("%x", value)) {
			t.Errorf("it shows: %s", text)
		}
	}
	if s.Reveal() != value || !strings.Contains(fmt.Sprint(s), hidden) {
		t.Errorf("it is %q and prints as %v", s.Reveal(), s)
	}
}

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
