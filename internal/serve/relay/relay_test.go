package relay

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Wherever an ActionID stands in a packet, it is the client's own or none; nothing else changes.
func TestRenamed(t *testing.T) {
	const id = "1-00112233445566778899-a.1"
	for _, c := range []struct{ name, text, own, want string }{
		{"a response", "Response: Success\r\nActionID: " + id + "\r\n\r\n", "x", "Response: Success\r\nActionID: x\r\n\r\n"},
		{"none given", "Response: Success\r\nActionID: " + id + "\r\nPing: Pong\r\n\r\n", "", "Response: Success\r\nPing: Pong\r\n\r\n"},
		{"further down", "Event: Status\r\nA: b\r\nActionID: " + id + "\r\n\r\n", "x", "Event: Status\r\nA: b\r\nActionID: x\r\n\r\n"},
		{"twice", "Event: A\r\nActionID: " + id + "\r\nactionid: " + id + "\r\n\r\n", "y", "Event: A\r\nActionID: y\r\nactionid: y\r\n\r\n"},
		{"bare line ends", "Event: A\nActionID: " + id + "\n\n", "y", "Event: A\nActionID: y\n\n"},
		{"another header", "Event: A\r\nX: " + id + "\r\nActionID: " + id + "\r\n\r\n", "y", "Event: A\r\nX: " + id + "\r\nActionID: y\r\n\r\n"},
		{"a longer value", "Event: A\r\nActionID: " + id + "5\r\n\r\n", "y", "Event: A\r\nActionID: " + id + "5\r\n\r\n"},
		{"a shorter header", "Event: A\r\nActionID: x" + id + "\r\n\r\n", "y", "Event: A\r\nActionID: x" + id + "\r\n\r\n"},
		{"without a line end", "ActionID: " + id, "y", "ActionID: y"},
		{"not there", "Event: A\r\n\r\n", "y", "Event: A\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(AppendRenamed(nil, c.text, id, c.own)); got != c.want {
				t.Errorf("%q, not %q", got, c.want)
			}
		})
	}
	if got := string(AppendRenamed(nil, "ActionID: \r\n", "", "y")); got != "ActionID: \r\n" {
		t.Errorf("%q", got)
	}
}

// Who is refused is told how far the action came.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		err  error
		own  string
		want string
	}{
		{&users.DeniedError{What: "Command"}, "7", "Response: Error\r\nActionID: 7\r\nMessage: Permission denied\r\nRelay-Sent: no\r\n\r\n"},
		{upstream.ErrTooFast, "", "Response: Error\r\nMessage: Too many actions a second\r\nRelay-Sent: no\r\n\r\n"},
		{&ami.OpError{Op: ami.OpDo, Sent: ami.SentYes, Err: ami.ErrTimeout}, "a", "Response: Error\r\nActionID: a\r\nMessage: The server pbx did not answer in time; the action may have run\r\nRelay-Sent: yes\r\n\r\n"},
		{&wire.FieldError{Header: "X\r\nY", Err: wire.ErrName}, "", "Response: Error\r\nMessage: Failed to parse message: "},
	} {
		got := string(AppendRefusal(nil, c.own, c.err, "pbx"))
		if !strings.HasPrefix(got, c.want) || strings.Count(got, "\r\n\r\n") != 1 {
			t.Errorf("%v: %q, not %q", c.err, got, c.want)
		}
	}
}
