package bus

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/internal/spool"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A heldUp is a bridge with little memory, of a server that numbers its events, on a bus that takes nothing until it is released.
type heldUp struct {
	t    *testing.T
	url  string
	srv  *amitest.Server
	js   jetstream.JetStream
	read *Consumer
	stop func()
	full atomic.Int64 // how often the log said that the spool takes no more
}

// holdUp returns when all events have been sent. A spool of no bytes is none.
func holdUp(t *testing.T, o spool.Options, count int) *heldUp {
	t.Helper()
	unhurried(t)
	h := &heldUp{t: t, url: aBus(t), srv: amitest.NewServer(amitest.WithName("pbx"), amitest.WithEventNumbers())}
	t.Cleanup(h.srv.Close)
	h.js = withJetStream(t, h.url)
	h.stop = run(t, Options{
		Conn: dial(t, h.url), Cluster: "c", Name: "a", Nodes: func() []ami.Config { return configsOf(h.srv) },
		RingEvents: 8000, Spool: o,
		Log: slog.New(slog.NewTextHandler(writerFunc(func(p []byte) {
			if strings.Contains(string(p), "only memory is left") {
				h.full.Add(1)
			}
		}), nil)),
	})
	var err error
	if h.read, err = Read(t.Context(), h.js.Conn(), ReadOptions{Cluster: "c", Start: Start{All: true}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.read.Close)
	for h.next().Owner == nil { // and then the session
	}
	eventually(t, "it has a session", func() bool { return h.srv.Ledger().Logins > 0 })
	event := amitest.NewEvent("Tick", "Body", strings.Repeat("x", 500))
	h.srv.Emit(event)
	for r := h.next(); r.Event == nil || r.Event.Name() != "Tick"; r = h.next() {
		h.srv.Emit(event)
	}
	h.limit(true)
	if err := h.srv.EmitRepeated(t.Context(), event, count, 20_000); err != nil {
		t.Fatal(err)
	}
	return h
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }

// limit has the bus take nothing more, or everything again.
func (h *heldUp) limit(on bool) {
	h.t.Helper()
	stream, err := h.js.Stream(h.t.Context(), eventStream("c"))
	if err != nil {
		h.t.Fatal(err)
	}
	config := stream.CachedInfo().Config
	config.Discard, config.MaxMsgs = jetstream.DiscardOld, -1
	if on {
		config.Discard, config.MaxMsgs = jetstream.DiscardNew, 1
	}
	if _, err := h.js.UpdateStream(h.t.Context(), config); err != nil {
		h.t.Fatal(err)
	}
}

func (h *heldUp) next() batch.Record {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	_, r, err := h.read.Next(ctx)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// take reads so many events, and returns how many of them were dropped, as gaps of an overflow say, and no other gaps.
func (h *heldUp) take(count int) (dropped int) {
	h.t.Helper()
	missing := h.takeAll(count)
	dropped = missing[ami.GapOverflow]
	delete(missing, ami.GapOverflow)
	if len(missing) > 0 {
		h.t.Errorf("there are gaps: %v", missing)
	}
	return dropped
}

// takeAll reads so many events, those that gaps count among them, and returns how many are missing, and why. The numbers of both
// together have no hole.
func (h *heldUp) takeAll(count int) (missing map[ami.GapReason]int) {
	h.t.Helper()
	missing = make(map[ami.GapReason]int)
	for events, dropped, last := 0, 0, 0; events+dropped < count; {
		ev := h.next().Event
		if ev.Gap != nil {
			n := int(ev.Gap.Dropped)
			missing[ev.Gap.Reason] += n
			dropped, last = dropped+n, last+n
			continue
		}
		n, err := strconv.Atoi(ev.Get("Num"))
		if err != nil || events > 0 && n != last+1 {
			h.t.Fatalf("event %q comes behind %d", ev.Get("Num"), last)
		}
		last = n
		events++
	}
	return missing
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("not in %s: %s", patience, what)
		}
	}
}

