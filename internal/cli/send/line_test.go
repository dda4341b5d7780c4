package send

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A line of very many headers is refused, in a time that follows their number and not its square.
func TestLineOfVeryManyFields(t *testing.T) {
	took := func(n int) time.Duration {
		var b strings.Builder
		b.WriteString(`{"action":"Ping","fields":{"a":1`)
		for i := range n {
			fmt.Fprintf(&b, `,"a%d":1`, i)
		}
		b.WriteString(`},"id":"7"}`)
		best := time.Hour
		for range 3 {
			start := time.Now()
			r := parseLine(1, b.String())
			best = min(best, time.Since(start))
			if r.err == nil || r.id != "7" {
				t.Fatalf("error %v, id %q", r.err, r.id)
			}
		}
		return best
	}
	if few, many := took(2_000), took(40_000); many > 100*few {
		t.Errorf("20 times as many take %v instead of %v", many, few)
	}
}
