package capture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A packet that one file breaks off goes on in the next one, unless that one begins with another.
func TestFiles(t *testing.T) {
	tests := []struct {
		name  string
		files []string
		want  reading
	}{
		{"between packets", []string{hangup, newext}, reading{Packets: both}},
		{"within a line", []string{hangup + newext[:20], newext[20:] + hangup}, reading{Packets: []string{both[0], both[1], both[0]}}},
		{"between lines", []string{hangup + newext[:17], newext[17:]}, reading{Packets: both}},
		{"before the blank line", []string{hangup[:len(hangup)-2], "\r\n" + newext}, reading{Packets: both}},
		{"a log with blank lines, and one without", []string{hangup + newext, each("Nov 28 12:00:01 pbx1 asterisk[4711]: ", noBlanks(debugLog(hangup, newext)))}, reading{Packets: []string{both[0], both[1], both[0], both[1]}}},
		{"an empty file between", []string{hangup + newext[:20], "", newext[20:]}, reading{Packets: both}},
		{"quoted", []string{each("> ", newext+hangup[:15]), each("> ", hangup[15:]+newext)}, reading{Packets: []string{both[1], both[0], both[1]}}},
		{"a quote that ends at a first line", []string{each("> ", newext+hangup[:15])}, reading{Packets: both[1:], Lost: 1, First: 5}},
		{"a packet broken off for good", []string{newext + "Event: A\r\nX: 1\r\n", hangup}, reading{Packets: []string{both[1], both[0]}, Lost: 1, First: 5}},
		{"within a line for good", []string{newext + "Event: A\r\nX: 1", hangup}, reading{Packets: []string{both[1], both[0]}, Lost: 1, First: 5}},
		{"the last one", []string{hangup, "x\n" + "Event: A\r\nX: 1"}, reading{Packets: both[:1], Lost: 1, First: 2}},
		{"other text in the second", []string{debugLog(hangup) + "Event: A\r\nX: 1\r\n", "[2026-11-28 12:00:00] Asterisk 22.10.1 built by root\n" + debugLog(newext)}, reading{Packets: both, Lost: 1, First: 7}},
		{"the second without its beginning", []string{hangup, "Channel: x\r\n\r\n" + newext}, reading{Packets: both, Lost: 1, First: 1}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, piece := range []int{0, 1, 7} {
				if diff := cmp.Diff(test.want, read(t, piece, test.files...)); diff != "" {
					t.Fatalf("in pieces of %d bytes (-want +got):\n%s", piece, diff)
				}
			}
		})
	}
}

// Where a file ends, that is where the lines of the next one begin to count.
func TestPlaceIsInItsFile(t *testing.T) {
	r := NewReader()
	var got reading
	r.Open(strings.NewReader(hangup), "one")
	drain(t, r, &got)
	r.Open(strings.NewReader("\n\nEvent: A\r\nX"), "two")
	drain(t, r, &got)
	r.End()
	for !ended(t, r, &got) {
	}
	if diff := cmp.Diff(Loss{1, Place{"two", 3}}, r.Lost()); diff != "" {
		t.Error(diff)
	}
	r.Open(strings.NewReader(newext), "three") // behind End nothing goes on
	drain(t, r, &got)
	if diff := cmp.Diff(both, got.Packets); diff != "" {
		t.Error(diff)
	}
}

// What real servers sent comes out as the decoder alone takes it.
func TestRealCaptures(t *testing.T) {
	files, err := filepath.Glob("../../testdata/captures/*.raw")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d captures, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var want reading
		d := wire.NewDecoder(wire.Limits{})
		d.Feed(text)
		for {
			m, err := d.Next()
			if err != nil {
				break
			}
			if m.Kind() != wire.Raw {
				want.add(&m)
			}
		}
		if strings.HasSuffix(file, "skinny-show-device.raw") { // an answer without a first line looks like a packet that lost its own
			want.Lost, want.First = 1, 1
		}
		got := read(t, 0, string(text))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filepath.Base(file), diff)
		}
		if diff := cmp.Diff(want.Packets, read(t, 0, each("[12:00:00] ", string(text))).Packets); diff != "" && !strings.Contains(file, "command") {
			t.Errorf("%s behind time stamps (-want +got):\n%s", filepath.Base(file), diff)
		}
	}
}
