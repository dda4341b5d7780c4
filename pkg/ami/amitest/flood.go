package amitest

import (
	"context"
	"math"
	"time"
)

// batchBytes is about how much a flood encodes before it hands it out.
const batchBytes = 32 << 10

// tick is the smallest pause of a paced stream; what falls due meanwhile is sent
// together.
const tick = time.Millisecond

// flood emits the events that a fault asks for.
func (s *Server) flood(ctx context.Context, f Fault) {
	if f.Times == always {
		f.Count = math.MaxInt
	}
	ev := NewEvent(f.Event,
		"Channel", "PJSIP/flood-00000001", "ChannelState", "6", "ChannelStateDesc", "Up",
		"CallerIDNum", "100", "CallerIDName", unknown, "ConnectedLineNum", "200", "ConnectedLineName", unknown,
		"Language", "en", "AccountCode", "", "Context", "default", "Exten", "200", "Priority", "1",
		"Uniqueid", "1795460079.1", "Linkedid", "1795460079.1", "Extension", "200", "Application", "Wait", "AppData", "1")
	_ = s.EmitRepeated(ctx, ev, f.Count, f.Rate)
}

// EmitRepeated emits an event n times at a rate in events a second; 0 is as fast
// as the sessions take them. The event is encoded once, only its number differs. It
// returns the context's error if it is cut short.
func (s *Server) EmitRepeated(ctx context.Context, ev Event, n int, rate float64) error {
	body, class := s.template(ev)
	start := time.Now()
	for sent := 0; sent < n; {
		due := n
		if rate > 0 {
			due = min(n, int(time.Since(start).Seconds()*rate)+1)
		}
		for sent < due {
			k := min(due-sent, max(1, batchBytes/len(body)))
			s.waitRoom(s.emitCopies(body, class, k))
			sent += k
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if sent < n {
			if err := pause(ctx, tick); err != nil {
				return err
			}
		}
	}
	return nil
}

// template encodes an event up to where its number and its end go.
func (s *Server) template(ev Event) ([]byte, Class) {
	s.emitMu.Lock()
	defer s.emitMu.Unlock()
	class := ev.Class
	if class == 0 {
		class = classOf(ev.Name)
	}
	b := s.preamble(nil, ev.Name, class)
	for _, h := range ev.Headers {
		b = appendHeader(b, h.Name, h.Value)
	}
	return append(b, ev.raw...), class
}

// emitCopies emits an encoded event k times.
func (s *Server) emitCopies(body []byte, class Class, k int) (full []*session) {
	s.emitMu.Lock()
	defer s.emitMu.Unlock()
	s.scratch.reset()
	s.scratch.prepare()
	for range k {
		s.finish(append(s.scratch.b, body...), class)
	}
	return s.deliver(class)
}
