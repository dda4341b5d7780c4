package nagios_test

import (
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
