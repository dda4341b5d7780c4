package wire

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

const captures = "../../../testdata/captures"

// A goldenPacket is a packet as it was decoded, in full. Bytes that are not UTF-8 are written as Go would quote them.
type goldenPacket struct {
	Kind   string      `json:"kind"`
	Name   string      `json:"name,omitempty"`
	Lines  [][2]string `json:"lines"`            // name and value; a line that is no header has an empty name
	Output []string    `json:"output,omitempty"` // of a Command
}

// A golden is all that a capture decodes to.
type golden struct {
	Packets []goldenPacket `json:"packets"`
	Errors  []string       `json:"errors,omitempty"`
}

func newGoldenPacket(m *Message) goldenPacket {
	p := goldenPacket{Kind: m.Kind().String(), Name: valid(m.Name())}
	for name, value := range m.All() {
		p.Lines = append(p.Lines, [2]string{valid(name), valid(value)})
	}
	if m.Kind() == Response {
		for line := range m.Output() {
			p.Output = append(p.Output, valid(line))
		}
	}
	return p
}

// valid returns an own copy of s that JSON can hold.
func valid(s string) string {
	return strings.ToValidUTF8(strings.Clone(s), "\uFFFD")
}

// decodeCapture decodes a capture that arrives in pieces.
func decodeCapture(stream []byte, piece int) golden {
	d := NewDecoder(Limits{})
	var g golden
	take := func() {
		for {
			m, err := d.Next()
			switch {
			case err == nil:
				g.Packets = append(g.Packets, newGoldenPacket(&m))
			case err == ErrMore: //nolint:errorlint // the sentinel itself
				return
			default:
				g.Errors = append(g.Errors, err.Error())
			}
		}
	}
	for p := range chunks(stream, piece) {
		d.Feed(p)
		take()
	}
	return g
}

func chunks(b []byte, n int) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			k := min(n, len(b))
			if !yield(b[:k]) {
				return
			}
			b = b[k:]
		}
	}
}

// TestGolden compares what every capture of a real server decodes to, in full, with the golden file beside it.
// go test ./pkg/ami/wire -run TestGolden -update writes them anew; read the difference before it is committed.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob(captures + "/*.raw")
	if err != nil || len(files) < 200 {
		t.Fatalf("%d captures found (%v), expected over 200", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".raw")
		t.Run(name, func(t *testing.T) {
			stream, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := decodeCapture(stream, len(stream))
			if len(got.Errors) > 0 {
				t.Errorf("a real server's answer is refused: %v", got.Errors)
			}
			for _, piece := range []int{1, 7, 1448} {
				if diff := cmp.Diff(got, decodeCapture(stream, piece)); diff != "" {
					t.Errorf("in pieces of %d bytes it decodes to something else (-whole +pieces):\n%s", piece, diff)
				}
			}
			path := strings.TrimSuffix(file, ".raw") + ".golden.json"
			if *update {
				writeGolden(t, path, got)
				return
			}
			var want golden
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; run with -update and read what it wrote", err)
			}
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

// aHeader is a pair that the encoder spread over four lines; a header takes one, so that a difference reads well.
var aHeader = regexp.MustCompile(`\[\s+("(?:[^"\\]|\\.)*"),\s+("(?:[^"\\]|\\.)*")\s+\]`)

func writeGolden(t *testing.T, path string, g golden) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(g); err != nil {
		t.Fatal(err)
	}
	one := aHeader.ReplaceAll(b.Bytes(), []byte("[$1, $2]"))
	if err := os.WriteFile(path, one, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A line's bytes are all in the message: what was decoded, written out again, is the capture.
func TestCapturesLoseNothing(t *testing.T) {
	files, _ := filepath.Glob(captures + "/*.raw")
	for _, file := range files {
		stream, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for m, err := range NewReader(bytes.NewReader(stream), Limits{}).All() {
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			i := bytes.Index(stream[at:], []byte(m.Text()))
			if i < 0 || strings.Trim(string(stream[at:at+i]), "\r\n") != "" {
				t.Fatalf("%s: packet %q is not what follows at byte %d", file, m.Text(), at)
			}
			at += i + len(m.Text())
		}
		if rest := strings.Trim(string(stream[at:]), "\r\n"); rest != "" {
			t.Errorf("%s: %q was left over", file, rest)
		}
	}
}
