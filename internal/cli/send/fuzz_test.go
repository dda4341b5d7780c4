package send

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Whatever a line of `send -` holds, it is an action that can be sent or a refusal.
func FuzzParseLine(f *testing.F) {
	f.Add(`{"action":"Hangup","fields":{"Channel":"PJSIP/100-1"},"id":"7","node":"pbx1","timeout":"5s"}`)
	f.Add(`{"action":"Originate","fields":{"Variable":["A=1","B=2"],"Async":true,"Timeout":30000}}`)
	f.Add(`{"action":"Ping","action":"Ping"}`)
	f.Add(`{"action":"Ping","fields":{"A":"b\r\nAction: Hangup"}}`)
	f.Add(`{"action":null}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, text string) {
		r := parseLine(1, text)
		if r.err != nil {
			if code := fail.Classify(r.err).Code; code != fail.CodeInput {
				t.Errorf("%q is refused as %s", text, code)
			}
			return
		}
		packet, err := wire.AppendAction(nil, r.action.Name, []byte("1"), r.action.Fields)
		if err != nil {
			t.Errorf("%q is accepted and cannot be sent: %v", text, err)
		}
		if n := strings.Count(string(packet), "\r\n"); n != len(r.action.Fields)+3 {
			t.Errorf("%q makes %d lines of %d headers", text, n, len(r.action.Fields))
		}
	})
}
