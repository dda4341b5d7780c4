package output

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
)

// What a printer learns of packets stays within its bounds, whatever they look like, and never changes what is printed.
func TestLayoutsAreBounded(t *testing.T) {
	p := JSON{names: new(names), stamp: new(stamp)}
	long := strings.Repeat("n", 4000)
	for i := range 20_000 {
		var b strings.Builder
		fmt.Fprintf(&b, "Event: Kind%d\r\n", i%3000)
		for k := range i % 90 {
			fmt.Fprintf(&b, "Name%d-%d: %d\r\n", i%7, k%60, i)
		}
		switch i % 11 {
		case 0:
			b.WriteString(strings.Repeat(long+": x\r\n", 3))
		case 1:
			b.WriteString(strings.Repeat("\xff", 1300) + ": x\r\n")
		case 2:
			b.WriteString(strings.Repeat("A: b\r\n", 700))
		}
		m := message(t, b.String()+"\r\n")
		got := string(p.AppendEvent(nil, &ami.Event{Message: m}))
		if i%97 == 0 {
			if diff := cmp.Diff(slowEvent(&m), got); diff != "" {
				t.Fatalf("packet %d (-want +got):\n%s", i, diff)
			}
		}
	}
	size := 0
	for _, l := range p.names.layouts {
		if l != nil {
			size += l.size()
		}
	}
	if size > maxLayoutBytes {
		t.Errorf("%d bytes of layouts", size)
	}
	if size != p.names.learned {
		t.Errorf("%d bytes of layouts were counted as %d", size, p.names.learned)
	}
}
