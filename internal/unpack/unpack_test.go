package unpack

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/klauspost/compress/zstd"
)

const text = "Event: Hangup\r\nCause: 16\r\n\r\n"

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

func zstded(s string) string {
	w, _ := zstd.NewWriter(nil)
	return string(w.EncodeAll([]byte(s), nil))
}

func utf16le(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

func swapped(s string) string {
	b := []byte(s)
	for i := 0; i+1 < len(b); i += 2 {
		b[i], b[i+1] = b[i+1], b[i]
	}
	return string(b)
}

// Text comes out, however it is kept.
func TestText(t *testing.T) {
	for name, test := range map[string]struct{ in, want, packed string }{
		"plain":             {text, text, ""},
		"nothing":           {"", "", ""},
		"short":             {"E", "E", ""},
		"byte order mark":   {"\xef\xbb\xbf" + text, text, ""},
		"gzip":              {gzipped(text), text, "gzip"},
		"gzip twice":        {gzipped(text) + gzipped(text), text + text, "gzip"},
		"gzip with a mark":  {gzipped("\xef\xbb\xbf" + text), text, "gzip"},
		"gzip of nothing":   {gzipped(""), "", "gzip"},
		"zstd":              {zstded(text), text, "zstd"},
		"zstd twice":        {zstded(text) + zstded(text), text + text, "zstd"},
		"zstd, skipped":     {"\x50\x2a\x4d\x18\x02\x00\x00\x00hi" + zstded(text), text, "zstd"},
		"zstd in gzip":      {gzipped(zstded(text)), text, "zstd"},
		"blank lines first": {"\r\n\r\n" + text, "\r\n\r\n" + text, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(test.in), iotest.OneByteReader(strings.NewReader(test.in))} {
				r, packed, err := New(in)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if string(got) != test.want || packed != test.packed || err != nil {
					t.Errorf("%q, packed by %q, %v", got, packed, err)
				}
			}
		})
	}
}

// What holds no text is refused by name, compressed or not, with the line that converts it.
func TestRefused(t *testing.T) {
	const pcap = "tshark -r 'a b.cap' -Y 'tcp.srcport == 5038 && !tcp.analysis.retransmission' -T fields -e tcp.payload | xxd -r -p"
	for name, test := range map[string]struct{ in, format, convert string }{
		"pcap":             {"\xd4\xc3\xb2\xa1\x02\x00\x04\x00", "a pcap file", pcap},
		"pcap, big endian": {"\xa1\xb2\xc3\xd4\x00\x02\x00\x04", "a pcap file", pcap},
		"pcap, ns":         {"\x4d\x3c\xb2\xa1\x02\x00\x04\x00", "a pcap file", pcap},
		"pcapng":           {"\x0a\x0d\x0d\x0a\x1c\x00\x00\x00", "a pcapng file", pcap},
		"pcap in gzip":     {gzipped("\xd4\xc3\xb2\xa1\x02\x00\x04\x00"), "a pcap file", "gzip"},
		"UTF-16":           {"\xff\xfe" + utf16le(text), "UTF-16 text", "iconv -f UTF-16 -t UTF-8 'a b.cap'"},
		"UTF-16BE":         {"\xfe\xff" + swapped(utf16le(text)), "UTF-16 text", "iconv -f UTF-16 -t UTF-8 'a b.cap'"},
		"UTF-16 unmarked":  {utf16le(text), "UTF-16 text", "iconv -f UTF-16LE -t UTF-8 'a b.cap'"},
		"BE unmarked":      {swapped(utf16le(text)), "UTF-16 text", "iconv -f UTF-16BE -t UTF-8 'a b.cap'"},
		"xz":               {"\xfd7zXZ\x00\x00", "compressed by xz", "xz -dc 'a b.cap'"},
		"bzip2":            {"BZh91AY&SY", "compressed by bzip2", "bzip2 -dc 'a b.cap'"},
		"zip":              {"PK\x03\x04xxxx", "a zip archive", "unzip -p 'a b.cap'"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := New(strings.NewReader(test.in))
			var format *FormatError
			if !errors.As(err, &format) {
				t.Fatalf("%v", err)
			}
			if format.Format != test.format || test.convert != "gzip" && format.Convert("a b.cap") != test.convert {
				t.Errorf("%s: %s", format.Format, format.Convert("a b.cap"))
			}
			if test.convert == "gzip" && format.Convert("f") != strings.Replace(strings.Replace(pcap, "-r 'a b.cap'", "-r -", 1), "tshark", "gzip -dc f | tshark", 1) {
				t.Errorf("%s", format.Convert("f"))
			}
		})
	}
}

// Of what is cut off or damaged comes all that can be read, and an error that says so.
func TestDamage(t *testing.T) {
	long := strings.Repeat(text, 10_000)
	for name, in := range map[string]string{
		"gzip cut off": gzipped(long)[:300], "gzip damaged": gzipped(long)[:300] + "xxxxxxxxxx", "gzip head": "\x1f\x8b\x08\x00",
		"zstd cut off": zstded(long)[:30], "zstd head": "\x28\xb5\x2f\xfd", "rubbish behind gzip": gzipped(text) + "rubbish, more than a header has",
	} {
		t.Run(name, func(t *testing.T) {
			var damage *DamageError
			r, _, err := New(strings.NewReader(in))
			if err == nil {
				var got []byte
				got, err = io.ReadAll(r)
				if !strings.HasPrefix(long, string(got)) && !strings.HasSuffix(name, "damaged") { // a wrong byte in the middle shows at the end
					t.Errorf("%d bytes of something else", len(got))
				}
				if strings.HasPrefix(name, "rubbish") && string(got) != text {
					t.Errorf("%q", got)
				}
			}
			if !errors.As(err, &damage) {
				t.Errorf("%v", err)
			}
			if strings.HasSuffix(name, "cut off") && !strings.HasSuffix(err.Error(), "data is cut off") {
				t.Errorf("%v", err)
			}
		})
	}
}

func FuzzNew(f *testing.F) {
	f.Add([]byte(gzipped(text)))
	f.Add([]byte(zstded(text)))
	f.Add([]byte("\xef\xbb\xbf" + text))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, _, err := New(bytes.NewReader(in))
		if err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		}
	})
}
