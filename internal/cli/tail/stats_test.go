package tail

import (
	"fmt"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A server that invents names without end fills no memory with their counts.
func TestStatsOfVeryManyNames(t *testing.T) {
	s := newEventStats(false)
	d := wire.NewDecoder(wire.Limits{})
	for i := range 2 * mostNames {
		d.Feed(fmt.Appendf(nil, "Event: E%d\r\n\r\n", i))
		m, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		s.add(&ami.Event{Message: m, Node: "pbx"})
	}
	if n := len(s.counts); n > mostNames+1 || s.total.n != 2*mostNames || s.counts[statKey{"pbx", otherEvents}].n != mostNames {
		t.Errorf("%d names for %d events", n, s.total.n)
	}
}
