package send

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A line of very many headers is refused. Each header is compared with those before it, so no more of them are taken than
// Asterisk reads: the work follows the length of the line and not its square.
func TestLineOfVeryManyFields(t *testing.T) {
	for _, n := range []int{2_000, 40_000} {
		var b strings.Builder
		b.WriteString(`{"action":"Ping","fields":{"a":1`)
		for i := range n {
			fmt.Fprintf(&b, `,"a%d":1`, i)
		}
		b.WriteString(`},"id":"7"}`)
		r := parseLine(1, b.String())
		if r.err == nil || r.id != "7" {
			t.Errorf("%d fields: error %v, id %q", n, r.err, r.id)
		}
		if taken := len(r.action.Fields); taken > wire.MaxHeaders+1 {
			t.Errorf("%d fields: %d were taken, and each compared with all before it; Asterisk reads %d", n, taken, wire.MaxHeaders)
		}
	}
}
