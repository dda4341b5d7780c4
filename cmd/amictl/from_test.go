package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
	"github.com/tidwall/gjson"
)

const (
	fromHangup = "Event: Hangup\r\nPrivilege: call,all\r\nCause: 16\r\n\r\n"
	fromRecord = `{"type":"event","node":"a","time":"2026-11-23T12:00:00.000000Z","event":"Hangup","fields":{"Cause":"17"}}` + "\n"
)

func pack(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func packZstd(t *testing.T, s string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll([]byte(s), nil))
}

func utf16Text(s string) string {
	b := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return string(b)
}

// Files as people keep them: what tail --from makes of them, and how it ends.
func TestFrom(t *testing.T) {
	cut := pack(t, strings.Repeat(fromHangup, 10_000))
	for name, test := range map[string]struct {
		files  []string
		status int
		causes string // of the events
		stderr string
	}{
		"gzip":                        {[]string{pack(t, fromHangup)}, 0, "16", ""},
		"gzip, a record":              {[]string{pack(t, fromRecord)}, 0, "17", ""},
		"zstd":                        {[]string{packZstd(t, fromHangup)}, 0, "16", ""},
		"rotated":                     {[]string{pack(t, fromHangup+fromHangup[:25]), fromHangup[25:] + fromHangup[:9], fromHangup[9:]}, 0, "16 16 16", ""},
		"a record, a capture":         {[]string{fromRecord, fromHangup, "\xef\xbb\xbf" + fromRecord}, 0, "17 16 17", ""},
		"one is empty":                {[]string{"", fromHangup, "\r\n"}, 0, "16", ""},
		"one holds nothing":           {[]string{"nothing\n", fromHangup}, 0, "16", ""},
		"all hold nothing":            {[]string{"nothing\n", "at all\n"}, 2, "", "none of the files is a record or a capture"},
		"empty":                       {[]string{""}, 0, "", ""},
		"lost":                        {[]string{fromHangup, "Event: A\r\nX: 1\r\nY"}, 7, "16", "1 packet is lost, at line 1 of "},
		"lost before a record":        {[]string{"Event: A\r\nX: 1\r\nY", fromRecord}, 7, "17", "1 packet is lost, at line 1 of "},
		"lost, nothing else":          {[]string{"a\nEvent: A\r\nX: 1\r\nY"}, 2, "", "nothing could be read: 1 packet is lost, at line 2 of "},
		"cut off gzip":                {[]string{cut[:len(cut)/2]}, 7, "", "the gzip data is cut off"},
		"damaged before another":      {[]string{cut[:len(cut)-4], fromHangup}, 7, "", "the gzip data is cut off"},
		"damaged from its first byte": {[]string{"\x1f\x8b\x08\x00"}, 2, "", "the gzip data is cut off"},
		"pcap":                        {[]string{"\xd4\xc3\xb2\xa1\x02\x00\x04\x00"}, 2, "", "hint: `tshark -r "},
		"UTF-16":                      {[]string{utf16Text(fromHangup)}, 2, "", "hint: `iconv -f UTF-16 -t UTF-8 "},
		"rubbish":                     {[]string{"\x7fELF\x02\x01\x01\x00\x00\x00"}, 2, "", "neither a record nor a capture"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			args := []string{"tail", "-o", "jsonl"}
			for i, text := range test.files {
				file := filepath.Join(dir, string(rune('a'+i)))
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--from", file)
			}
			status, stdout, stderr := runApp(t, nil, nil, args...)
			var causes []string
			for line := range strings.Lines(stdout) {
				causes = append(causes, gjson.Get(line, "fields.Cause").Str)
			}
			if got := strings.Join(causes, " "); test.causes != "" && got != test.causes {
				t.Errorf("events with causes %s, want %s", got, test.causes)
			}
			if status != test.status || !strings.Contains(stderr, test.stderr) || test.stderr == "" && stderr != "" {
				t.Errorf("status %d, want %d; stderr %s", status, test.status, stderr)
			}
			if test.status == 2 && stdout != "" {
				t.Errorf("it printed %s", stdout)
			}
			if strings.Contains(name, "gzip") && test.status == 7 && len(causes) < 1000 {
				t.Errorf("%d events", len(causes))
			}
		})
	}
}
