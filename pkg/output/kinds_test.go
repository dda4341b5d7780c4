package output

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func packetOf(t *testing.T, text string) wire.Message {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(text))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	return m.Clone()
}

// A server may give every item of a list another name: a table of them must not take the square of the time.
func TestTableOfManyKinds(t *testing.T) {
	took := func(n int) time.Duration {
		r := &ami.Reply{Message: packetOf(t, "Response: Success\r\nEventList: start\r\n\r\n")}
		for i := range n {
			r.Events = append(r.Events, ami.Event{Message: packetOf(t, fmt.Sprintf("Event: Kind%d\r\nA: 1\r\n\r\n", i))})
		}
		best := time.Hour
		for range 3 {
			var b strings.Builder
			p := NewPrinter(&b, Options{Format: TableText})
			start := time.Now()
			if err := errors.Join(p.Reply(r, &Origin{Action: "X"}), p.Close()); err != nil {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
			if got := strings.Count(b.String(), "Kind"); got != n {
				t.Fatalf("%d kinds, want %d", got, n)
			}
		}
		return best
	}
	if few, many := took(500), took(10_000); many > 100*few {
		t.Errorf("20 times as many take %v instead of %v", many, few)
	}
}
