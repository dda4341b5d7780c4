package batch

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
	"github.com/apntalk/amictl/pkg/output"
)

var update = flag.Bool("update", false, "write the test vectors anew")

// packet makes an event of a text.
func packet(t testing.TB, text string, session, seq uint64, at time.Time) *ami.Event {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(text))
	m, err := d.Next()
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return &ami.Event{Message: m.Clone(), Session: session, Seq: seq, Received: at}
}

// describe is a record as text: all that a reader can see of it.
func describe(r Record) string {
	if o := r.Owner; o != nil {
		return fmt.Sprintf("owner %s %d %s", o.Bridge, o.Epoch, o.Time.UTC().Format(time.RFC3339Nano))
	}
	ev := r.Event
	if g := ev.Gap; g != nil {
		return fmt.Sprintf("gap %s %d %v %v session %d at %s", g.Reason, g.Dropped, g.Since.UTC(), g.Until.UTC(), ev.Session, ev.Received.UTC().Format(time.RFC3339Nano))
	}
	return fmt.Sprintf("packet %d.%d %s %q %s", ev.Session, ev.Seq, ev.Received.UTC().Format(time.RFC3339Nano), ev.Text(), output.AppendEvent(nil, ev))
}

func read(t testing.TB, data []byte) (all []string) {
	t.Helper()
	r := NewReader()
	if err := r.Open(data); err != nil {
		t.Fatal(err)
	}
	for {
		record, err := r.Next()
		if err != nil {
			if err != io.EOF { //nolint:errorlint // it comes as itself
				t.Fatal(err)
			}
			return all
		}
		all = append(all, describe(record))
	}
}

// Whatever goes in comes out: packets byte for byte with session, place and time, gaps and owners in their place.
func TestRoundTrip(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var w Writer
		var want []string
		session, seq, at := uint64(1), uint64(0), time.Unix(1_700_000_000, rnd.Int64N(1e9))
		for range rnd.IntN(200) {
			at = at.Add(time.Duration(rnd.Int64N(int64(time.Second)) - int64(time.Millisecond)))
			switch rnd.IntN(12) {
			case 0:
				g := &ami.Gap{Reason: gapReasons[rnd.IntN(len(gapReasons))], Dropped: rnd.Uint64() >> rnd.IntN(64)}
				if rnd.IntN(2) == 0 {
					g.Since = at.Add(-time.Second)
				}
				if rnd.IntN(2) == 0 {
					g.Until = at
				}
				ev := &ami.Event{Session: w.session, Received: at, Gap: g} // a gap has the session of the packet before it
				w.Add(ev)
				want = append(want, describe(Record{Event: ev}))
			case 1:
				o := Owner{Bridge: strings.Repeat("b", rnd.IntN(50)), Epoch: rnd.Uint64(), Time: at}
				w.AddOwner(o)
				want = append(want, describe(Record{Owner: &o}))
			case 2:
				session, seq = session+1+rnd.Uint64N(3), 0
			default:
				seq += rnd.Uint64N(5)
				text := "Event: E" + fmt.Sprint(rnd.IntN(9)) + "\r\nPrivilege: call,all\r\nV: " + string(rune(rnd.IntN(0x3000)+32)) + strings.Repeat("x", rnd.IntN(300)) + "\xff\r\nno header\r\n\r\n"
				ev := packet(t, text, session, seq, at)
				w.Add(ev)
				want = append(want, describe(Record{Event: ev}))
			}
		}
		records := w.Records()
		data := w.Batch([]byte("before"))
		if string(data[:6]) != "before" || w.Len() != 0 || w.Records() != 0 {
			t.Fatalf("seed %d: the batch is not behind what was there, or the writer not empty", seed)
		}
		got := read(t, data[6:])
		if diff := cmp.Diff(want, got); diff != "" || records != len(want) {
			t.Fatalf("seed %d: %d records, %d counted (-want +got):\n%s", seed, len(want), records, diff)
		}
	}
}

