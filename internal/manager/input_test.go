package manager

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzInput holds that the parser neither panics nor depends on how the bytes come
// in, and keeps to its limits.
func FuzzInput(f *testing.F) {
	f.Add([]byte("Action: Ping\r\nActionID: 1\r\n\r\nAction: Login\n\n"), 3)
	f.Add([]byte(strings.Repeat("x", 1023)+"\r\n\r\n"), 1000)
	f.Add([]byte(strings.Repeat("A: b\r\n", 200)+"\r\n"), 7)
	f.Add([]byte("\r\r\n\x00x\n\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		step = max(1, step)
		whole, pieces := parseAll(data, len(data)+1), parseAll(data, step)
		if whole != pieces {
			t.Errorf("in one piece %q, in steps of %d %q", whole, step, pieces)
		}
	})
}

// parseAll feeds data in steps and returns what was understood as text.
func parseAll(data []byte, step int) string {
	var in Input
	var out strings.Builder
	var buf []byte
	for len(data) > 0 {
		k := min(step, len(data))
		buf, data = append(buf, data[:k]...), data[k:]
		for {
			n, v := in.Feed(buf)
			buf = buf[n:]
			if v == NeedMore {
				break
			}
			out.WriteByte(byte('0' + v))
			for i := range in.Len() {
				l := in.Line(i)
				if len(l) == 0 || len(l) >= MaxLine || bytes.IndexByte(l, '\n') >= 0 || i >= MaxHeaders {
					panic("a line that cannot be")
				}
				out.Write(l)
				out.WriteByte('\n')
			}
			in.First("Action", true)
		}
		if len(buf) >= MaxLine {
			panic("bytes kept beyond a line")
		}
	}
	return out.String()
}

// What becomes of a long line depends on its length: the server keeps the last byte
// of a full buffer, so only some lengths leave a blank line that ends the message.
// Compared with Asterisk 22 and 16 by TestConformance.
func TestLongLines(t *testing.T) {
	for _, tt := range []struct {
		length int
		end    string
		want   string // a digit a message: its Verdict
	}{
		{1022, "\r\n", "1"},
		{1023, "\n", "1"},
		{1023, "\r\n", "31"},
		{1024, "\n", "3"},
		{1024, "\r\n", "3"},
		{1025, "\r\n", "3"},
		{1023 + 1023, "\r\n", "31"},
		{1023 + 1024, "\r\n", "3"},
		{5000, "\r\n", "3"},
	} {
		var in Input
		data := []byte("Action: Ping\r\n" + strings.Repeat("x", tt.length) + tt.end + "ActionID: 1\r\n\r\n")
		got := ""
		for {
			n, v := in.Feed(data)
			if data = data[n:]; v == NeedMore {
				break
			}
			got += string(rune('0' + v))
		}
		if got != tt.want {
			t.Errorf("%d bytes and %q: %s, want %s", tt.length, tt.end, got, tt.want)
		}
	}
}
