package ami_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func TestRefusedBeforeAByteIsWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s, cfg := simulate(t)
		c := mustDial(t, cfg)
		before := s.Ledger()
		n := uint64(0)
		for _, tt := range []struct {
			name   string
			action ami.Action
			cause  error
		}{
			{"Login", ami.NewAction("Login"), ami.ErrReservedAction},
			{"login in another case", ami.NewAction("lOgIn"), ami.ErrReservedAction},
			{"Challenge", ami.NewAction("Challenge"), ami.ErrReservedAction},
			{"Logoff", ami.NewAction("LOGOFF"), ami.ErrReservedAction},
			{"no name", ami.NewAction(""), wire.ErrEmpty},
			{"LF in the name", ami.NewAction("Ping\nAction: Logoff"), wire.ErrNewline},
			{"LF in a value", ami.NewAction("Ping", "A", "x\nAction: Logoff"), wire.ErrNewline},
			{"CR in a value", ami.NewAction("Ping", "A", "x\rB: y"), wire.ErrNewline},
			{"NUL in a value", ami.NewAction("Ping", "A", "x\x00"), wire.ErrNUL},
			{"LF in a header name", ami.NewAction("Ping", "A\nB", "x"), wire.ErrName},
			{"colon in a header name", ami.NewAction("Ping", "A: b", "x"), wire.ErrName},
			{"empty header name", ami.NewAction("Ping", "", "x"), wire.ErrName},
			{"Action header", ami.NewAction("Ping", "action", "Logoff"), wire.ErrReserved},
			{"ActionID header", ami.NewAction("Ping", "ACTIONID", "1"), wire.ErrReserved},
			{"1,023 bytes", ami.NewAction("Ping", "A", strings.Repeat("x", 1020)), wire.ErrLineTooLong},
			{"129 headers", ami.Action{Name: "Ping", Fields: make127("A", 127)}, wire.ErrHeaders},
		} {
			_, err := c.Do(t.Context(), tt.action)
			n++
			oe := wantOp(t, err, "do", tt.cause)
			if oe.Sent != ami.SentNo || ami.Retryable(err, "Ping") {
				t.Errorf("%s: %+v; not sent, and sending it again would be refused again", tt.name, oe)
			}
			if err := tt.action.Check(); !errors.Is(err, tt.cause) {
				t.Errorf("%s: Check says %v", tt.name, err)
			}
		}
		for _, a := range []ami.Action{
			ami.NewAction("Ping", "A", strings.Repeat("x", 1019)),
			{Name: "Ping", Fields: make127("A", 126)},
			ami.NewAction("Ping", "Empty", "", "UTF", "ü€", "Colon", "a: b"),
		} {
			if _, err := c.Do(t.Context(), a); err != nil {
				t.Errorf("at the limit: %v", err)
			}
		}
		after := s.Ledger()
		if got := after.ActionsReceived - before.ActionsReceived; got != 3 {
			t.Errorf("the server received %d actions, want the 3 good ones", got)
		}
		if l := c.Stats().Ledger; l.Rejected != n || l.Accepted != 3 || l.Submitted != n+3 {
			t.Errorf("ledger %+v", l)
		}
		exact(t, c.Stats())
	})
}

func make127(name string, n int) []ami.Field {
	return slices.Repeat([]ami.Field{{Name: name, Value: "1"}}, n)
}

func TestServerRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, cfg := simulate(t)
		c := mustDial(t, cfg)
		r, err := c.Do(t.Context(), ami.NewAction("NoSuchAction"))
		var refused *ami.ResponseError
		if r == nil || !errors.As(err, &refused) || !strings.HasPrefix(refused.Message, "Invalid/unknown command: NoSuchAction") {
			t.Fatalf("%v, %v", r, err)
		}
		oe := wantOp(t, err, "do", nil)
		if oe.Sent != ami.SentYes || oe.ActionID == "" || refused.Action != "NoSuchAction" || r.Success() || ami.Retryable(err, "Ping") {
			t.Errorf("%+v %+v", oe, refused)
		}
		if l := c.Stats().Ledger; l.ErrorReplies != 1 || l.Replied != 0 {
			t.Errorf("ledger %+v", l)
		}
	})
}
