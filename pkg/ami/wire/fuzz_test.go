package wire

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var fuzzLimits = Limits{Banner: 64, Line: 256, Headers: 16, Packet: 1024, Answer: 2048}

// Whatever the bytes and however they are split, the decoder gives the same messages and errors, holds bounded memory
// and loses no byte uncounted.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte("Asterisk Call Manager/11.0.0\r\nEvent: A\r\nB: c\r\n\r\n"), 3)
	f.Add([]byte("Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\na\n\n--END COMMAND--\r\n\r\n"), 5)
	f.Add([]byte("Response: Success\nOutput:  x\n\nraw text\n\n"), 1)
	f.Add([]byte("Event: A\r\n"+strings.Repeat("X: 1\r\n", 20)+"\r\nResponse: Success\r\n\r\n"), 4)
	f.Add([]byte("Event: "+strings.Repeat("x", 300)+"\r\n\r\n\r\nEvent: B\r\n\r\n"), 7)
	f.Fuzz(func(t *testing.T, stream []byte, piece int) {
		if piece < 1 || piece > len(stream) {
			piece = 1
		}
		whole, split := NewDecoder(fuzzLimits), NewDecoder(fuzzLimits)
		wantMsgs, wantErrs := decodeAll(t, whole, string(stream), len(stream)+1)
		msgs, errs := decodeAll(t, split, string(stream), piece)
		if diff := cmp.Diff(wantMsgs, msgs); diff != "" {
			t.Fatalf("split into %d (-whole +split):\n%s", piece, diff)
		}
		trim := func(errs []string) (out []string) { // how many bytes a truncated tail held depends on what was skipped when
			for _, e := range errs {
				out = append(out, strings.SplitN(e, ",", 2)[0])
			}
			return out
		}
		if diff := cmp.Diff(trim(wantErrs), trim(errs)); diff != "" {
			t.Fatalf("split into %d, errors (-whole +split):\n%s", piece, diff)
		}
		if got := split.memory(); got > 64<<10 {
			t.Fatalf("holds %d bytes", got)
		}
	})
}

// What the encoder lets pass decodes to the very same headers and holds no line that was not meant.
func FuzzEncoder(f *testing.F) {
	f.Add("Ping", "1", "Channel", "Local/1", "Variable", "a=1")
	f.Add("Originate", "", "A b(c)", "", "X", "\xff")
	f.Add("A\r\n", "1", "Action", "x\n", "\x00", " y")
	f.Add("Ping", "1", "A:b", "x", "B", "")
	f.Fuzz(func(t *testing.T, action, id, n1, v1, n2, v2 string) {
		fields := []Field{{n1, v1}, {n2, v2}}
		packet, err := AppendAction(nil, action, []byte(id), fields)
		if err != nil {
			if len(packet) != 0 {
				t.Fatalf("refused, yet encoded %q", packet)
			}
			return
		}
		want := [][2]string{{"Action", action}}
		if id != "" {
			want = append(want, [2]string{"ActionID", id})
		}
		want = append(want, [2]string{n1, v1}, [2]string{n2, v2})
		if got := bytes.Count(packet, []byte("\n")); got != len(want)+1 {
			t.Fatalf("%d lines for %d headers: %q", got, len(want), packet)
		}
		d := NewDecoder(Limits{})
		d.Feed(packet)
		m, err := d.Next()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, see(&m).Lines); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		for _, line := range strings.Split(string(packet), "\r\n") {
			if len(line) > MaxLine {
				t.Fatalf("a line of %d bytes", len(line))
			}
		}
	})
}
