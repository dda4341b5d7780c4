package amitest

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
	var in input
	var out strings.Builder
	var buf []byte
	for len(data) > 0 {
		k := min(step, len(data))
		buf, data = append(buf, data[:k]...), data[k:]
		for {
			n, v := in.feed(buf)
			buf = buf[n:]
			if v == needMore {
				break
			}
			out.WriteByte(byte('0' + v))
			for i := range in.lines {
				l := in.line(i)
				if len(l) == 0 || len(l) >= maxLine || bytes.IndexByte(l, '\n') >= 0 || i >= maxHeaders {
					panic("a line that cannot be")
				}
				out.Write(l)
				out.WriteByte('\n')
			}
			in.first("Action", true)
		}
		if len(buf) >= maxLine {
			panic("bytes kept beyond a line")
		}
	}
	return out.String()
}
