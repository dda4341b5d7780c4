package amitest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTrafficRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		s := NewServer(WithNetwork(n))
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got := s.Traffic(ctx, TrafficConfig{EventsPerSecond: 500})
		if got < 4990 || got > 5001 {
			t.Errorf("%d events in 10 s at 500/s", got)
		}
		if got := s.Traffic(t.Context(), TrafficConfig{CallsPerSecond: 100, Events: 1000, Talk: time.Second, Ring: time.Second}); got < 1000 || got > 1030 {
			t.Errorf("%d events, wanted 1000", got)
		}
	})
}

// The calls of CallsPerSecond are there: lists show them, they wait in queues, and they end.
func TestTrafficIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(WithoutListener())
		defer s.Close()
		s.State().AddQueue(Queue{Name: "sales", Members: []QueueMember{{Name: "Alice", Interface: "PJSIP/alice"}}})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		done := make(chan int)
		go func() {
			done <- s.Traffic(ctx, TrafficConfig{CallsPerSecond: 10, Ring: time.Second, Talk: 10 * time.Second})
		}()
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		up, held, bridged := s.State().Channels(), 0, 0
		for _, c := range up {
			if c.held {
				held++
			}
			if c.bridge != "" {
				bridged++
			}
		}
		if n := len(up); n < 100 || n > 400 || held == 0 || bridged < n/2 {
			t.Errorf("%d channels are up, %d held, %d bridged, of 10 calls a second that last 11 s", n, held, bridged)
		}
		q := s.State().selected("sales")[0]
		if q.completed < 1000 || q.abandoned < 100 || len(q.callers) == 0 || len(q.callers) > 50 || len(q.talks) > 200 {
			t.Errorf("the queue has completed %d, abandoned %d, %d wait, %d talk", q.completed, q.abandoned, len(q.callers), len(q.talks))
		}
		if n := <-done; n < 50_000 || n > 120_000 {
			t.Errorf("%d events of 3,000 calls", n)
		}
	})
}

// The same seed makes the same calls, however often somebody looks what is due.
func TestTrafficIsTheSeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		played := func(every time.Duration) (is []string) {
			s := NewServer(WithoutListener())
			defer s.Close()
			s.State().AddQueue(Queue{Name: "sales", Members: []QueueMember{{Interface: "PJSIP/alice"}, {Interface: "PJSIP/bob"}}})
			p := newPlay(s, TrafficConfig{Seed: 7, CallsPerSecond: 10, Ring: time.Second, Talk: 10 * time.Second})
			for now := every; now <= time.Minute; now += every {
				p.due(now, 0)
			}
			for _, c := range s.State().Channels() {
				is = append(is, c.Name+" "+c.Exten+" "+c.ConnectedLineNum)
			}
			for _, m := range s.State().selected("sales")[0].Members {
				is = append(is, fmt.Sprintf("%s took %d", m.Interface, m.taken))
			}
			return is
		}
		if diff := cmp.Diff(played(time.Minute), played(10*time.Millisecond)); diff != "" {
			t.Errorf("at once, and in small steps: %s", diff)
		}
	})
}

// The events are as long as real ones are on average: some 24 headers, 590 bytes.
func TestTrafficIsRealistic(t *testing.T) {
	s := NewServer(WithoutListener())
	defer s.Close()
	tr := func() *traffic {
		return &traffic{cfg: TrafficConfig{EventsPerSecond: 1, Ring: 1, Talk: 1}, rng: s.cfg.rng(1), base: 1795460079}
	}
	a, b := tr(), tr()
	var headers, size, events int
	names := map[string]bool{}
	for range 200 {
		script := a.call(0)
		if diff := cmp.Diff(script, b.call(0), cmp.AllowUnexported(scene{}, Event{})); diff != "" {
			t.Fatal("the seed does not decide", diff)
		}
		for _, sc := range script {
			body, _ := s.template(sc.ev)
			headers += bytes.Count(body, []byte("\r\n"))
			size += len(body) + 2
			events++
			names[sc.ev.Name] = true
		}
	}
	if h := headers / events; h < 20 || h > 28 {
		t.Errorf("%d headers an event", h)
	}
	if b := size / events; b < 540 || b > 640 {
		t.Errorf("%d bytes an event", b)
	}
	if len(names) < 10 {
		t.Errorf("only %v", names)
	}
	t.Logf("%d events a call, %d headers, %d bytes, %d kinds", events/200, headers/events, size/events, len(names))
}

