// Package unpack reads text from files as people keep them: with a byte order mark, or compressed by gzip or zstd. What holds
// the text in another way it refuses by name, and says what converts it.
package unpack

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"
)

const (
	bufferSize = 32 << 10  // larger reads, such as a decoder's, pass it by
	mostLayers = 4         // of compression in one another
	mostWindow = 128 << 20 // bytes that zstd may look back, as its own program allows
)

// A FormatError is of a file that holds no text.
type FormatError struct {
	Format  string
	convert string
	layers  []string // by what it is compressed, the outermost first
}

func (e *FormatError) Error() string { return "it is " + e.Format }

// Convert returns the command that writes the text of a file to standard output.
func (e *FormatError) Convert(file string) string {
	line, file := "", quote(file)
	for _, packed := range e.layers {
		line += packed + " -dc " + file + " | "
		file = "-"
	}
	return line + strings.ReplaceAll(e.convert, "FILE", file)
}

// quote writes a file's name as a shell takes it.
func quote(name string) string {
	if strings.HasPrefix(name, "-") && name != "-" {
		name = "./" + name
	}
	plain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_./+,:@%", c)
	}
	if name != "" && strings.TrimFunc(name, plain) == "" {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// A DamageError is of compressed data that is cut off or damaged. What came before it is right.
type DamageError struct {
	Format string
	Err    error
}

func (e *DamageError) Error() string {
	if errors.Is(e.Err, io.ErrUnexpectedEOF) {
		return "the " + e.Format + " data is cut off"
	}
	return fmt.Sprintf("the %s data is damaged: %v", e.Format, e.Err)
}

func (e *DamageError) Unwrap() error { return e.Err }

// refused are the formats that are known by their beginning alone.
var refused = []struct{ magic, format, convert string }{
	{"\xd4\xc3\xb2\xa1", "a pcap file", fromPcap},
	{"\xa1\xb2\xc3\xd4", "a pcap file", fromPcap},
	{"\x4d\x3c\xb2\xa1", "a pcap file", fromPcap},
	{"\xa1\xb2\x3c\x4d", "a pcap file", fromPcap},
	{"\x0a\x0d\x0d\x0a", "a pcapng file", fromPcap},
	{"\xff\xfe\x00\x00", "UTF-32 text", "iconv -f UTF-32 -t UTF-8 FILE"},
	{"\x00\x00\xfe\xff", "UTF-32 text", "iconv -f UTF-32 -t UTF-8 FILE"},
	{"\xff\xfe", "UTF-16 text", "iconv -f UTF-16 -t UTF-8 FILE"},
	{"\xfe\xff", "UTF-16 text", "iconv -f UTF-16 -t UTF-8 FILE"},
	{"\xfd7zXZ\x00", "compressed by xz", "xz -dc FILE"},
	{"BZh", "compressed by bzip2", "bzip2 -dc FILE"},
	{"\x04\x22\x4d\x18", "compressed by lz4", "lz4 -dc FILE"},
	{"PK\x03\x04", "a zip archive", "unzip -p FILE"},
}

// fromPcap takes what the manager's port sent, each byte once.
const fromPcap = "tshark -r FILE -Y 'tcp.srcport == 5038 && !tcp.analysis.retransmission' -T fields -e tcp.payload | xxd -r -p"

// New returns the text of a file, and by what it was compressed, "gzip" or "zstd". Its error is a *FormatError or the input's;
// that of reading is a *DamageError or the input's.
func New(in io.Reader) (text *bufio.Reader, packed string, err error) {
	text = bufio.NewReaderSize(in, bufferSize)
	var layers []string
	for range mostLayers {
		head, err := text.Peek(6)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, packed, err
		}
		var unpacked io.Reader
		switch {
		case bytes.HasPrefix(head, []byte{0x1f, 0x8b, 8}):
			packed = "gzip"
			unpacked, err = gzip.NewReader(text)
		case isZstd(head):
			packed = "zstd"
			unpacked, err = zstd.NewReader(text, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(mostWindow))
		case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
			_, err = text.Discard(3)
			return text, packed, err
		default:
			if format := refuse(head); format != nil {
				format.layers = layers
				return nil, packed, format
			}
			return text, packed, nil
		}
		if err != nil {
			return nil, packed, &DamageError{packed, err}
		}
		layers = append(layers, packed)
		text = bufio.NewReaderSize(&layer{unpacked, packed}, bufferSize)
	}
	return text, packed, nil
}

func isZstd(head []byte) bool {
	const frame, skippable = "\x28\xb5\x2f\xfd", "\x2a\x4d\x18"
	return bytes.HasPrefix(head, []byte(frame)) || len(head) > 3 && head[0]>>4 == 5 && string(head[1:4]) == skippable
}

func refuse(head []byte) *FormatError {
	for _, r := range refused {
		if bytes.HasPrefix(head, []byte(r.magic)) {
			return &FormatError{Format: r.format, convert: r.convert}
		}
	}
	if len(head) < 4 {
		return nil
	}
	switch even, odd := head[0] == 0 && head[2] == 0, head[1] == 0 && head[3] == 0; { // without its mark
	case odd && !even:
		return &FormatError{Format: "UTF-16 text", convert: "iconv -f UTF-16LE -t UTF-8 FILE"}
	case even && !odd:
		return &FormatError{Format: "UTF-16 text", convert: "iconv -f UTF-16BE -t UTF-8 FILE"}
	}
	return nil
}

// A layer marks what its decompressor finds wrong.
type layer struct {
	in     io.Reader
	packed string
}

func (l *layer) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &DamageError{l.packed, err}
	}
	return n, err
}
