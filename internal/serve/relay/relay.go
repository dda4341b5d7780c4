package relay

import (
	"errors"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/manager"
	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// AppendAnswer appends what a client is told, under its ActionID, of an action that was passed on to a node: what its server
// answered, or why there is no answer.
func AppendAnswer(dst []byte, r *ami.Reply, err error, own, node string) []byte {
	switch {
	case r != nil && wire.EqualFold(r.End.Name(), "OriginateResponse"): // a synchronous Originate, whose end the server told in an event
		if err == nil {
			return AppendRenamed(dst, r.Text(), r.Get("ActionID"), own)
		}
		return append(appendHead(dst, own), "Message: Originate failed\r\n\r\n"...) // the words of action_originate
	case r != nil && (err == nil || errors.As(err, new(*ami.ResponseError))):
		return AppendReply(dst, r, own)
	}
	return AppendRefusal(dst, own, err, node)
}

// appendHead appends the beginning of a refusal.
func appendHead(dst []byte, own string) []byte {
	dst = append(dst, "Response: Error\r\n"...)
	if own != "" {
		dst = append(append(append(dst, "ActionID: "...), own...), "\r\n"...)
	}
	return dst
}

// AppendReply appends a server's whole answer as it came, but for the ActionID, which becomes the client's own.
func AppendReply(dst []byte, r *ami.Reply, own string) []byte {
	id := r.Get("ActionID")
	if r.Fenced && r.Items == 0 && r.End.Len() == 0 { // what named no action, its response included
		return append(dst, r.Raw...)
	}
	dst = AppendRenamed(dst, r.Text(), id, own)
	for i := range r.Events {
		dst = AppendRenamed(dst, r.Events[i].Text(), id, own)
	}
	return AppendRenamed(dst, r.End.Text(), id, own)
}

// AppendRenamed appends a packet whose ActionID is another: where the line has id, it gets own, or goes if own is "", as the
// server writes none for a client that gives none.
func AppendRenamed(dst []byte, text, id, own string) []byte {
	for id != "" {
		at := strings.Index(text, id)
		if at < 0 {
			break
		}
		start := strings.LastIndexByte(text[:at], '\n') + 1
		end := len(text)
		if nl := strings.IndexByte(text[at:], '\n'); nl >= 0 {
			end = at + nl + 1
		}
		head, tail := text[start:at], text[at+len(id):end]
		name, before, _ := strings.Cut(head, ":")
		switch {
		case !wire.EqualFold(name, "ActionID") || strings.Trim(before+tail, " \r\n") != "":
			dst = append(dst, text[:end]...)
		case own == "":
			dst = append(dst, text[:start]...)
		default:
			dst = append(dst, text[:at]...)
			dst = append(dst, own...)
			dst = append(dst, tail...)
		}
		text = text[end:]
	}
	return append(dst, text...)
}

// Action returns a client's message as an action that has so much time, an Originate as much as it asks for. A line that no server
// finds anything in is left out, but for a UserEvent, which repeats all of them: then ok is false.
func Action(in *manager.Input, name string, timeout time.Duration) (a ami.Action, ok bool) {
	a = ami.Action{Name: name, Timeout: timeout, Fields: make([]ami.Field, 0, in.Len())}
	for i := range in.Len() {
		line := string(in.Line(i))
		header, value, isHeader := strings.Cut(line, ":")
		if wire.EqualFold(header, "Action") || wire.EqualFold(header, "ActionID") {
			continue
		}
		if !isHeader || errors.Is(wire.CheckField(header, ""), wire.ErrName) {
			if wire.EqualFold(name, "UserEvent") {
				return a, false
			}
			continue
		}
		a.Fields = append(a.Fields, ami.Field{Name: header, Value: strings.TrimLeft(value, manager.Blanks)})
	}
	if wire.EqualFold(name, "Originate") {
		a.Timeout = max(a.Timeout, upstream.CallTimeout(&a))
	}
	return a, true
}

// AppendRefusal appends what a client is told, under its ActionID, of an action that no server answered, or whose answer is not
// whole.
func AppendRefusal(dst []byte, own string, err error, node string) []byte {
	dst = append(append(appendHead(dst, own), "Message: "...), OneLine(refusal(err, node))...)
	dst = append(append(dst, "\r\n"+ami.RelaySent+": "...), ami.SentState(err).String()...)
	return append(dst, "\r\n\r\n"...)
}

// refusal is the words of AppendRefusal, in one line.
func refusal(err error, node string) string {
	var denied *users.DeniedError
	var unfit *upstream.UnfitError
	switch {
	case errors.As(err, &unfit):
		return strings.ToUpper(unfit.Why[:1]) + unfit.Why[1:]
	case errors.As(err, &denied):
		return "Permission denied"
	case errors.Is(err, upstream.ErrTooFast):
		return "Too many actions a second"
	case errors.Is(err, upstream.ErrUnknownNode):
		return "The server " + node + " is no longer served"
	case errors.Is(err, wire.ErrLineTooLong):
		return "Failed to parse message: line too long"
	case errors.Is(err, wire.ErrHeaders):
		return "Too many lines in message or allocation failure"
	}
	var field *wire.FieldError
	if errors.As(err, &field) {
		return "Failed to parse message: " + field.Error()
	}
	what := "The server " + node + " is away"
	switch {
	case errors.Is(err, ami.ErrDraining), errors.Is(err, ami.ErrClosed), errors.Is(err, ami.ErrCancelled):
		what = "The server " + node + " is no longer served"
	case errors.Is(err, ami.ErrStopping):
		what = "Asterisk is shutting down"
	case errors.Is(err, ami.ErrTimeout):
		what = "The server " + node + " did not answer in time"
	case errors.Is(err, ami.ErrBusy):
		what = "The server " + node + " is busy"
	case errors.Is(err, ami.ErrListTooLong):
		what = "The answer of the server " + node + " is too long"
	}
	if ami.SentState(err) != ami.SentNo {
		what += "; the action may have run"
	}
	return what
}

// OneLine makes what could break a packet a space.
func OneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, s)
}