func TestReplay(t *testing.T) {
	const raw = "Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nMessage: x\r\n\r\n" +
		"Event: Hangup\r\nPrivilege: call,all\r\nTimestamp: 100.000000\r\nCause: 16\r\n\r\n" +
		"Event: Status\r\nActionID: 1\r\nChannel: x\r\n\r\n\r\n" +
		"Event: VarSet\r\nPrivilege: dialplan,all\r\nTimestamp: 102.500000\r\nValue: a: b\r\n\r\nEvent: Hangup\r\nPrivilege: call,all\r\nCau"
	const lines = `{"type":"event","node":"a","time":"2026-11-23T12:00:00.000000Z","ts":1,"event":"Hangup","fields":{"Privilege":"call,all","Timestamp":"100.000000","Cause":"16"}}
{"type":"gap","node":"a"}
{"type":"event","node":"a","time":"2026-11-23T12:00:02.500000Z","ts":1,"event":"VarSet","fields":{"Privilege":"dialplan,all","Timestamp":"102.500000","Value":"a: b"}}
`
	want := []string{"Event: Hangup\nPrivilege: call,all\nTimestamp: 100.000000\nCause: 16", "Event: VarSet\nPrivilege: dialplan,all\nTimestamp: 102.500000\nValue: a: b"}
	for name, text := range map[string]string{"raw": raw, "json": lines} {
		for speed, took := range map[float64]time.Duration{0: 0, 1: 2500 * time.Millisecond, 10: 250 * time.Millisecond} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, c := mem(t, "call,dialplan")
					start := time.Now()
					n, err := s.Replay(t.Context(), strings.NewReader(text), speed)
					if n != 2 || (err == nil) != (name == "json") || time.Since(start) != took { // the raw one is cut off
						t.Errorf("%d events, %v, after %v", n, err, time.Since(start))
					}
					if diff := cmp.Diff(want, []string{c.packet(), c.packet()}); diff != "" {
						t.Error(diff)
					}
				})
			})
		}
	}
}

// What a capture holds between other text is replayed as well; an event without a Privilege gets that of its name, an item
// of a list is none.
func TestReplayLoose(t *testing.T) {
	const text = "a note\nEvent: Hangup\nCause: 16\n\n<-- Examining AMI event (1): -->\nEvent: VarSet\r\nValue: x\r\n\r\n" +
		"Event: Status\r\nActionID: 1\r\nChannel: x\r\n\r\nEvent: Mine\nPrivilege: user,all\nX: 1\n\n"
	want := []string{
		"Event: Hangup\nPrivilege: call,all\nCause: 16", "Event: VarSet\nPrivilege: dialplan,all\nValue: x",
		"Event: Mine\nPrivilege: user,all\nX: 1",
	}
	s, c := mem(t, "call,dialplan,user")
	n, err := s.Replay(t.Context(), strings.NewReader(text), 0)
	if n != 3 || err != nil {
		t.Errorf("%d events, %v", n, err)
	}
	if diff := cmp.Diff(want, []string{c.packet(), c.packet(), c.packet()}); diff != "" {
		t.Error(diff)
	}
}

// What is cut off in a capture is told.
func TestReplayTellsLoss(t *testing.T) {
	s, _ := mem(t, "call")
	n, err := s.Replay(t.Context(), strings.NewReader("Event: A\nPrivilege: call,all\n\nEvent: B\nX"), 0)
	if n != 1 || err == nil || !strings.Contains(err.Error(), "1 packet is lost, at line 4") {
		t.Errorf("%d events, %v", n, err)
	}
}

// Replaying a real capture writes its events byte for byte.
func TestReplayCapture(t *testing.T) {
	capture, err := os.ReadFile("../../../testdata/captures/asterisk22-originate-200.raw")
	if err != nil {
		t.Fatal(err) // the capture is part of the tree
	}
	s, c := mem(t, "on")
	c.packet()
	c.packet()
	n, err := s.Replay(t.Context(), bytes.NewReader(capture), 0)
	if err != nil || n < 10 {
		t.Fatalf("%d events, %v", n, err)
	}
	for range n {
		p := strings.ReplaceAll(c.packet(), "\n", "\r\n")
		if !bytes.Contains(capture, []byte(p+"\r\n\r\n")) {
			t.Errorf("not in the capture: %q", p)
		}
	}
}
