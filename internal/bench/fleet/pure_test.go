package fleet

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/bench"
)

// However long a ping takes on its way there and on its way back, the offset is right to half the fastest trip; and a clock that
// drifts between two measurements is known in between.
func TestOffsetIsRightToHalfATrip(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 4))
		ahead := time.Duration(random.Int64N(2e12) - 1e12)
		drift := 1 + 1e-4*(random.Float64()-0.5) // 50 µs a second
		theirs := func(ours time.Duration) time.Duration { return ahead + time.Duration(float64(ours)*drift) }
		base := time.Duration(random.Int64N(int64(200 * time.Millisecond)))
		measure := func(now time.Duration) (o offset) {
			for range pings {
				there := base + time.Duration(random.ExpFloat64()*float64(time.Millisecond))
				back := base/3 + time.Duration(random.ExpFloat64()*float64(time.Millisecond))
				o.add(now, now+there+back, theirs(now+there))
				now += there + back
			}
			return o
		}
		before := measure(time.Second)
		if wrong := before.ahead - (theirs(before.when) - before.when); max(wrong, -wrong) > before.err()+time.Microsecond {
			t.Errorf("seed %d: wrong by %s, the trip took %s", seed, wrong, before.trip)
		}
		after := measure(time.Minute)
		at := 30 * time.Second
		bound := max(before.err(), after.err()) + time.Millisecond
		if wrong := toOurs(theirs(at), &before, &after) - at; max(wrong, -wrong) > bound {
			t.Errorf("seed %d: in between wrong by %s, more than %s", seed, wrong, bound)
		}
		if got := toOurs(theirs(at), &before, &offset{}); max(got-at, at-got) > bound+3*time.Millisecond {
			t.Errorf("seed %d: without a second measurement %s for %s", seed, got, at)
		}
	}
}

// A message of any length arrives as it was, and one that is not is refused.
func TestChunks(t *testing.T) {
	for _, size := range []int{0, 10, 900, 1000, 5000, 100_000} {
		body := strings.Repeat("x", size)
		m := message{Kind: kindResult, Worker: "w", Body: json.RawMessage(`"` + body + `"`)}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		parts := split(data, 1024)
		var j joiner
		for i, p := range parts {
			if len(p) > 1024 {
				t.Errorf("%d bytes: part %d has %d", size, i, len(p))
			}
			got, err := j.add(p)
			if err != nil || (got != nil) != (i == len(parts)-1) {
				t.Fatalf("%d bytes, part %d of %d: %v, %v", size, i, len(parts), got, err)
			}
			if got != nil && (got.Kind != kindResult || !bytes.Equal(got.Body, m.Body)) {
				t.Errorf("%d bytes came as %d", size, len(got.Body))
			}
		}
		if len(parts) < 3 {
			continue
		}
		var lacking joiner
		_, _ = lacking.add(parts[0])
		if got, err := lacking.add(parts[2]); got != nil || err == nil {
			t.Errorf("%d bytes: a part was left out, and %v came of it", size, got)
		}
		var c chunk
		_ = json.Unmarshal(parts[1], &c)
		c.Data[0] ^= 1
		parts[1], _ = json.Marshal(c)
		var wrong joiner
		for i, p := range parts {
			if got, err := wrong.add(p); got != nil || i == len(parts)-1 && err == nil {
				t.Errorf("%d bytes: a changed part was taken: %v, %v", size, got, err)
			}
		}
	}
}

// A time in which the listener itself stood still is nobody's silence.
func TestPulse(t *testing.T) {
	m := &member{}
	m.heard(time.Second)
	m.heard(2 * time.Second)
	if now, longest := m.silence(3500*time.Millisecond, 0); now != 1500*time.Millisecond || longest != time.Second {
		t.Errorf("silent for %s, longest %s", now, longest)
	}
	if now, _ := m.silence(3500*time.Millisecond, time.Second); now != 500*time.Millisecond {
		t.Errorf("having stood still for a second, it was silent for %s", now)
	}
	var w waker
	for i, at := range []int{10, 60, 110, 1160, 1210} {
		if got, want := w.tick(time.Duration(at)*time.Millisecond), map[int]time.Duration{3: time.Second}[i]; got != want {
			t.Errorf("at %d ms it stood still for %s, want %s", at, got, want)
		}
	}
}

