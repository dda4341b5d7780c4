package cli

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
)

// Arguments are arranged or refused as usage, never a panic; what stood behind `--` is not among them.
func FuzzArrange(f *testing.F) {
	f.Add("send Ping -o json --node x")
	f.Add("--node x tail Hangup --where Cause=16")
	f.Add("originate --context=lab -c PJSIP/1")
	f.Add("bench report --help")
	f.Add("-x --= --")
	r := run.New(nil, strings.NewReader(""), nil, &strings.Builder{}, func(string) (string, bool) { return "", false })
	root := Commands(r)
	f.Fuzz(func(t *testing.T, text string) {
		line, err := arrange(r, root, strings.Fields(text))
		if err != nil {
			if code := fail.Classify(err).Code; code != fail.CodeUsage {
				t.Errorf("%q is refused as %s: %v", text, code, err)
			}
			return
		}
		if line.command == nil {
			t.Errorf("%q names no command", text)
		}
	})
}
