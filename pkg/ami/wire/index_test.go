package wire

import (
	"fmt"
	"strings"
	"testing"
)

// Lines on both sides of 64 KiB, where a packet's index becomes a wide one: whatever lines there are, the packet comes
// in whatever pieces, and the message is a borrowed one, an owned one or a packed one.
func TestIndexOfALongPacket(t *testing.T) {
	type line struct{ name, value string }
	ends := []string{"\r\n", "\n"}
	for _, first := range []line{{"Event", "Long"}, {"Response", "Success"}, {"", "no header at all"}} {
		for _, fill := range []int{100, 65_400, 65_520, 65_530, 65_535, 65_536, 70_000, 140_000} {
			lines := []line{first}
			text := first.name + ": " + first.value + "\r\n"
			if first.name == "" {
				text = first.value + "\n"
			}
			start := 0 // of the last line
			add := func(l line, between string) {
				lines = append(lines, l)
				start = len(text)
				text += l.name + between + l.value + ends[len(lines)%2]
			}
			if fill == 140_000 { // one value as long as that
				add(line{"Huge", strings.Repeat("v", fill)}, ": ")
			}
			for i := 0; len(text) < fill+600; i++ {
				if left := fill - len(text); left > 20 && left < 300 { // the next line starts there
					add(line{"Pad", strings.Repeat("p", left-len("Pad: ")-len(ends[(len(lines)+1)%2]))}, ": ")
				}
				switch i % 5 {
				case 0:
					add(line{fmt.Sprint("Name-", i), strings.Repeat("v", i%200)}, ": ")
				case 1:
					add(line{fmt.Sprint("Glued", i), "x"}, ":")
				case 2:
					add(line{"", "no colon in this line"}, "")
				case 3:
					add(line{"Output", fmt.Sprint("text ", i)}, ": ")
				case 4:
					add(line{"Empty", ""}, ":")
				}
			}
			text += ends[len(lines)%2]
			for _, piece := range []int{len(text), 4096, 777} {
				d := NewDecoder(Limits{Headers: 1 << 16, Packet: 1 << 20})
				var m Message
				err := ErrMore
				for at := 0; at < len(text) && err == ErrMore; at += piece { //nolint:errorlint // it is never wrapped
					d.Feed([]byte(text[at:min(at+piece, len(text))]))
					m, err = d.Next()
				}
				if err != nil {
					t.Fatalf("%s, %d bytes in pieces of %d: %v", first.name, len(text), piece, err)
				}
				dst := make([]byte, m.Size())
				packed := m.Pack(dst)
				for kind, m := range map[string]Message{"borrowed": m, "owned": m.Clone(), "packed": packed.Message(dst)} {
					if m.Text() != text || m.Len() != len(lines) {
						t.Fatalf("%s of %d bytes: %d lines in %d bytes, want %d", kind, len(text), m.Len(), len(m.Text()), len(lines))
					}
					for i, want := range lines {
						name, value, whole := m.Parts(i)
						if name != want.name || value != want.value || !strings.HasPrefix(whole, name) || !strings.HasSuffix(whole, value) {
							t.Fatalf("%s of %d bytes, line %d: %q: %q, want %q: %q", kind, len(text), i, name, value, want.name, want.value)
						}
					}
					last := lines[len(lines)-1]
					if last.name == "" {
						continue
					}
					if value, ok := m.Lookup(strings.ToUpper(last.name)); !ok || last.name[:1] == "N" && value != last.value {
						t.Fatalf("%s of %d bytes: %s is %q", kind, len(text), last.name, value)
					}
				}
				if m.wide != (start > maxRefStart) {
					t.Errorf("%d bytes, the last line at %d, a wide index: %v", len(text), start, m.wide)
				}
			}
		}
	}
}