// honest is a result that agrees with itself.
func honest(t *testing.T) *bench.Result {
	t.Helper()
	h := bench.NewHistogram()
	for range 100 {
		h.Record(50)
	}
	text, err := h.Encode()
	if err != nil {
		t.Fatal(err)
	}
	tally := bench.Tally{Sent: 110, Ended: bench.Ended{Reply: 90, Error: 10, Timeout: 10}}
	r := &bench.Result{
		Total: tally, Actions: []bench.ActionPart{{Name: "ping", Tally: tally}}, Nodes: []bench.NodePart{{Node: "a", Tally: tally}},
		Histograms: map[string]string{"service": text},
	}
	r.Ledger.Bench = tally.Ended
	r.Ledger.Engine.Replied, r.Ledger.Engine.ErrorReplies, r.Ledger.Engine.TimedOut = 90, 10, 10
	r.Ledger.Engine.Accepted, r.Ledger.Engine.Internal = 110, 5
	r.Ledger.Simulator, r.Ledger.Compared = &bench.ServerBooks{Received: 113, Replied: 103}, 1
	return r
}

// Whichever of its counts a worker lies about, another one tells.
func TestContradictions(t *testing.T) {
	if got := contradictions(honest(t)); got != nil {
		t.Errorf("an honest worker: %v", got)
	}
	for name, lie := range map[string]func(r *bench.Result){
		"sent":             func(r *bench.Result) { r.Total.Sent++ },
		"replies":          func(r *bench.Result) { r.Total.Ended.Reply++ },
		"a node":           func(r *bench.Result) { r.Nodes[0].Sent-- },
		"an action":        func(r *bench.Result) { r.Actions[0].Ended.Error-- },
		"times":            func(r *bench.Result) { delete(r.Histograms, "service") },
		"the generator":    func(r *bench.Result) { r.Ledger.Bench.Reply-- },
		"the engine":       func(r *bench.Result) { r.Ledger.Engine.Replied-- },
		"accepted actions": func(r *bench.Result) { r.Ledger.Engine.Accepted += 7 },
		"the servers":      func(r *bench.Result) { r.Ledger.Simulator.Replied = 99 },
		"everything but the servers": func(r *bench.Result) {
			for _, e := range []*bench.Ended{&r.Total.Ended, &r.Nodes[0].Ended, &r.Actions[0].Ended, &r.Ledger.Bench} {
				e.Reply += 10
			}
			for _, n := range []*uint64{&r.Total.Sent, &r.Nodes[0].Sent, &r.Actions[0].Sent, &r.Ledger.Engine.Replied, &r.Ledger.Engine.Accepted} {
				*n += 10
			}
			h := bench.NewHistogram()
			for range 110 {
				h.Record(50)
			}
			r.Histograms["service"], _ = h.Encode()
		},
	} {
		r := honest(t)
		lie(r)
		if contradictions(r) == nil {
			t.Errorf("a lie about %s was believed", name)
		}
	}
}

// Both sides come to the same digest, and another load has another one.
func TestDigest(t *testing.T) {
	l := load{Config: bench.Config{Rate: 100}, Seed: 3}
	l.complete(4)
	plans, err := l.cut(4)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(plans[1])
	if err != nil {
		t.Fatal(err)
	}
	var got plan
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.digest() != plans[1].Digest {
		t.Error("a plan that travelled has another digest")
	}
	got.Config.Rate++
	if got.digest() == plans[1].Digest || plans[0].Digest == plans[1].Digest {
		t.Error("another load has the same digest")
	}
}