// What memory has no room for while the bus takes nothing is on disk, and nothing is lost until that is full; then what is lost is
// counted in its place, and the log says so once. Without a spool the same burst loses, or this shows nothing.
func TestSpool(t *testing.T) {
	const count = 20_000
	for name, tt := range map[string]struct {
		disk  int64
		loses bool
		told  int64
	}{
		"none":   {0, true, 0},
		"enough": {1 << 30, false, 0},
		"full":   {1 << 20, true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := holdUp(t, spool.Options{Dir: t.TempDir(), Disk: tt.disk}, count)
			if tt.told > 0 {
				eventually(t, "the spool is full", func() bool { return h.full.Load() > 0 })
			}
			h.limit(false)
			if dropped := h.take(count); (dropped > 0) != tt.loses {
				t.Errorf("%d events of %d were dropped", dropped, count)
			}
			if n := h.full.Load(); n != tt.told {
				t.Errorf("the log told %d times that the spool is full", n)
			}
			h.stop()
			all, err := Verify(t.Context(), h.js.Conn(), "c")
			if err != nil || len(all) != 1 || len(all[0].Faults) > 0 || all[0].Owners != 1 {
				t.Errorf("%+v, %v", all, err)
			}
		})
	}
}

// A bridge that is told to stop stores what waits on disk, too.
func TestSpoolOfAStoppedBridge(t *testing.T) {
	const count = 20_000
	h := holdUp(t, spool.Options{Dir: t.TempDir(), Disk: 1 << 30}, count)
	h.limit(false)
	h.stop()
	if dropped := h.take(count); dropped > 0 {
		t.Errorf("%d events of %d were dropped", dropped, count)
	}
}

// Who has lost the lease frees the disk, whatever is on it: what was not stored is within the gap of the owner behind him.
func TestSpoolOfALostLease(t *testing.T) {
	if runtime.GOOS != "linux" {
		skip.Loudly(t, "only Linux shows which files a process has open")
	}
	h := holdUp(t, spool.Options{Dir: t.TempDir(), Disk: 1 << 30}, 20_000)
	eventually(t, "something is on disk", func() bool { return len(spoolFiles(t)) > 0 })
	last, err := lastOf(t.Context(), h.js, "KV_"+leaseBucket("c"), leaseSubject("c", "pbx"))
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err = acquire(t.Context(), h.js, "c", "pbx", "b/1", last.Sequence, nil); !errors.Is(err, errTaken) {
			break
		}
		if last, err = lastOf(t.Context(), h.js, "KV_"+leaseBucket("c"), leaseSubject("c", "pbx")); err != nil {
			t.Fatal(err)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing is on disk", func() bool { return len(spoolFiles(t)) == 0 })
	h.limit(false)
	if _, err := owning(t.Context(), h.js, batch.Owner{Bridge: "b", Epoch: last.Sequence + 1}, leaseOurs); err != nil {
		t.Fatal(err)
	}
	for r := h.next(); r.Owner == nil; r = h.next() {
	}
	if gap := h.next().Event.Gap; gap == nil || gap.Reason != ami.GapDisconnect {
		t.Errorf("the owner behind it begins with %+v", gap)
	}
}

// spoolFiles are the files of spools that this process has open.
func spoolFiles(t *testing.T) (open []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		if to, err := os.Readlink(path); err == nil && strings.Contains(to, "amictl-spool-") {
			open = append(open, path)
		}
	}
	return open
}

// What the disk of a spool does not give back is a gap that counts it; what stands around it comes.
func TestSpoolLosesOnDisk(t *testing.T) {
	if runtime.GOOS != "linux" {
		skip.Loudly(t, "only Linux lets a file be opened that has no name")
	}
	const count = 20_000
	h := holdUp(t, spool.Options{Dir: t.TempDir(), Disk: 1 << 30}, count)
	var files []string
	eventually(t, "something is on disk", func() bool { files = spoolFiles(t); return len(files) > 0 })
	f, err := os.OpenFile(files[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("not what was written"), 1000); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	h.limit(false)
	reasons := h.takeAll(count)
	if lost := reasons[batch.GapUnpublished]; lost < 10 || lost > 200 || len(reasons) != 1 {
		t.Errorf("a block of 64 KiB was overwritten, and missing are %v", reasons)
	}
}
