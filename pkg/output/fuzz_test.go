package output

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// replyObject is what an answer's JSON holds of what the server sent.
type replyObject struct {
	object
	Action, Response, Message string
	Output                    []string
	Events                    []object
	Items                     *int
	End                       *object
}

// An answer's JSON is valid and holds every header, line of output and item.
func FuzzAppendReply(f *testing.F) {
	f.Add("Success", "Message: m\r\nX: 1\r\nX: 2\r\n", "Queue: a\r\nText\r\n", 2, "QueueStatus")
	f.Add("Success", "ActionID: x\r\nMessage: m\r\nOutput:  a\r\nOutput: \r\n", "", 0, "Command")
	f.Add("Success", "Output: kept\r\n", "", 0, "Other")
	f.Add("Follows", "Privilege: Command\r\na: b\n\nc\n--END COMMAND--\r\n", "", 0, "command")
	f.Add("Error\xff", "B\xff: \xfe\r\nB\xfe: \x1b[0m\u202e\r\nbare\r\n", "K\xff: \x9b\r\n", 1, "\x1b")
	f.Fuzz(func(t *testing.T, response, headers, item string, items int, action string) {
		m, ok := decoded("Response: "+response+"\r\n"+headers+"\r\n\r\n", wire.Response)
		if !ok {
			return
		}
		r := &ami.Reply{Message: m, Node: "pbx1", Received: noon, RTT: time.Millisecond}
		if it, ok := decoded("Event: Item\r\n"+item+"\r\n\r\n", wire.Event); ok {
			for range items & 3 {
				r.Events = append(r.Events, ami.Event{Message: it})
			}
			if items&4 != 0 {
				r.End = it
			}
		}
		encoded := JSON{}.AppendReply(nil, r, &Origin{Action: action})
		checkEncoding(t, encoded)
		var got replyObject
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatal(err)
		}
		if got.Action != clean(action) || got.Response != clean(r.Name()) || got.Message != clean(r.Get("Message")) {
			t.Errorf("action, response, message: %s", encoded)
		}
		checkReply(t, r, &got, strings.EqualFold(action, "Command"))
	})
}

func checkReply(t *testing.T, r *ami.Reply, got *replyObject, command bool) {
	t.Helper()
	follows := strings.EqualFold(r.Name(), "Follows")
	names := []string{"response", "actionid", "eventlist", "message"}
	if command || follows {
		names = append(names, "output")
		if diff := cmp.Diff(append([]string{}, cleanAll(slices.Collect(r.Output()))...), append([]string{}, got.Output...)); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
	}
	lifted := func(name string) bool { return slices.Contains(names, strings.ToLower(name)) }
	if follows { // the lines without a name are its output
		got.Text = bare(&r.Message)
	}
	checkHeaders(t, &r.Message, 1, lifted, &got.object)
	if len(got.Events) != len(r.Events) || isList(r) != (got.Items != nil) || got.Items != nil && *got.Items != len(r.Events) {
		t.Errorf("%d items, want %d", len(got.Events), len(r.Events))
	}
	inner := func(name string) bool { return strings.EqualFold(name, "ActionID") }
	for i := range got.Events {
		checkHeaders(t, &r.Events[i].Message, 1, inner, &got.Events[i])
	}
	if got.End != nil {
		checkHeaders(t, &r.End, 1, inner, got.End)
	}
}

func bare(m *wire.Message) (text []string) {
	for i := 1; i < m.Len(); i++ {
		if name, value := m.Line(i); name == "" {
			text = append(text, clean(value))
		}
	}
	return text
}

func cleanAll(all []string) []string {
	for i := range all {
		all[i] = clean(all[i])
	}
	return all
}

// decoded returns the one packet in text if it is one of that kind.
func decoded(text string, kind wire.Kind) (wire.Message, bool) {
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(text))
	m, err := d.Next()
	if err != nil || m.Kind() != kind {
		return wire.Message{}, false
	}
	return m.Clone(), true
}

// A JSON string reads back as what went in, and holds nothing that a terminal would obey.
func FuzzAppendString(f *testing.F) {
	f.Add("plain")
	f.Add("\"\\\r\n\t\x00\x7f\u0085\u202e\u2028\U000e0041\xff\xed\xa0\x80ü漢😀")
	f.Fuzz(func(t *testing.T, s string) {
		encoded, lossy := appendString(nil, s)
		checkEncoding(t, encoded)
		var got string
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatal(err)
		}
		if got != clean(s) || lossy == utf8.ValidString(s) {
			t.Errorf("%q became %s: %q, lossy %v", s, encoded, got, lossy)
		}
	})
}

// Cells read back as what went in; a reader of CSV takes CR LF for LF.
func FuzzAppendCSV(f *testing.F) {
	f.Add("a", "b")
	f.Add("a,\"b\"", " x\r\ny ")
	f.Add("", "\r")
	f.Fuzz(func(t *testing.T, a, b string) {
		encoded := string(appendCSV(nil, []string{a, b}))
		in := csv.NewReader(strings.NewReader(encoded))
		got, err := in.ReadAll()
		if err != nil || len(got) != 1 {
			t.Fatalf("%q: %v, %d records", encoded, err, len(got))
		}
		unix := func(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }
		if want := []string{unix(a), unix(b)}; !slices.Equal(got[0], want) {
			t.Errorf("%q: %q, want %q", encoded, got[0], want)
		}
	})
}

// An event as a line for people is one line that a terminal does not obey, and no wider than asked for.
func FuzzEventLine(f *testing.F) {
	f.Add("A", "X: 1\r\nY: 漢字\r\n", "pbx1", 20)
	f.Add("\x1b[31m", "\x9b: \u202e\r\nB\xff: \r\n", "n\rode", 0)
	f.Fuzz(func(t *testing.T, name, headers, node string, width int) {
		m, ok := decoded("Event: "+name+"\r\n"+headers+"\r\n\r\n", wire.Event)
		if !ok {
			return
		}
		style := Options{Nodes: true, Width: width & 255}
		line := lineOf(&ami.Event{Message: m, Node: node, Received: noon}, style)
		line = strings.TrimSuffix(line, "\n")
		for _, r := range line {
			if r != '\t' && (unicode.IsControl(r) || unsafeRune(r)) || r == utf8.RuneError && !strings.Contains(name+headers+node, "\ufffd") {
				t.Fatalf("%q passes in %q", r, line)
			}
		}
		if style.Width > 0 && Width(line) > style.Width {
			t.Errorf("%q is %d wide, want at most %d", line, Width(line), style.Width)
		}
	})
}
