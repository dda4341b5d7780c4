package completion

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitLine(t *testing.T) {
	for _, tt := range []struct {
		line string
		want []string
	}{
		{"amictl", []string{"amictl", ""}},
		{"amictl ", []string{"amictl", ""}},
		{"amictl se", []string{"amictl", "se"}},
		{"amictl  send  A ", []string{"amictl", "send", "A", ""}},
		{`amictl send "a b" 'c d' e\ f`, []string{"amictl", "send", "a b", "c d", "e f"}},
		{`amictl send "a b`, []string{"amictl", "send", "a b"}},
		{`amictl send "" x`, []string{"amictl", "send", "", "x"}},
		{`amictl 'a\'`, []string{"amictl", `a\`}},
	} {
		if diff := cmp.Diff(tt.want, SplitLine(tt.line)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tt.line, diff)
		}
	}
}
