package amitest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/capture"
	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// recorded is one event of a recording.
type recorded struct {
	at    time.Time // zero if the recording does not say
	class Class
	text  []byte // the header lines, without the blank line
}

// Replay emits the events of a recording to the sessions: a raw capture of what a
// server sent, or JSON lines as amictl writes them. Only events that were sent to
// everyone are replayed, not answers or list items. speed is how many times faster
// than recorded, 1 for the original timing, 0 for as fast as the sessions take
// them; events without a time follow at once. It returns how many it emitted, and
// the context's error if it was cut short, or one that tells how many packets of the
// capture could not be read.
func (s *Server) Replay(ctx context.Context, r io.Reader, speed float64) (int, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	next := newRawReplay(br).next
	if first, err := br.Peek(1); err == nil && first[0] == '{' {
		next = func() (recorded, error) { return nextJSON(br) }
	}
	var first, start time.Time
	n := 0
	for {
		rec, err := next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("amitest: replay: after event %d: %w", n, err)
		}
		if speed > 0 && !rec.at.IsZero() {
			if first.IsZero() {
				first, start = rec.at, time.Now()
			}
			due := start.Add(time.Duration(float64(rec.at.Sub(first)) / speed))
			if wait := time.Until(due); wait > 0 {
				if err := pause(ctx, wait); err != nil {
					return n, err
				}
			}
		}
		if err := ctx.Err(); err != nil {
			return n, err
		}
		s.waitRoom(s.emitCopies(rec.text, rec.class, 1))
		n++
	}
}

// A rawReplay takes the events that were sent to everyone out of a capture.
type rawReplay struct{ packets *capture.Reader }

func newRawReplay(r io.Reader) *rawReplay {
	packets := capture.NewReader()
	packets.Open(r, "")
	return &rawReplay{packets}
}

// next returns the next event; at the end an error that tells what was lost, or io.EOF.
func (r *rawReplay) next() (recorded, error) {
	for {
		m, err := r.packets.Next()
		switch {
		case errors.Is(err, wire.ErrMore):
			if err := r.packets.Fill(); errors.Is(err, io.EOF) {
				r.packets.End()
			} else if err != nil {
				return recorded{}, err
			}
		case err != nil:
			if lost := r.packets.Lost(); lost.Packets > 0 {
				return recorded{}, errors.New(lost.String())
			}
			return recorded{}, err
		case m.Kind() == wire.Event:
			if rec, ok := broadcast(&m); ok {
				return rec, nil
			}
		}
	}
}

// broadcast makes an event of a packet that is no item of a list. Items have an ActionID and no Privilege; what was written
// by hand may have neither.
func broadcast(m *wire.Message) (recorded, bool) {
	rec := recorded{at: epoch(m.Get("Timestamp")), class: classOf(m.Name())}
	priv, public := m.Lookup("Privilege")
	if _, item := m.Lookup("ActionID"); item && !public {
		return rec, false
	}
	if public {
		rec.class = privClass(priv)
	}
	for i := range m.Len() {
		_, _, line := inside.Of(m).Parts(i)
		rec.text = append(append(rec.text, line...), '\r', '\n')
		if i == 0 && !public {
			rec.text = appendHeader(rec.text, "Privilege", privilege(rec.class))
		}
	}
	return rec, true
}

// privClass reads a Privilege header: its ",all" stands for nothing.
func privClass(priv string) Class {
	return ParseClass(strings.TrimSuffix(priv, ",all"))
}

func epoch(s string) time.Time {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || x <= 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(x * 1e6))
}

// nextJSON reads the next event of JSON lines, passing over other objects.
func nextJSON(r *bufio.Reader) (recorded, error) {
	for {
		line, err := r.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) == 0 {
			if err != nil {
				return recorded{}, err
			}
			continue
		}
		var o struct {
			Type   string
			Event  string
			Time   time.Time
			Fields ordered
			Multi  map[string][]string
		}
		if err := json.Unmarshal(line, &o); err != nil {
			return recorded{}, err
		}
		if o.Type != "event" {
			continue
		}
		return recorded{at: o.Time, class: classOfRecord(o.Event, o.Fields), text: recordText(o.Event, o.Fields, o.Multi)}, nil
	}
}

func classOfRecord(event string, fields ordered) Class {
	for _, f := range fields {
		if f.Name == "Privilege" {
			return privClass(f.Value)
		}
	}
	return classOf(event)
}

// recordText writes an event's headers: repeated ones where the first stood.
func recordText(event string, fields ordered, multi map[string][]string) []byte {
	b := appendHeader(nil, "Event", event)
	if len(fields) == 0 || fields[0].Name != "Privilege" {
		b = appendHeader(b, "Privilege", privilege(classOfRecord(event, fields)))
	}
	for _, f := range fields {
		if f.Name == "Event" {
			continue
		}
		values := multi[f.Name]
		if len(values) == 0 {
			values = []string{f.Value}
		}
		for _, v := range values {
			b = appendHeader(b, f.Name, v)
		}
	}
	return b
}

// ordered is a JSON object of strings whose order matters.
type ordered []Header

// UnmarshalJSON reads the object key by key.
func (o *ordered) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return errors.Join(err, errors.New("fields is not an object"))
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value string
		if err := d.Decode(&value); err != nil {
			return err
		}
		*o = append(*o, Header{key.(string), value})
	}
	return nil
}
