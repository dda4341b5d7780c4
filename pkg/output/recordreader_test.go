package output

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func recordReader(record string, size int) *RecordReader {
	return NewRecordReader(bufio.NewReaderSize(strings.NewReader(record), size))
}

// readRecord reads a record to its end, and returns its events as JSON lines and the errors between them as text.
func readRecord(t *testing.T, r *RecordReader) (lines []string) {
	t.Helper()
	for {
		ev, err := r.Next()
		var bad *RecordError
		switch {
		case errors.Is(err, io.EOF):
			return lines
		case errors.As(err, &bad):
			lines = append(lines, err.Error())
		case err != nil:
			t.Fatal(err)
		default:
			lines = append(lines, string(AppendEvent(nil, ev)))
		}
	}
}

// What is written of events of every shape is read as the same events, whatever the buffer.
func TestRecordOfEveryShape(t *testing.T) {
	var want []string
	for _, s := range shapes.All() {
		if strings.HasPrefix(s.Name, "Latin-1") {
			continue // what is not UTF-8 does not come back
		}
		for i, ev := range shapeEvents(t, s) {
			ev.Received = noon.Add(time.Duration(i) * 700 * time.Millisecond)
			want = append(want, string(AppendEvent(nil, &ev)))
		}
	}
	for _, size := range []int{16, 4 << 10, 1 << 20} {
		r := recordReader(strings.Join(want, "\n"), size)
		if diff := cmp.Diff(want, readRecord(t, r)); diff != "" {
			t.Errorf("buffer of %d (-written +read):\n%s", size, diff)
		}
		if r.Objects() != len(want) {
			t.Errorf("%d objects, want %d", r.Objects(), len(want))
		}
	}
}

const hangupLine = `{"type":"event","event":"Hangup","fields":{"Cause":"16"}}`

// recordTexts are records, and what is read of each.
var recordTexts = []struct {
	name, record string
	want         []string
	objects      int
}{
	{"nothing", "", nil, 0},
	{"one, without a line end", hangupLine, []string{hangupLine}, 1},
	{"line ends of Windows", hangupLine + "\r\n" + hangupLine + "\r\n", []string{hangupLine, hangupLine}, 2},
	{"what is cut off", hangupLine + "\n" + hangupLine[:30], []string{hangupLine, "line 2 is not JSON"}, 1},
	{"what is no JSON, and a blank line", "x\n\n" + hangupLine, []string{"line 1 is not JSON", "line 2 is not JSON", hangupLine}, 1},
	{"objects of other types and of others", `{"type":"reply","response":"Success"}` + "\n{\"a\":1}\n[]\n7\n" + hangupLine, []string{hangupLine}, 2},
	{
		"another's spaces, order and types",
		`{ "fields": {"Cause": 16, "Text": "a\u00e9\n"}, "event": "Hangup", "type": "event", "more": [1, {"a": null}] }`,
		[]string{`{"type":"event","event":"Hangup","fields":{"Cause":"","Text":"aé "}}`},
		1,
	},
	{
		"a gap", `{"type":"gap","node":"pbx1","time":"2026-11-23T12:00:00.123456Z","ts":1795435200.123456,"reason":"overflow","dropped":12}`,
		[]string{`{"type":"gap","node":"pbx1","time":"2026-11-23T12:00:00.123456Z","ts":1795435200.123456,"reason":"overflow","dropped":12}`},
		1,
	},
	{
		"an item, and keys that are not an event's", `{"type":"item","action":"Status","id":"a","line":3,"event":"Status","fields":{},"lossy":true,"odd":-1e5}`,
		[]string{`{"type":"event","event":"Status","fields":{}}`},
		1,
	},
	{
		"repeated names out of order", `{"type":"event","event":"A","fields":{"X":"1","Y":"2"},"multi":{"Y":["2","3"],"X":["1","4"]}}`,
		[]string{`{"type":"event","event":"A","fields":{"X":"1","Y":"2"},"multi":{"X":["1","4"],"Y":["2","3"]}}`},
		1,
	},
	{
		"repeated names before the fields", `{"type":"event","event":"A","multi":{"X":["1","4"]},"fields":{"X":"1","Y":"2"}}`,
		[]string{`{"type":"event","event":"A","fields":{"X":"1","Y":"2"},"multi":{"X":["1","4"]}}`},
		1,
	},
	{
		"text", `{"type":"event","event":"A","fields":{"X":"1"},"text":["two","",": three"]}`,
		[]string{`{"type":"event","event":"A","fields":{"X":"1"},"text":["two",": three"]}`},
		1,
	},
	{
		"surrogates, paired and not", `{"type":"event","event":"A","fields":{"X":"\ud83d\udcde\ud83d","\u0059":"\/\b"}}`,
		[]string{`{"type":"event","event":"A","fields":{"X":"📞` + "\ufffd" + `","Y":"/\u0008"}}`},
		1,
	},
	{
		"times with and without a fraction", `{"type":"event","time":"2026-11-23T12:00:00Z","event":"A","fields":{}}` + "\n" +
			`{"type":"event","time":"2026-11-23T13:00:00.5+01:00","event":"A","fields":{}}` + "\n" +
			`{"type":"event","time":"2026-11-23T12:00:00.00000xZ","event":"A","fields":{}}` + "\n" +
			`{"type":"event","time":"2026-11-31T12:00:00.000000Z","event":"A","fields":{}}`,
		[]string{
			`{"type":"event","time":"2026-11-23T12:00:00.000000Z","ts":1795435200.000000,"event":"A","fields":{}}`,
			`{"type":"event","time":"2026-11-23T12:00:00.500000Z","ts":1795435200.500000,"event":"A","fields":{}}`,
			`{"type":"event","event":"A","fields":{}}`,
			`{"type":"event","event":"A","fields":{}}`,
		},
		4,
	},
	{
		"a packet that is too large, and one behind it", `{"type":"event","event":"A","fields":{"X":"` + strings.Repeat("x", 2<<20) + `"}}` + "\n" + hangupLine,
		[]string{hangupLine},
		2,
	},
	{"a line that is too long, and one behind it", `{"type":"event","x":"` + strings.Repeat("x", longestRecord) + `"}` + "\n" + hangupLine, []string{"line 1 is not JSON", hangupLine}, 1},
}

