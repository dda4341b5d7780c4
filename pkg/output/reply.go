package output

import (
	"strconv"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// AppendReply appends the complete answer to an action. Items that were printed on their own are left out of it.
func (j JSON) AppendReply(dst []byte, r *ami.Reply, origin *Origin) []byte {
	lossy := false
	dst = j.appendOpening(dst, "reply", r.Node, r.Received, &lossy)
	dst = origin.append(dst, &lossy)
	dst = appendStringKey(dst, "response", r.Name(), &lossy)
	if message, ok := r.Lookup("Message"); ok {
		dst = appendStringKey(dst, "message", message, &lossy)
	}
	if outcome := r.Outcome(); outcome != ami.OutcomeUnknown {
		dst = appendStringKey(dst, "outcome", outcome.String(), &lossy)
	}
	dst = strconv.AppendInt(appendKey(dst, "rtt_us"), r.RTT.Microseconds(), 10)
	follows := wire.EqualFold(r.Name(), "Follows")
	command := follows || wire.EqualFold(origin.Action, "Command")
	w := fieldWriter{m: &r.Message, name: r.Name(), from: 1, lift: liftReply, only: j.Fields, textless: follows}
	if command {
		w.lift = liftCommand
	}
	dst = j.appendFields(dst, &w)
	lossy = lossy || w.lossy
	if command {
		dst = appendOutput(dst, r, &lossy)
	}
	dst = j.appendList(dst, r, origin.Items, &lossy)
	if r.Incomplete {
		dst = append(dst, `,"complete":false`...)
	}
	if r.Fenced {
		dst = appendStringKey(dst, "raw", r.Raw, &lossy)
	}
	return closeObject(dst, lossy)
}

// A lifting says which headers of a packet have keys of their own, or none because they only serve the protocol.
type lifting uint8

const (
	liftNothing   lifting = iota
	liftOwnNumber         // of an item
	liftReply
	liftCommand // a reply whose output has a key of its own too
)

func (l lifting) lifts(name string) bool {
	if l == liftNothing {
		return false
	}
	switch len(name) {
	case len("Message"):
		return l >= liftReply && wire.EqualFold(name, "Message")
	case len("ActionID"): // and Response
		return wire.EqualFold(name, "ActionID") || l >= liftReply && wire.EqualFold(name, "Response")
	case len("EventList"):
		return l >= liftReply && wire.EqualFold(name, "EventList")
	case len("Output"):
		return l == liftCommand && wire.EqualFold(name, "Output")
	}
	return false
}

func appendOutput(dst []byte, r *ami.Reply, lossy *bool) []byte {
	dst = append(dst, `,"output":[`...)
	open := len(dst)
	for line := range r.Output() {
		if len(dst) > open {
			dst = append(dst, ',')
		}
		var l bool
		dst, l = appendString(dst, line)
		*lossy = *lossy || l
	}
	return append(dst, ']')
}

// appendList appends the items of a list and how many there were, those that were printed before included, or the event that
// told how an Originate ended.
func (j JSON) appendList(dst []byte, r *ami.Reply, printed int, lossy *bool) []byte {
	if isList(r) {
		dst = append(dst, `,"events":[`...)
		for i := range r.Events {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = j.appendInner(dst, &r.Events[i].Message, lossy)
		}
		dst = append(dst, ']')
		return strconv.AppendInt(appendKey(dst, "items"), int64(len(r.Events)+printed), 10)
	}
	if r.End.Len() > 0 {
		dst = j.appendInner(appendKey(dst, "end"), &r.End, lossy)
	}
	return dst
}

// appendInner appends an event inside a reply: {"event":…,"fields":{…}}.
func (j JSON) appendInner(dst []byte, m *wire.Message, lossy *bool) []byte {
	at := len(dst)
	dst = j.appendNamed(dst, m, true, lossy)
	dst[at] = '{' // in place of the comma before the first key
	return append(dst, '}')
}

// isList reports whether the server answered with a list, empty or not.
func isList(r *ami.Reply) bool {
	if len(r.Events) > 0 {
		return true
	}
	if _, ok := r.Lookup("EventList"); ok {
		return true
	}
	return r.End.Len() > 0 && !wire.EqualFold(r.End.Name(), "OriginateResponse")
}

// Failure is what went wrong with a request, for an object of type "error".
type Failure struct {
	Node    string
	Time    time.Time
	Origin  Origin
	Code    string // from the closed list of exit statuses
	Exit    int
	Sent    string // "no", "maybe", "yes"; "" when nothing was to be sent
	Message string
	Hint    string
}

// AppendError appends a failure as a JSON object.
func AppendError(dst []byte, f *Failure) []byte {
	lossy := false
	dst = appendOpening(dst, "error", f.Node, f.Time, &lossy)
	dst = f.Origin.append(dst, &lossy)
	dst = appendStringKey(dst, "code", f.Code, &lossy)
	dst = strconv.AppendInt(appendKey(dst, "exit"), int64(f.Exit), 10)
	if f.Sent != "" {
		dst = appendStringKey(dst, "sent", f.Sent, &lossy)
	}
	dst = appendStringKey(dst, "message", f.Message, &lossy)
	if f.Hint != "" {
		dst = appendStringKey(dst, "hint", f.Hint, &lossy)
	}
	return closeObject(dst, lossy)
}
