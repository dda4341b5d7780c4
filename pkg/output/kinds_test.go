package output

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func packetOf(t testing.TB, text string) wire.Message {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(text))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	return m.Clone()
}

// manyKinds is a list of so many items, each with another name.
func manyKinds(t testing.TB, n int) *ami.Reply {
	r := &ami.Reply{Message: packetOf(t, "Response: Success\r\nEventList: start\r\n\r\n")}
	for i := range n {
		r.Events = append(r.Events, ami.Event{Message: packetOf(t, fmt.Sprintf("Event: Kind%d\r\nA: 1\r\n\r\n", i))})
	}
	return r
}

func kindsTable(t testing.TB, r *ami.Reply) string {
	var b strings.Builder
	p := NewPrinter(&b, Options{Format: TableText})
	if err := errors.Join(p.Reply(r, &Origin{Action: "X"}), p.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A server may give every item of a list another name: a table of them must not take the square of the work. Each name that
// is compared is first folded, which allocates; so the allocations of an item tell whether it is compared with all others.
func TestTableOfManyKinds(t *testing.T) {
	anItem := func(n int) float64 {
		r := manyKinds(t, n)
		if got := strings.Count(kindsTable(t, r), "Kind"); got != n {
			t.Fatalf("%d kinds, want %d", got, n)
		}
		return testing.AllocsPerRun(1, func() { kindsTable(t, r) }) / float64(n)
	}
	if few, many := anItem(100), anItem(5000); many > 2*few {
		t.Errorf("one of 5,000 items costs %.1f allocations, one of 100 costs %.1f", many, few)
	}
}

// What allocations do not tell, make bench does.
func BenchmarkTableOfManyKinds(b *testing.B) {
	for _, n := range []int{500, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := manyKinds(b, n)
			for b.Loop() {
				kindsTable(b, r)
			}
			b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "items/s")
		})
	}
}