func TestRecordReader(t *testing.T) {
	for _, tt := range recordTexts {
		t.Run(tt.name, func(t *testing.T) {
			r := recordReader(tt.record, 4<<10)
			if diff := cmp.Diff(tt.want, readRecord(t, r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if r.Objects() != tt.objects {
				t.Errorf("%d objects, want %d", r.Objects(), tt.objects)
			}
		})
	}
}

// Events that are not wanted are passed over, in whatever form they come.
func TestRecordReaderWants(t *testing.T) {
	var record strings.Builder
	for i := range 6 {
		fmt.Fprintf(&record, `{"type":"event","node":"pbx%d","time":"2026-11-23T12:00:0%d.000000Z","event":"E%d","fields":{}}`+"\n", i%2, i, i%3)
		fmt.Fprintf(&record, `{"type":"event", "node":"pbx%d","time":"2026-11-23T12:00:0%d.000000Z","fields":{},"event":"E%d"}`+"\n", i%2, i, i%3)
	}
	r := recordReader(record.String(), 4<<10)
	r.Wants = func(node, name string, at time.Time) bool { return node == "pbx1" && name == "E0" && at.Second() == 3 }
	if got := readRecord(t, r); len(got) != 2 || got[0] != got[1] || !strings.Contains(got[0], `"node":"pbx1","time":"2026-11-23T12:00:03`) {
		t.Errorf("%q", got)
	}
	if r.Objects() != 12 {
		t.Errorf("%d objects", r.Objects())
	}
}

// Reading a record allocates nothing that grows with it.
func TestRecordReaderDoesNotAllocate(t *testing.T) {
	for _, s := range shapes.All() {
		var record []byte
		for _, ev := range shapeEvents(t, s) {
			record = append(AppendEvent(record, &ev), '\n')
		}
		in := bufio.NewReaderSize(strings.NewReader(strings.Repeat(string(record), 13)), 1<<20)
		r := NewRecordReader(in)
		read := func() {
			for range 16 {
				if _, err := r.Next(); err != nil {
					t.Fatal(s.Name, err)
				}
			}
		}
		read()
		if n := testing.AllocsPerRun(10, read); n > 0 {
			t.Errorf("%s: %v allocations for 16 events", s.Name, n)
		}
	}
}

// A record of this program reads back as it was written, and any line as gjson reads it.
func FuzzRecordReader(f *testing.F) {
	f.Add("X: 1\r\nX: 2\r\nY\"\\: \x1b\u202e漢\r\nlast", `{"type":"event","event":"A","fields":{"X":"\ud83d\udcde"}}`)
	f.Add("X: 1\r\nX: 2\r\nY: \r\nX: 3\r\nY: 漢", `{"type":"event","event":"A","multi":{},"fields":{}}`)
	f.Add("\ufffd: \r\nX.y|z:  lead", `{"type":"item","line":0.5,"event":"A","fields":{"a":"\u0041"},"multi":{"a":["1"]},"text":["x"],"lossy":true}`)
	f.Fuzz(func(t *testing.T, headers, line string) {
		if m, ok := decoded("Event: A\r\n"+headers+"\r\n\r\n", wire.Event); ok {
			want := string(AppendEvent(nil, &ami.Event{Message: m, Node: "pbx1", Received: noon}))
			// Text has lost its place, and what is no UTF-8 does not come back.
			if !strings.Contains(want, `"lossy":true`) && !strings.Contains(want, `"text":[`) {
				if diff := cmp.Diff([]string{want}, readRecord(t, recordReader(want, 4<<10))); diff != "" {
					t.Errorf("(-written +read):\n%s", diff)
				}
			}
		}
		if strings.ContainsAny(line, "\r\n") {
			return
		}
		var o recordedObject
		if o.read([]byte(line), func(*recordedObject) bool { return true }) != objectWhole {
			return
		}
		if !gjson.Valid(line) {
			t.Fatalf("%q is no JSON", line)
		}
		object := gjson.Parse(line)
		if repeatsKey(object.Get("fields")) || repeatsKey(object.Get("multi")) {
			return // what comes twice means nothing
		}
		if diff := cmp.Diff(string(appendForeign(nil, object)), string(o.packet)); diff != "" {
			t.Errorf("%q (-gjson +read):\n%s", line, diff)
		}
	})
}

func repeatsKey(object gjson.Result) (repeats bool) {
	seen := make(map[string]bool)
	object.ForEach(func(name, _ gjson.Result) bool {
		repeats = repeats || seen[name.Str]
		seen[name.Str] = true
		return true
	})
	return repeats
}

// BenchmarkRecord is reading a record of the shape, and BenchmarkCapture what a server sent of it.
func BenchmarkRecord(b *testing.B) {
	for _, s := range shapes.All() {
		b.Run(s.Name, func(b *testing.B) {
			var record []byte
			for _, ev := range shapeEvents(b, s) {
				record = append(AppendEvent(record, &ev), '\n')
			}
			r := NewRecordReader(bufio.NewReaderSize(endless(record), 64<<10))
			for b.Loop() {
				if _, err := r.Next(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkCapture(b *testing.B) {
	for _, s := range shapes.All() {
		b.Run(s.Name, func(b *testing.B) {
			in := endless(strings.Join(s.Packets(), ""))
			d := wire.NewDecoder(wire.Limits{})
			for b.Loop() {
				_, err := d.Next()
				for errors.Is(err, wire.ErrMore) {
					n, _ := in.Read(d.Space())
					d.Wrote(n)
					_, err = d.Next()
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// endless reads the same over and over.
func endless[T string | []byte](text T) io.Reader { return &repeated{text: string(text)} }

type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (n int, _ error) {
	for n < len(p) {
		k := copy(p[n:], r.text[r.at:])
		n, r.at = n+k, (r.at+k)%len(r.text)
	}
	return n, nil
}

// Times that others have written are read as Go reads them, however like our own they look.
func TestTimesOfRecords(t *testing.T) {
	for _, s := range []string{
		"2026-01-02T03:04:05.123456Z", "2026-01-02T03:04:05.000000Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.5Z", "2026-01-02T03:04:05.123456789Z",
		"2026-01-02T03:04:05.1+01:00", "2026-01-02T03:04:05+01:00", "2026-01-02T03:04:05,123456Z", "2026-01-02T03:04:05.12345xZ", "2026-01-02T03:04:05.12345:Z",
		"2026-13-02T03:04:05.123456Z", "2026-01-02T03:04:05.", "2026-01-02T03:04:05", "2026", "Z", "", "2026-01-02 03:04:05.123456Z", strings.Repeat("9", len("2026-01-02T03:04:05.123456Z")),
	} {
		want, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			want = time.Time{}
		}
		r := recordReader("", 16)
		for range 2 { // the second time it may know the second
			if got := r.parseTime(s); !got.Equal(want) {
				t.Errorf("%s is read as %v", s, got)
			}
		}
	}
}
