package output

import (
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// JSON encodes objects. The zero value keeps every field.
type JSON struct {
	Fields []string // if not empty, the headers to keep in fields and multi, whatever their case

	stamp *stamp // a Printer's, for what it writes one behind the other
}

// AppendEvent appends an event, or the gap that the entry marks, as one JSON object. It does not allocate unless a
// header repeats.
func AppendEvent(dst []byte, ev *ami.Event) []byte { return JSON{}.AppendEvent(dst, ev) }

// AppendEvent is as the function of that name. Node and time are absent if ev has none: an event from a raw capture.
func (j JSON) AppendEvent(dst []byte, ev *ami.Event) []byte {
	if ev.Gap != nil {
		return appendGap(dst, ev)
	}
	return j.appendEvent(dst, "event", ev, nil)
}

// AppendItem appends one element of a list, which came while its action ran.
func (j JSON) AppendItem(dst []byte, ev *ami.Event, origin *Origin) []byte {
	return j.appendEvent(dst, "item", ev, origin)
}

func (j JSON) appendEvent(dst []byte, typ string, ev *ami.Event, origin *Origin) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, typ...)
	dst = append(dst, '"')
	lossy := false
	dst = j.appendStamp(dst, ev.Node, ev.Received, &lossy)
	if origin != nil {
		dst = origin.append(dst, &lossy)
	}
	return closeObject(j.appendNamed(dst, &ev.Message, origin != nil, &lossy), lossy)
}

// appendNamed appends the keys event, fields, multi and text. The ActionID of an answer is the session's own number
// and is left out; that of an event may be somebody else's and stays.
func (j JSON) appendNamed(dst []byte, m *wire.Message, answer bool, lossy *bool) []byte {
	w := fieldWriter{m: m, only: j.Fields}
	if answer {
		w.omit = ownNumber
	}
	if m.Kind() == wire.Event {
		dst = appendStringKey(dst, "event", m.Name(), lossy)
		w.from = 1
	}
	dst = w.append(dst)
	*lossy = *lossy || w.lossy
	return dst
}

func ownNumber(name string) bool { return wire.EqualFold(name, "ActionID") }

// appendGap appends the gap that an entry of a subscription marks.
func appendGap(dst []byte, ev *ami.Event) []byte {
	dst = append(dst, `{"type":"gap"`...)
	lossy := false
	dst = appendStamp(dst, ev.Node, ev.Received, &lossy)
	dst = appendStringKey(dst, "reason", string(ev.Gap.Reason), &lossy)
	if ev.Gap.Reason == ami.GapOverflow {
		dst = strconv.AppendUint(appendKey(dst, "dropped"), ev.Gap.Dropped, 10)
	}
	if !ev.Gap.Since.IsZero() {
		dst = appendTimestamp(appendKey(dst, "since"), ev.Gap.Since)
	}
	if !ev.Gap.Until.IsZero() {
		dst = appendTimestamp(appendKey(dst, "until"), ev.Gap.Until)
	}
	return closeObject(dst, lossy)
}

// appendStamp appends the keys that say where and when: node, time and ts.
func appendStamp(dst []byte, node string, t time.Time, lossy *bool) []byte {
	if node != "" {
		dst = appendStringKey(dst, "node", node, lossy)
	}
	return appendTime(dst, t)
}

// A stamp is the text of appendStamp, kept because all that one read of the network brought has it in common.
type stamp struct {
	node  string
	time  time.Time
	text  []byte
	lossy bool
}

func (j JSON) appendStamp(dst []byte, node string, t time.Time, lossy *bool) []byte {
	s := j.stamp
	if s == nil {
		return appendStamp(dst, node, t, lossy)
	}
	if s.node != node || s.time != t {
		if s.node != node {
			s.node = strings.Clone(node) // it may be borrowed
		}
		s.time, s.lossy = t, false
		s.text = appendStamp(s.text[:0], node, t, &s.lossy)
	}
	*lossy = *lossy || s.lossy
	return append(dst, s.text...)
}

// Origin says to which request an object belongs.
type Origin struct {
	Action string // the action's name
	ID     string // the caller's own id, "" if it gave none
	Line   int    // the line of input that asked, counted from 1; 0: none
	Items  int    // of a list, printed before its reply
}

// append writes the keys action, id and line that are known.
func (o *Origin) append(dst []byte, lossy *bool) []byte {
	if o.Action != "" {
		dst = appendStringKey(dst, "action", o.Action, lossy)
	}
	if o.ID != "" {
		dst = appendStringKey(dst, "id", o.ID, lossy)
	}
	if o.Line > 0 {
		dst = strconv.AppendInt(appendKey(dst, "line"), int64(o.Line), 10)
	}
	return dst
}

func closeObject(dst []byte, lossy bool) []byte {
	if lossy {
		dst = append(dst, `,"lossy":true`...)
	}
	return append(dst, '}')
}