// The vectors are what other programs are tested with: testdata/NAME.hex is read as testdata/NAME.txt says. They change only
// with the version.
func TestVectors(t *testing.T) {
	at := time.Unix(1_700_000_000, 123_456_789).UTC()
	hangup := "Event: Hangup\r\nPrivilege: call,all\r\nChannel: PJSIP/100-00000001\r\nCause: 16\r\nCause-txt: Normal Clearing\r\n\r\n"
	for name, fill := range map[string]func(*Writer){
		"empty": func(*Writer) {},
		"plain": func(w *Writer) { w.Add(packet(t, "Event: Ping\r\n\r\n", 1, 7, at)) },
		"packed": func(w *Writer) {
			for i := range 5 {
				w.Add(packet(t, hangup, 3, uint64(10+2*i), at.Add(time.Duration(i)*time.Millisecond)))
			}
		},
		"marks": func(w *Writer) {
			w.AddOwner(Owner{"bridge-a", 42, at})
			w.Add(packet(t, hangup, 1, 1, at.Add(time.Second)))
			w.Add(&ami.Event{Received: at.Add(2 * time.Second), Gap: &ami.Gap{Reason: ami.GapDisconnect, Since: at.Add(time.Second), Until: at.Add(2 * time.Second)}})
			w.Add(packet(t, hangup, 2, 1, at.Add(3*time.Second)))
			w.Add(&ami.Event{Received: at.Add(3 * time.Second), Gap: &ami.Gap{Reason: GapUnpublished, Dropped: 1000}})
		},
		"bytes": func(w *Writer) {
			w.Add(packet(t, "Event: VarSet\nValue: caf\xe9 \xf0\x9f\x93\x9e\nsecond line\n\n", 1, 1, at.Add(-time.Hour)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var w Writer
			fill(&w)
			path := filepath.Join("testdata", name)
			data := w.Batch(nil)
			text := strings.Join(append(read(t, data), ""), "\n")
			if *update {
				write(t, path+".hex", hex.Dump(data))
				write(t, path+".txt", text)
				return
			}
			if got := hex.Dump(data); got != load(t, path+".hex") {
				t.Errorf("the batch is now\n%s", got)
			}
			if diff := cmp.Diff(load(t, path+".txt"), text); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // everybody may read it
		t.Fatal(err)
	}
}

func load(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is broken or too new is a typed error, which says what to do about it.
func TestRefused(t *testing.T) {
	var w Writer
	w.Add(packet(t, "Event: Ping\r\n\r\n", 1, 7, time.Unix(1, 2)))
	good := w.Batch(nil)
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":         {nil, "too short"},
		"version 0":       {[]byte{0, 0}, "version 0"},
		"version 2":       {[]byte{2, 0}, "version 2, and this program reads 1"},
		"packing":         {[]byte{1, 9}, "packed in a way"},
		"no S2":           {[]byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0xff}, "no S2 block"},
		"a bomb":          {[]byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0}, "no S2 block of at most"},
		"a kind":          {[]byte{1, 0, 77}, "no record of that kind"},
		"cut off":         {good[:len(good)-1], "a packet is cut off"},
		"two packets":     {replace(good, "Ping\r\n\r\n", "P\r\n\r\nQ:\n"), "should be one packet"},
		"half a packet":   {replace(good, "Ping\r\n\r\n", "Pingggg\n"), "should be one packet"},
		"a gap's reason":  {[]byte{1, 0, 2}, "cut off"},
		"an owner's name": {[]byte{1, 0, 3, 1, 2, 200, 1}, "a bridge's name is cut off"},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader()
			err := r.Open(test.data)
			for err == nil {
				_, err = r.Next()
			}
			var version *VersionError
			var format *FormatError
			if !strings.Contains(err.Error(), test.want) || !errors.As(err, &version) && !errors.As(err, &format) {
				t.Errorf("%v", err)
			}
			if err := r.Open(good); err != nil {
				t.Fatal(err)
			}
			if record, err := r.Next(); err != nil || record.Event.Name() != "Ping" {
				t.Errorf("a good batch behind it: %v", err)
			}
		})
	}
}

func replace(data []byte, old, put string) []byte {
	return []byte(strings.Replace(string(data), old, put, 1))
}

// Whatever lies on a bus: a typed error or records, never a panic, and no more memory than a body may have.
func FuzzReader(f *testing.F) {
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) == 0 {
		f.Fatalf("no vectors: %v", err)
	}
	var w Writer
	w.AddOwner(Owner{"b", 1, time.Unix(5, 5)})
	w.Add(packet(f, "Event: A\r\n\r\n", 1, 1, time.Unix(5, 6)))
	f.Add(w.Batch(nil))
	f.Add([]byte{1, 0, 2, 1, 2, 3, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader()
		err := r.Open(data)
		var again Writer
		var seen []string
		for err == nil {
			var record Record
			if record, err = r.Next(); err == nil {
				if record.Owner != nil {
					again.AddOwner(*record.Owner)
				} else {
					again.Add(record.Event)
				}
				seen = append(seen, describe(record))
			}
		}
		var version *VersionError
		var format *FormatError
		switch {
		case errors.As(err, &version), errors.As(err, &format):
		case err != io.EOF: //nolint:errorlint // it comes as itself
			t.Fatalf("%T: %v", err, err)
		default:
			if diff := cmp.Diff(seen, read(t, again.Batch(nil))); diff != "" {
				t.Errorf("written again it is another (-first +again):\n%s", diff)
			}
		}
	})
}

func BenchmarkWriter(b *testing.B) {
	text := "Event: Newexten\r\nPrivilege: dialplan,all\r\nTimestamp: 1700000000.123456\r\nChannel: PJSIP/100-00000001\r\nContext: default\r\nExtension: 200\r\nApplication: Dial\r\nAppData: PJSIP/200\r\n\r\n"
	ev := packet(b, text, 1, 1, time.Unix(1_700_000_000, 0))
	var w Writer
	var out []byte
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		w.Add(ev)
		if w.Len() > 64<<10 {
			out = w.Batch(out[:0])
		}
	}
}
