package output

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
)

// What a printer remembers of events for people stays within its bounds, whatever their names are, and never changes what is
// printed.
func TestPlansAreBounded(t *testing.T) {
	for _, fields := range [][]string{nil, {"event", "A"}} {
		o := Options{Format: TableText, Wide: true, Fields: fields}
		p := NewPrinter(new(strings.Builder), o)
		long := strings.Repeat("n", 10_000)
		show := func(p *Printer, packet string) {
			m := message(t, packet)
			if err := p.Event(&ami.Event{Message: m}); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 2_000 {
			var b strings.Builder
			fmt.Fprintf(&b, "Event: Kind%d", i)
			if i%11 == 0 {
				b.WriteString(long)
			}
			for k := range 60 {
				fmt.Fprintf(&b, "\r\nName%d-%d", i, k)
				if k%31 == 0 {
					b.WriteString(long[:4000])
				}
				b.WriteString(": x")
			}
			b.WriteString("\r\n\r\n")
			show(p, b.String())
			if i%97 != 0 || fields != nil {
				continue
			}
			var again, fresh strings.Builder
			p.w = &again
			if err := p.Flush(); err != nil {
				t.Fatal(err)
			}
			again.Reset()
			p.lines.event = 0
			show(p, b.String())
			_ = p.Flush()
			first := NewPrinter(&fresh, o)
			show(first, b.String())
			_ = first.Flush()
			if again.String() != fresh.String() {
				t.Fatalf("event %d is\n%s\nby a printer that knows others, and else\n%s", i, again.String(), fresh.String())
			}
		}
		roles := 0
		for _, plan := range p.lines.plans {
			roles += len(plan.known)
		}
		if p.lines.room != mostAllRoles-roles {
			t.Errorf("%d headers are remembered, and there is room for %d more of %d", roles, p.lines.room, mostAllRoles)
		}
		if size := p.remembered(); size == 0 || size > 4<<20 {
			t.Errorf("fields %v: it remembers %d bytes of names", fields, size)
		}
	}
}

// remembered is how many bytes of names the printer holds of events that it has shown for people.
func (p *Printer) remembered() (size int) {
	seen := make(map[*role]bool)
	add := func(r *role) {
		if !seen[r] {
			seen[r] = true
			size += len(r.name)
		}
	}
	for name, plan := range p.lines.plans {
		size += len(name)
		for _, r := range plan.known {
			add(r)
		}
		for _, r := range plan.last {
			add(r)
		}
	}
	for name := range p.stream.traits {
		size += len(name)
	}
	return size
}
