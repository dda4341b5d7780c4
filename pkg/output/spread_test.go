package output

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// indented is a document of objects as encoding/json lays it out.
func indented(t *testing.T, objects [][]byte, many bool) string {
	t.Helper()
	all := append(append([]byte{'['}, bytes.Join(objects, []byte{','})...), ']')
	if len(objects) == 1 && !many {
		all = objects[0]
	}
	var b bytes.Buffer
	if err := json.Indent(&b, all, "", "  "); err != nil {
		t.Fatal(err)
	}
	return b.String() + "\n"
}

// A document of events of every shape is what encoding/json makes of the same objects.
func TestDocumentOfEveryShape(t *testing.T) {
	for _, many := range []bool{false, true} {
		for _, fields := range [][]string{nil, {"Channel", "x"}} {
			var out bytes.Buffer
			p := NewPrinter(&out, Options{Format: JSONDocument, Many: many, Fields: fields})
			var objects [][]byte
			for range 2 {
				for _, s := range shapes.All() {
					for _, ev := range shapeEvents(t, s)[:7] {
						objects = append(objects, JSON{Fields: fields}.AppendEvent(nil, &ev))
						if err := p.Event(&ev); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			gap := ami.Event{Node: "pbx1", Received: noon, Gap: &ami.Gap{Reason: ami.GapOverflow, Dropped: 3}}
			objects = append(objects, AppendEvent(nil, &gap))
			if err := p.Event(&gap); err != nil {
				t.Fatal(err)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			if want := indented(t, objects, many); want != out.String() {
				t.Errorf("(-want +got):\n%s", cmp.Diff(want, out.String()))
			}
		}
	}
}

// Any event, after any other, alone or not, is laid out as encoding/json lays it out.
func FuzzDocument(f *testing.F) {
	f.Add("X: 1\r\nX: 2\r\ntext\r\nB\xff: \xfe\r\nB\xfe: \x1b[0m\u202e\r\n", "", uint8(6))
	f.Add("A\"\\: \"\\{[,:]}\r\n: x\r\n", "bare", uint8(1))
	f.Fuzz(func(t *testing.T, a, b string, times uint8) {
		first, ok := decoded("Event: A\r\n"+a+"\r\n\r\n", wire.Event)
		second, ok2 := decoded("Event: A\r\n"+b+"\r\n\r\n", wire.Event)
		if !ok || !ok2 {
			return
		}
		var out bytes.Buffer
		p := NewPrinter(&out, Options{Format: JSONDocument, Many: times&1 != 0})
		var objects [][]byte
		print := func(m wire.Message) {
			ev := ami.Event{Message: m, Node: "pbx1", Received: noon}
			objects = append(objects, AppendEvent(nil, &ev))
			if err := p.Event(&ev); err != nil {
				t.Fatal(err)
			}
		}
		for range times % 9 {
			print(first)
		}
		print(second)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(indented(t, objects, times&1 != 0), out.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
