package check

import (
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
	f.Add("[[queues]]\nname = [\"a*\"]\nwhere = \"callers>1\"\nwarn = \"count>2\"\n[server]\ncrit = \"uptime<1h && node=x\"\n")
	f.Add("queues = [\"a\", {name = \"b\", crit = \"wait>1m\"}]\nendpoints = [\"1\"]\n")
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
		for _, c := range p.commands {
			if strings.TrimSpace(c.run) == "" {
				t.Errorf("%q runs nothing", text)
			}
		}
		for i := range p.sections {
			if p.sections[i].label() == "" {
				t.Errorf("%q has a check without a name", text)
			}
		}
		if c := p.call; c != nil && (c.channel == "" || c.ring <= 0) {
			t.Errorf("%q calls %q for %v", text, c.channel, c.ring)
		}
	})
}
