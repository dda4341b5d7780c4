package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/spool"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A gate lets nothing through until it is open.
type gate struct {
	io.Writer
	open chan struct{}
	once sync.Once
	shut chan struct{} // closed at the first write
}

func (g *gate) Write(p []byte) (int, error) {
	g.once.Do(func() { close(g.shut) })
	<-g.open
	return g.Writer.Write(p)
}

// A burst is a tail with small buffers, of a server that sends numbered events to a consumer that takes none of them yet.
type burst struct {
	*runtest.Run
	tailer *tailer
	gate   *gate
	cancel context.CancelCauseFunc
	ended  chan error
}

// startBurst returns when all events have been sent.
func startBurst(t *testing.T, o options, size string, count int) *burst {
	t.Helper()
	patient := amitest.WithSettings(amitest.Settings{WriteTimeout: time.Minute}) // a busy host is not what is tried here
	srv := runtest.Server(t, "pbx1", amitest.WithEventNumbers(), patient)
	b := &burst{ended: make(chan error, 1)}
	b.Run = runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Env: map[string]string{"TMPDIR": t.TempDir()}, Flags: run.Globals{Output: "jsonl"}})
	b.gate = &gate{Writer: b.Out, open: make(chan struct{}), shut: make(chan struct{})}
	b.Stdout = b.gate
	o.names = []string{"Tick"}
	if size != "" {
		if err := o.spool.Set(size); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if b.tailer, err = newTailer(b.Run.Run, &o, run.Endless); err != nil {
		t.Fatal(err)
	}
	b.tailer.rings = buffers{events: 5000, bytes: 64 << 20}
	if err := b.tailer.openSpool(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	b.cancel = cancel
	t.Cleanup(func() { cancel(nil) })
	go func() { b.ended <- errors.Join(b.tailer.live(ctx), b.tailer.end()) }()
	await(t, func() bool { return srv.Ledger().EventsEmitted > 0 }) // the login's own event has a number too
	event := amitest.NewEvent("Tick", "Body", strings.Repeat("x", 500))
	for shut := false; !shut; time.Sleep(time.Millisecond) { // until the session takes events
		srv.Emit(event)
		select {
		case <-b.gate.shut:
			shut = true
		default:
		}
	}
	if err := srv.EmitRepeated(t.Context(), event, count, 100_000); err != nil {
		t.Fatal(err)
	}
	return b
}

// await waits until something is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	for range 10_000 {
		if so() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("it never came to that")
}

// end lets the consumer take everything, and returns how many events were printed and how many were dropped. The numbers of both
// together have no hole.
func (b *burst) end(t *testing.T) (events, dropped int, err error) {
	t.Helper()
	close(b.gate.open)
	err = <-b.ended
	last := 0
	for line := range strings.Lines(b.Out.String()) {
		if gjson.Get(line, "type").String() == "gap" {
			n := int(gjson.Get(line, "dropped").Int())
			dropped, last = dropped+n, last+n
			continue
		}
		n := int(gjson.Get(line, "fields.Num").Int())
		if events > 0 && n != last+1 {
			t.Fatalf("event %d came behind %d", n, last)
		}
		last = n
		events++
	}
	return events, dropped, err
}

// A burst that the buffers have no room for, to a consumer that takes nothing meanwhile: with --spool nothing is lost; without it
// the test must lose, or it proves nothing. A spool that is full loses, and marks all that it loses in its place.
func TestSpool(t *testing.T) {
	const count = 20_000
	for name, tt := range map[string]struct {
		size          string
		loses, isFull bool
	}{
		"none":   {"", true, false},
		"enough": {"1G", false, false},
		"full":   {"1M", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBurst(t, options{count: flags.Count{Value: count, Given: true}}, tt.size, count)
			if tt.size != "" {
				b.awaitDisk(t)
			}
			if tt.loses {
				await(t, func() bool { return b.tailer.sub.Stats().Dropped > 0 })
			}
			events, dropped, err := b.end(t)
			if err != nil || events+dropped < count {
				t.Errorf("%d events and %d that were dropped, of %d: %v", events, dropped, count, err)
			}
			said := b.Err.String()
			if (dropped > 0) != tt.loses || strings.Contains(said, "it is full") != tt.isFull || strings.Contains(said, "MiB were on disk") != (tt.size != "") {
				t.Errorf("%d events were dropped, and it said %s", dropped, said)
			}
		})
	}
}

// awaitDisk waits until there is something on disk.
func (b *burst) awaitDisk(t *testing.T) (waiting uint64) {
	t.Helper()
	await(t, func() bool {
		st := b.tailer.spool.Stats()
		waiting = st.Waiting
		return st.Disk > 0
	})
	return waiting
}

// What was taken from the server by the time of a signal, or of --for, is printed. --deadline ends everything.
func TestSpoolIsWrittenAtTheEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		cause   error
		printed bool
		want    error
		says    string
	}{
		"a signal": {&run.SignalError{Signal: syscall.SIGINT}, true, context.Canceled, "a second signal gives them up"},
		"--for":    {errForIsOver, true, nil, ""},
		"the end":  {context.DeadlineExceeded, false, context.Canceled, "are not shown"},
	} {
		t.Run(name, func(t *testing.T) {
			b := startBurst(t, options{}, "1G", 20_000)
			waiting := b.awaitDisk(t)
			b.cancel(tt.cause)
			events, dropped, err := b.end(t)
			if !errors.Is(err, tt.want) || dropped > 0 || (uint64(events) >= waiting) != tt.printed {
				t.Errorf("%d events of at least %d, %d dropped: %v", events, waiting, dropped, err)
			}
			if !strings.Contains(b.Err.String(), tt.says) {
				t.Errorf("it said %s", b.Err)
			}
		})
	}
}

func TestSpoolRefuses(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	for name, test := range map[string]struct {
		options options
		want    string
	}{
		"too little":       {options{spool: flags.Size{Value: 1000, Given: true}}, "less than 1M"},
		"a file":           {options{from: flags.List{"record"}, spool: flags.Size{Value: 1 << 20, Given: true}}, "--from reads a file"},
		"a missing folder": {options{spool: flags.Size{Value: 1 << 20, Given: true}}, "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Env: map[string]string{"TMPDIR": filepath.Join(t.TempDir(), "none")}})
			runtest.Refused(t, tail(t.Context(), r.Run, &test.options), fail.CodeUsage, test.want)
			if n := srv.Ledger().Sessions; n != 0 {
				t.Errorf("%d sessions were made", n)
			}
		})
	}
}

// A spool that cannot read what it wrote ends the tail: events are missing.
func TestSpoolError(t *testing.T) {
	f := fail.Classify(spoolError(&spool.LostError{Records: 7, Err: syscall.EIO}))
	if want := fmt.Sprintf("--spool: 7 events were lost on the disk: %v", syscall.EIO); f.Exit != fail.ExitLost || f.Message != want {
		t.Errorf("status %d: %s", f.Exit, f.Message)
	}
}
