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
	names *names // a Printer's

	spread bool // for a Printer's document: laid out, an element of an array. It has names and a stamp, too
}

// AppendEvent appends an event, or the gap that the entry marks, as one JSON object. It does not allocate unless a
// header repeats.
func AppendEvent(dst []byte, ev *ami.Event) []byte { return JSON{}.AppendEvent(dst, ev) }

// AppendEvent is like the function of that name. Node and time are absent if ev has none: an event from a raw capture.
func (j JSON) AppendEvent(dst []byte, ev *ami.Event) []byte {
	if ev.Gap != nil {
		return appendGap(dst, ev)
	}
	if ev.Kind() != wire.Event {
		return appendPacket(dst, ev)
	}
	return j.appendEvent(dst, "event", ev, nil)
}

// appendPacket appends what a server sent that is neither an event nor an answer to anybody here, as it came.
func appendPacket(dst []byte, ev *ami.Event) []byte {
	lossy := false
	dst = appendOpening(dst, "packet", ev.Node, ev.Received, &lossy)
	return closeObject(appendStringKey(dst, "text", ev.Text(), &lossy), lossy)
}

// AppendItem appends one element of a list, which came while its action ran.
func (j JSON) AppendItem(dst []byte, ev *ami.Event, origin *Origin) []byte {
	return j.appendEvent(dst, "item", ev, origin)
}

func (j JSON) appendEvent(dst []byte, typ string, ev *ami.Event, origin *Origin) []byte {
	lossy := false
	dst = j.appendOpening(dst, typ, ev.Node, ev.Received, &lossy)
	if origin != nil {
		dst = origin.append(dst, &lossy)
	}
	dst = j.appendNamed(dst, &ev.Message, origin != nil, &lossy)
	if !j.spread {
		return closeObject(dst, lossy)
	}
	if lossy {
		dst = appendSpread(dst, `,"lossy":true`, spreadFields-1)
	}
	return append(appendNewline(dst, spreadFields-2), '}')
}

// appendNamed appends the keys event, fields, multi and text. The ActionID of an answer is the session's own number
// and is left out; that of an event may be somebody else's and stays.
func (j JSON) appendNamed(dst []byte, m *wire.Message, answer bool, lossy *bool) []byte {
	w := fieldWriter{m: m, name: m.Name(), only: j.Fields, spread: j.spread}
	if answer {
		w.lift = liftOwnNumber
	}
	if m.Kind() == wire.Event {
		w.event, w.from = true, 1
	}
	dst = j.appendFields(dst, &w)
	*lossy = *lossy || w.lossy
	return dst
}

// appendFields runs w, with a Printer's table of names or one that is free.
func (j JSON) appendFields(dst []byte, w *fieldWriter) []byte {
	if w.names = j.names; w.names == nil {
		w.names, w.passing = freeNames.Get().(*names), len(j.Fields) > 0
		defer freeNames.Put(w.names)
	}
	return w.append(dst)
}

// AppendGap appends the gap that an entry of a subscription marks.
func appendGap(dst []byte, ev *ami.Event) []byte {
	lossy := false
	dst = appendOpening(dst, "gap", ev.Node, ev.Received, &lossy)
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

// A stamp is what appendOpening writes, kept because all that one read of the network brought has it in common.
type stamp struct {
	typ   string
	node  string
	time  time.Time
	text  []byte
	lossy bool
}

// appendOpening begins an object: its type, where and when.
func (j JSON) appendOpening(dst []byte, typ, node string, t time.Time, lossy *bool) []byte {
	s := j.stamp
	if s == nil {
		return appendOpening(dst, typ, node, t, lossy)
	}
	if s.typ != typ || s.node != node || s.time != t {
		if s.node != node {
			s.node = strings.Clone(node) // it may be borrowed
		}
		s.typ, s.time, s.lossy = typ, t, false
		s.text = appendOpening(s.text[:0], typ, node, t, &s.lossy)
		if j.spread {
			s.text = appendSpread(nil, string(s.text), spreadFields-2)
		}
	}
	*lossy = *lossy || s.lossy
	return append(dst, s.text...)
}

func appendOpening(dst []byte, typ, node string, t time.Time, lossy *bool) []byte {
	dst = append(append(append(dst, `{"type":"`...), typ...), '"')
	return appendStamp(dst, node, t, lossy)
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
