package packet_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/packet"
	"github.com/apntalk/amictl/internal/packet/inside"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// unpack returns the message that lies in a buffer.
func unpack(p *packet.Packed, buf []byte) (m wire.Message) {
	*inside.Of(&m) = p.Packet(buf)
	return m
}

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
				d := wire.NewDecoder(wire.Limits{Headers: 1 << 16, Packet: 1 << 20})
				var m wire.Message
				err := wire.ErrMore
				for at := 0; at < len(text) && err == wire.ErrMore; at += piece { //nolint:errorlint // it is never wrapped
					d.Feed([]byte(text[at:min(at+piece, len(text))]))
					m, err = d.Next()
				}
				if err != nil {
					t.Fatalf("%s, %d bytes in pieces of %d: %v", first.name, len(text), piece, err)
				}
				dst := make([]byte, inside.Of(&m).Size())
				packed := inside.Of(&m).Pack(dst)
				for kind, m := range map[string]wire.Message{"borrowed": m, "owned": m.Clone(), "packed": unpack(&packed, dst)} {
					if m.Text() != text || m.Len() != len(lines) {
						t.Fatalf("%s of %d bytes: %d lines in %d bytes, want %d", kind, len(text), m.Len(), len(m.Text()), len(lines))
					}
					for i, want := range lines {
						name, value, whole := inside.Of(&m).Parts(i)
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
				if inside.Of(&m).Wide != (start > packet.MaxRefStart) {
					t.Errorf("%d bytes, the last line at %d, a wide index: %v", len(text), start, inside.Of(&m).Wide)
				}
			}
		}
	}
}

// Every line at every size about 64 KiB, in any pieces, with any line ends.
func TestPacketsAbout64KiB(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	eol := func() string { return []string{"\r\n", "\n"}[rnd.IntN(2)] }
	for round := range 400 {
		var text strings.Builder
		var want []string
		first := []string{"Event: X", "Response: Success", "Response: Failed", "event:x", "raw text"}[round%5]
		add := func(l string) { want = append(want, l); text.WriteString(l + eol()) }
		add(first)
		target := 65536 - 20 + rnd.IntN(40)
		for text.Len() < target-200 {
			add(fmt.Sprintf("H%d: %s", len(want), strings.Repeat("v", rnd.IntN(400))))
		}
		for range 1 + rnd.IntN(6) {
			switch rnd.IntN(6) {
			case 0:
				add(":x")
			case 1:
				add("a:")
			case 2:
				add("b: ")
			case 3:
				add("no name " + strings.Repeat("z", rnd.IntN(150)))
			case 4:
				add(strings.Repeat("n", 4090+rnd.IntN(12)) + ": v")
			default:
				add("c: " + strings.Repeat("y", rnd.IntN(150)))
			}
		}
		if round%2 == 0 {
			if n := target - text.Len(); n > 5 {
				add("p: " + strings.Repeat("p", n-5))
			}
		}
		text.WriteString(eol())
		text.WriteString("Event: Next" + eol() + "A: b" + eol() + eol())
		d := wire.NewDecoder(wire.Limits{})
		rest := text.String()
		var got []wire.Message
		for len(rest) > 0 {
			n := min(len(rest), 1+rnd.IntN(30_000))
			if round%7 == 0 && len(rest) < 1000 {
				n = 1
			}
			d.Feed([]byte(rest[:n]))
			rest = rest[n:]
			for {
				m, err := d.Next()
				if err != nil {
					if err != wire.ErrMore {
						t.Fatal(err)
					}
					break
				}
				buf := make([]byte, inside.Of(&m).Size())
				p := inside.Of(&m).Pack(buf)
				own := unpack(&p, buf)
				got = append(got, own.Clone())
			}
		}
		if len(got) != 2 || got[1].Name() != "Next" || got[1].Get("A") != "b" {
			t.Fatalf("round %d: %d packets", round, len(got))
		}
		if got[0].Len() != len(want) {
			t.Fatalf("round %d: %d lines, want %d", round, got[0].Len(), len(want))
		}
		for i, w := range want {
			_, _, line := inside.Of(&got[0]).Parts(i)
			name, value := got[0].Line(i)
			wn, wv, ok := strings.Cut(w, ":")
			if !ok || wn == "" || len(wn) > 4095 {
				wn, wv = "", w
			} else {
				wv = strings.TrimPrefix(wv, " ")
			}
			if line != w || name != wn || value != wv {
				t.Fatalf("round %d line %d: %q %q %q, want %q", round, i, name, value, line, w)
			}
		}
	}
}
