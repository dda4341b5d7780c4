package nagios_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/cli/nagios"
)

func TestWorse(t *testing.T) {
	order := []int{nagios.OK, nagios.Unknown, nagios.Warning, nagios.Critical}
	for i, a := range order {
		for k, b := range order {
			if got, want := nagios.Worse(a, b), order[max(i, k)]; got != want {
				t.Errorf("of %s and %s the worse is %s", nagios.Word(a), nagios.Word(b), nagios.Word(got))
			}
		}
	}
}

// The first line tells of the problems for which there is room, and how many there are beside these; the first one it tells in any case.
func TestSummary(t *testing.T) {
	long := strings.Repeat("é", 190)
	for name, test := range map[string]struct {
		problems []string
		line     string
		details  int
	}{
		"none":              {nil, "PBX OK - all", 0},
		"one":               {[]string{long + long}, "PBX OK - all; " + long + long, 0},
		"several":           {[]string{"a", "b", "c"}, "PBX OK - all; a; b; c", 3},
		"too many":          {slices.Repeat([]string{strings.Repeat("x", 60)}, 12), "PBX OK - all" + strings.Repeat("; "+strings.Repeat("x", 60), 3) + "; and 9 more", 12},
		"just short enough": {[]string{"a", long[:2*183]}, "PBX OK - all; a; " + long[:2*183], 2},
		"just too long":     {[]string{"a", long[:2*184], "c"}, "PBX OK - all; a; and 2 more", 3},
	} {
		if got := nagios.Summary("PBX", nagios.OK, "all", test.problems); got != test.line {
			t.Errorf("%s: %s, want %s", name, got, test.line)
		}
		if got := strings.Count(nagios.Details(test.problems), "\n"); got != test.details {
			t.Errorf("%s: %d further lines, want %d", name, got, test.details)
		}
	}
}
