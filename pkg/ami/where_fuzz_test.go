package ami

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Whatever the text, ParseWhere does not panic, an error lies within the text, and a condition's String parses to the
// very same condition, which matches the same messages.
func FuzzParseWhere(f *testing.F) {
	for _, s := range []string{
		"Cause=16 && Channel=~^PJSIP/", `A="x \" \\ \d && y" && b!~"(a|b)*"`, "A<-1.50&&B>=+0", "ChanVariable(PJSIP/a b) = x & y",
		"node!=x && EVENT=~hang", "A=é\xff", "A==", "A", `A="`, "A=\n&&B=\t1", `A="a\\\\b"`,
		"(A=1 || B=2) && (C=3 || D=4 && E=5)", `A IN (1, "2,(", x) || *=~(?i)^(a|B)`, "A(x)=1||B=2", "A=f(x) && (B=~[(] || c!~\\))", "A<00:01:40 || B>=1h30m",
		"A=a||b", "A IN(1)&&B=2", "A not in (1)", "(((A=1)))",
	} {
		f.Add(s, "Hangup", "A", "16")
	}
	f.Fuzz(func(t *testing.T, expr, event, name, value string) {
		w, err := ParseWhere(expr)
		if err != nil {
			we := err.(*WhereError)
			if we.Offset < 0 || we.Offset > len(expr) || we.Want == "" || we.Error() == "" {
				t.Fatalf("%#v", we)
			}
			return
		}
		again, err := ParseWhere(w.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", expr, w.String(), err)
		}
		type plain struct {
			Field, Value string
			Op           whereOp
		}
		flat := func(w *Where) (out []plain) {
			for c := range w.conditions() {
				for _, v := range c.values {
					out = append(out, plain{c.field, v.text, c.op})
				}
			}
			return out
		}
		if diff := cmp.Diff(flat(w), flat(again)); diff != "" {
			t.Fatalf("%q became %q (-want +got):\n%s", expr, w.String(), diff)
		}
		m := fuzzPacket(event, name, value)
		if m == nil {
			return
		}
		if got := again.Match("pbx1", m); got != w.Match("pbx1", m) {
			t.Fatalf("%q and %q differ on %q", expr, w, m.Text())
		}
		// A negation is the negation, whether the header is there or not.
		for c := range w.conditions() {
			not := map[whereOp]whereOp{opEqual: opNotEqual, opNotEqual: opEqual, opMatch: opNotMatch, opNotMatch: opMatch}
			if op, ok := not[c.op]; ok {
				n := &whereCond{field: c.field, kind: c.kind, op: op, values: c.values, re: c.re}
				if c.match("pbx1", m, false) == n.match("pbx1", m, false) {
					t.Fatalf("%q: a condition equals its negation on %q", expr, m.Text())
				}
			}
		}
	})
}

// fuzzPacket returns an event with one header, or nil when the decoder does not take it for one packet.
func fuzzPacket(event, name, value string) *wire.Message {
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte("Event: " + event + "\r\n" + name + ": " + value + "\r\n\r\n"))
	m, err := d.Next()
	if err != nil {
		return nil
	}
	m = m.Clone()
	return &m
}
