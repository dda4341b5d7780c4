package check

import (
	"regexp"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/fail"
)

// A profile that is accepted can be checked: all that it says to match compiles, and a call has somebody to call.
func FuzzProfile(f *testing.F) {
	f.Add("modules = [\"a\"]\n[[command]]\nrun = \"x\"\nexpect = \"(\"\n[call]\nchannel = \"x\"\nexten = \"1\"\n")
	f.Add("[[command]]\nrun = \"core show uptime\"\nexpect = \"up.*\"\nreject = \"down\"\n")
	f.Add("[[command]]\nrun = \"  \"\n")
	f.Add("[call]\nchannel = \"x\"\napplication = \"Echo\"\nring = \"3s\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parseProfile("x", text)
		if err != nil {
			if code := fail.Classify(err).Code; code != fail.CodeConfig && code != fail.CodeUsage {
				t.Errorf("%q is refused as %s: %v", text, code, err)
			}
			return
		}
		if p.banner == nil {
			t.Error("no banner to compare with")
		}
		for _, c := range p.Commands {
			if strings.TrimSpace(c.Run) == "" {
				t.Errorf("%q runs nothing", text)
			}
			if _, err := regexp.Compile(c.Expect); err != nil {
				t.Errorf("%q expects what cannot be: %v", text, err)
			}
		}
		if c := p.Call; c != nil && (c.Channel == "" || c.ring <= 0) {
			t.Errorf("%q calls %q for %v", text, c.Channel, c.ring)
		}
	})
}
