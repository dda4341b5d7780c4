package amidoor

import (
	"errors"
	"strings"

	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// appendReply appends a server's whole answer as it came, but for the ActionID, which becomes the client's own.
func appendReply(dst []byte, r *ami.Reply, own string) []byte {
	id := r.Get("ActionID")
	if r.Fenced && r.Items == 0 && r.End.Len() == 0 { // what named no action, its response included
		return append(dst, r.Raw...)
	}
	dst = appendRenamed(dst, r.Text(), id, own)
	for i := range r.Events {
		dst = appendRenamed(dst, r.Events[i].Text(), id, own)
	}
	return appendRenamed(dst, r.End.Text(), id, own)
}

// appendRenamed appends a packet whose ActionID is another: where the line has id, it gets own, or goes if own is "", as the
// server writes none for a client that gives none.
func appendRenamed(dst []byte, text, id, own string) []byte {
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

// refusal returns what a client is told of an action that no server answered, or whose answer is not whole.
func refusal(err error, node string) string {
	var denied *users.DeniedError
	switch {
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
