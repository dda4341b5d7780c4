package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A fakeBus has events, and looks at what is written of them whenever they are acknowledged.
type fakeBus struct {
	isNew  bool
	total  int
	waits  int // after so many nothing is at hand for a moment; 0: never
	taken  int
	waited bool
	acks   int
	look   func(taken int)
}

func (b *fakeBus) event() *ami.Event {
	b.taken++
	b.waited = false
	d := wire.NewDecoder(wire.Limits{})
	d.Feed(fmt.Appendf(nil, "Event: E\r\nN: %d.\r\n\r\n", b.taken))
	m, _ := d.Next()
	return &ami.Event{Node: "pbx", Message: m.Clone(), Received: time.Now().Add(-time.Hour)}
}

func (b *fakeBus) PollBorrowed() (*ami.Event, bool) {
	if b.taken == b.total || b.waits > 0 && b.taken%b.waits == 0 && !b.waited {
		return nil, false
	}
	return b.event(), true
}

func (b *fakeBus) NextBorrowed(ctx context.Context) (*ami.Event, error) {
	if b.taken == b.total {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return b.event(), nil
}

func (b *fakeBus) New() bool { return b.isNew }
func (b *fakeBus) Due() bool { return b.taken%100 == 99 }
func (b *fakeBus) Close()    {}
func (b *fakeBus) Acknowledge() {
	b.acks++
	b.look(b.taken)
}

// Nothing is acknowledged before it is written: to standard output, and to the file of --record.
func TestAcknowledge(t *testing.T) {
	for name, test := range map[string]struct {
		waits  int
		output run.Output
		record bool
	}{
		"a flood":         {0, run.OutputJSONLines, false},
		"one by one":      {1, run.OutputJSONLines, false},
		"for people":      {7, run.OutputTable, false},
		"into a record":   {0, run.OutputNone, true},
		"both":            {5, run.OutputJSONLines, true},
		"into a void":     {0, run.OutputNone, false},
		"columns of rows": {0, run.OutputCSV, false},
	} {
		t.Run(name, func(t *testing.T) {
			bus := &fakeBus{total: 1000, waits: test.waits}
			r := runtest.New(t, runtest.Setup{Config: "nats = \"nats://127.0.0.1:1\"\ncluster = \"c\""})
			r.Settings.Output = test.output
			r.Bus = func(_ context.Context, q run.BusQuery) (run.EventStream, error) {
				if q.Durable != "crm" {
					t.Errorf("durable %q", q.Durable)
				}
				return bus, nil
			}
			o := &options{durable: "crm", count: flags.Count{Value: 900, Given: true}, since: "1m"} // which is for a new one
			if test.output == run.OutputCSV {
				r.Flags.Fields = "N"
			}
			if test.record {
				o.record = filepath.Join(t.TempDir(), "record")
			}
			bus.look = func(taken int) {
				want := fmt.Sprintf("%d.", taken)
				if out := r.Out.String(); taken > 0 && test.output != run.OutputNone && !strings.Contains(out, want) {
					t.Errorf("%d events are acknowledged, and the last is not printed", taken)
				}
				if !test.record || taken == 0 {
					return
				}
				if text, err := os.ReadFile(o.record); err != nil || !strings.Contains(string(text), `"N":"`+want) {
					t.Errorf("%d events are acknowledged, and the last is not recorded: %v", taken, err)
				}
			}
			if err := tail(t.Context(), r.Run, o); err != nil {
				t.Fatal(err)
			}
			if bus.taken != 900 || bus.acks < 9 {
				t.Errorf("%d events were taken, and acknowledged %d times", bus.taken, bus.acks)
			}
		})
	}
}

// What cannot be printed is not acknowledged; what was printed before a signal is.
func TestAcknowledgeAtTheEnd(t *testing.T) {
	open := func(bus *fakeBus) *runtest.Run {
		r := runtest.New(t, runtest.Setup{Config: "nats = \"nats://127.0.0.1:1\"\ncluster = \"c\""})
		r.Settings.Output = run.OutputJSONLines
		r.Bus = func(context.Context, run.BusQuery) (run.EventStream, error) { return bus, nil }
		return r
	}
	bus := &fakeBus{isNew: true, total: 10, look: func(taken int) {
		if taken > 0 {
			t.Errorf("%d events are acknowledged that nobody has", taken)
		}
	}}
	r := open(bus)
	r.Stdout = broken{}
	if err := tail(t.Context(), r.Run, &options{durable: "crm"}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("without a reader: %v", err)
	}
	if !strings.Contains(r.Err.String(), "durable crm is new") {
		t.Errorf("of a new durable is said %q", r.Err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	last := 0
	bus = &fakeBus{total: 10, look: func(taken int) {
		if last = taken; taken == 10 {
			cancel()
		}
	}}
	if err := tail(ctx, open(bus).Run, &options{durable: "crm"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if last != 10 {
		t.Errorf("%d events are acknowledged before the end", last)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestDurableName(t *testing.T) {
	for name, want := range map[string]bool{
		"crm": true, "crm-1_b": true, "größe": true, strings.Repeat("a", 255): true,
		"": false, "a b": false, "a.b": false, "a*": false, ">": false, "a/b": false, `a\b`: false, "a\x00": false, "a\n": false, "\xff": false,
		strings.Repeat("a", 256): false,
	} {
		var n durableName
		if err := n.Set(name); (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
}
