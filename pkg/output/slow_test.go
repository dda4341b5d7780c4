package output

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// What JSON lines are, made the obvious way: the fast way must write the same bytes.

func slowString(s string) string {
	var b strings.Builder
	for _, r := range s { // a byte that is not UTF-8 is U+FFFD
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r >= 0x7f && r < 0xa0 || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029':
			if r > 0xffff {
				fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
			} else {
				fmt.Fprintf(&b, `\u%04x`, r)
			}
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// slowEvent is an event from a capture as JSON, with the headers in only if that is not empty.
func slowEvent(m *wire.Message, only ...string) string {
	var keys, text []string
	values := make(map[string][]string)
	lossy := !utf8.ValidString(m.Name())
	for i := 1; i < m.Len(); i++ {
		name, value := m.Line(i)
		named := func(n string) bool { return strings.EqualFold(n, name) }
		switch key := slowString(name); {
		case name == "":
			text = append(text, `"`+slowString(value)+`"`)
		case len(only) > 0 && !slices.ContainsFunc(only, named):
			continue
		default:
			if values[key] == nil {
				keys = append(keys, key)
			}
			values[key] = append(values[key], `"`+slowString(value)+`"`)
		}
		lossy = lossy || !utf8.ValidString(name+value)
	}
	var fields, multi []string
	for _, k := range keys {
		fields = append(fields, `"`+k+`":`+values[k][0])
		if len(values[k]) > 1 {
			multi = append(multi, `"`+k+`":[`+strings.Join(values[k], ",")+`]`)
		}
	}
	s := `{"type":"event","event":"` + slowString(m.Name()) + `","fields":{` + strings.Join(fields, ",") + `}`
	if len(multi) > 0 {
		s += `,"multi":{` + strings.Join(multi, ",") + `}`
	}
	if len(text) > 0 {
		s += `,"text":[` + strings.Join(text, ",") + `]`
	}
	if lossy {
		s += `,"lossy":true`
	}
	return s + "}"
}

// checkSlow holds an event printed in three ways against the obvious one.
func checkSlow(t *testing.T, p JSON, m *wire.Message) {
	t.Helper()
	ev := ami.Event{Message: *m}
	want := slowEvent(m)
	for what, got := range map[string][]byte{
		"a printer's": p.AppendEvent(nil, &ev),
		"again":       p.AppendEvent(nil, &ev),
		"alone":       AppendEvent([]byte("before"), &ev)[len("before"):],
	} {
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s of %q (-want +got):\n%s", what, m.Text(), diff)
		}
	}
	only := []string{"x", "channel"}
	if diff := cmp.Diff(slowEvent(m, only...), string(JSON{Fields: only}.AppendEvent(nil, &ev))); diff != "" {
		t.Errorf("two fields of %q (-want +got):\n%s", m.Text(), diff)
	}
}

// Packets of every shape, one behind the other and in turns, are written as the obvious way writes them.
func TestEveryShapeAsTheObviousWay(t *testing.T) {
	var all []wire.Message
	p := JSON{names: new(names), stamp: new(stamp)}
	for _, s := range shapes.All() {
		for _, packet := range s.Packets() {
			m := message(t, packet)
			checkSlow(t, p, &m)
			all = append(all, m)
		}
	}
	for step := range 40 { // another neighbour each time
		for i := 0; i < len(all); i += step + 7 {
			ev := ami.Event{Message: all[i]}
			if got := p.AppendEvent(nil, &ev); string(got) != slowEvent(&all[i]) {
				t.Fatalf("got  %s\nwant %s", got, slowEvent(&all[i]))
			}
		}
	}
}

// A printer that has learned from some packets writes any other as the obvious way does.
func FuzzAsTheObviousWay(f *testing.F) {
	f.Add("X: 1\r\nX: 2\r\ntext\r\nB\xff: \xfe\r\nB\xfe: \x1b[0m\u202e\r\n", "X: 1\r\nY: 2\r\ntext\r\nB\xff: \xfe\r\nB: 2\r\n", uint8(5))
	f.Add("A\"\\: \"\\\r\n: x\r\nB\ufffd: 1\r\nB\xff: 2\r\n", "channel: 1\r\nx: \r\nX: 3\r\nx: \n", uint8(1))
	f.Add(strings.Repeat("a: b\r\n", 30), strings.Repeat("a: b\r\n", 29)+"c: d\r\n", uint8(9))
	f.Fuzz(func(t *testing.T, a, b string, times uint8) {
		p := JSON{names: new(names), stamp: new(stamp)}
		first, ok := decoded("Event: A\r\n"+a+"\r\n\r\n", wire.Event)
		second, ok2 := decoded("Event: A\r\n"+b+"\r\n\r\n", wire.Event)
		if !ok || !ok2 {
			return
		}
		for range times % 8 {
			checkSlow(t, p, &first)
		}
		checkSlow(t, p, &second)
		checkSlow(t, p, &first)
		if !json.Valid(p.AppendEvent(nil, &ami.Event{Message: second})) {
			t.Error("not JSON")
		}
	})
}
