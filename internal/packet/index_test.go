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

type line struct{ name, value string }

// A longPacket is the text of a packet whose lines have every form.
type longPacket struct {
	lines []line
	text  string
	start int // of the last line
}

// end is the end of a line: with a CR and without in turns.
func (p *longPacket) end(lines int) string { return []string{"\r\n", "\n"}[lines%2] }

func (p *longPacket) add(l line, between string) {
	p.lines = append(p.lines, l)
	p.start = len(p.text)
	p.text += l.name + between + l.value + p.end(len(p.lines))
}

// newLongPacket has a line that starts at the byte fill exactly, and some behind it.
func newLongPacket(first line, fill int) *longPacket {
	p := &longPacket{lines: []line{first}, text: first.name + ": " + first.value + "\r\n"}
	if first.name == "" {
		p.text = first.value + "\n"
	}
	if fill == 140_000 { // one value as long as that
		p.add(line{"Huge", strings.Repeat("v", fill)}, ": ")
	}
	for i := 0; len(p.text) < fill+600; i++ {
		if left := fill - len(p.text); left > 20 && left < 300 { // the next line starts there
			p.add(line{"Pad", strings.Repeat("p", left-len("Pad: ")-len(p.end(len(p.lines)+1)))}, ": ")
		}
		switch i % 5 {
		case 0:
			p.add(line{fmt.Sprint("Name-", i), strings.Repeat("v", i%200)}, ": ")
		case 1:
			p.add(line{fmt.Sprint("Glued", i), "x"}, ":")
		case 2:
			p.add(line{"", "no colon in this line"}, "")
		case 3:
			p.add(line{"Output", fmt.Sprint("text ", i)}, ": ")
		case 4:
			p.add(line{"Empty", ""}, ":")
		}
	}
	p.text += p.end(len(p.lines))
	return p
}

// wants compares a message, of whatever kind, with the packet.
func (p *longPacket) wants(t *testing.T, kind string, m *wire.Message) {
	t.Helper()
	if m.Text() != p.text || m.Len() != len(p.lines) {
		t.Fatalf("%s of %d bytes: %d lines in %d bytes, want %d", kind, len(p.text), m.Len(), len(m.Text()), len(p.lines))
	}
	for i, want := range p.lines {
		name, value, whole := inside.Of(m).Parts(i)
		if name != want.name || value != want.value || !strings.HasPrefix(whole, name) || !strings.HasSuffix(whole, value) {
			t.Fatalf("%s of %d bytes, line %d: %q: %q, want %q: %q", kind, len(p.text), i, name, value, want.name, want.value)
		}
	}
	last := p.lines[len(p.lines)-1]
	if last.name == "" {
		return
	}
	if value, ok := m.Lookup(strings.ToUpper(last.name)); !ok || last.name[:1] == "N" && value != last.value {
		t.Fatalf("%s of %d bytes: %s is %q", kind, len(p.text), last.name, value)
	}
}

// Lines on both sides of 64 KiB, where a packet's index becomes a wide one: whatever lines there are, the packet comes
// in whatever pieces, and the message is a borrowed one, an owned one or a packed one.
func TestIndexOfALongPacket(t *testing.T) {
	for _, first := range []line{{"Event", "Long"}, {"Response", "Success"}, {"", "no header at all"}} {
		for _, fill := range []int{100, 65_400, 65_520, 65_530, 65_535, 65_536, 70_000, 140_000} {
			p := newLongPacket(first, fill)
			for _, piece := range []int{len(p.text), 4096, 777} {
				d := wire.NewDecoder(wire.Limits{Headers: 1 << 16, Packet: 1 << 20})
				var m wire.Message
				err := wire.ErrMore
				for at := 0; at < len(p.text) && err == wire.ErrMore; at += piece { //nolint:errorlint // it is never wrapped
					d.Feed([]byte(p.text[at:min(at+piece, len(p.text))]))
					m, err = d.Next()
				}
				if err != nil {
					t.Fatalf("%s, %d bytes in pieces of %d: %v", first.name, len(p.text), piece, err)
				}
				dst := make([]byte, inside.Of(&m).Size())
				packed := inside.Of(&m).Pack(dst)
				for kind, m := range map[string]wire.Message{"borrowed": m, "owned": m.Clone(), "packed": unpack(&packed, dst)} {
					p.wants(t, kind, &m)
				}
				if inside.Of(&m).Wide != (p.start > packet.MaxRefStart) {
					t.Errorf("%d bytes, the last line at %d, a wide index: %v", len(p.text), p.start, inside.Of(&m).Wide)
				}
			}
		}
	}
}

// about64KiB makes a packet that ends at about 64 KiB, with a second one behind it, and returns the lines of the first.
func about64KiB(rnd *rand.Rand, round int) (text string, want []string) {
	eol := func() string { return []string{"\r\n", "\n"}[rnd.IntN(2)] }
	var all strings.Builder
	add := func(l string) { want = append(want, l); all.WriteString(l + eol()) }
	add([]string{"Event: X", "Response: Success", "Response: Failed", "event:x", "raw text"}[round%5])
	target := 65536 - 20 + rnd.IntN(40)
	for all.Len() < target-200 {
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
		if n := target - all.Len(); n > 5 {
			add("p: " + strings.Repeat("p", n-5))
		}
	}
	all.WriteString(eol())
	all.WriteString("Event: Next" + eol() + "A: b" + eol() + eol())
	return all.String(), want
}

// decodedInPieces decodes a text that comes in pieces of any size, and packs and unpacks every message.
func decodedInPieces(t *testing.T, rnd *rand.Rand, text string, slowEnd bool) (got []wire.Message) {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	for rest := text; len(rest) > 0; {
		n := min(len(rest), 1+rnd.IntN(30_000))
		if slowEnd && len(rest) < 1000 {
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
	return got
}

// Every line at every size about 64 KiB, in any pieces, with any line ends.
func TestPacketsAbout64KiB(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for round := range 400 {
		text, want := about64KiB(rnd, round)
		got := decodedInPieces(t, rnd, text, round%7 == 0)
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
