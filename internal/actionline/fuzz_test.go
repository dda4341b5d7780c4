package actionline

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Whatever a line holds, it is an action that can be sent or a refusal.
func FuzzParse(f *testing.F) {
	f.Add(`{"action":"Hangup","fields":{"Channel":"PJSIP/100-1"},"id":"7","node":"pbx1","timeout":"5s"}`)
	f.Add(`{"action":"Originate","fields":{"Variable":["A=1","B=2"],"Async":true,"Timeout":30000}}`)
	f.Add(`{"action":"Ping","action":"Ping"}`)
	f.Add(`{"action":"Ping","fields":{"A":"b\r\nAction: Hangup"}}`)
	f.Add(`{"action":null}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse(text)
		if err != nil {
			return
		}
		packet, err := wire.AppendAction(nil, l.Action.Name, []byte("1"), l.Action.Fields)
		if err != nil {
			t.Errorf("%q is accepted and cannot be sent: %v", text, err)
		}
		if n := strings.Count(string(packet), "\r\n"); n != len(l.Action.Fields)+3 {
			t.Errorf("%q makes %d lines of %d headers", text, n, len(l.Action.Fields))
		}
	})
}
