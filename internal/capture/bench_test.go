package capture

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

const benchEvent = "Event: Newexten\r\nPrivilege: dialplan,all\r\nTimestamp: 1795435200.123456\r\nChannel: PJSIP/100-00000001\r\nChannelState: 6\r\nChannelStateDesc: Up\r\n" +
	"CallerIDNum: 100\r\nCallerIDName: Alice\r\nConnectedLineNum: 200\r\nConnectedLineName: Bob\r\nLanguage: en\r\nAccountCode: \r\nContext: default\r\nExten: 200\r\n" +
	"Priority: 1\r\nUniqueid: 1795435200.1\r\nLinkedid: 1795435200.1\r\nExtension: 200\r\nApplication: NoOp\r\nAppData: x\r\n\r\n"

// The reference is the decoder alone, which is what a capture was read with that knows no other text.
func BenchmarkCapture(b *testing.B) {
	plain := []byte(strings.Repeat(benchEvent, 5000))
	b.Run("reference", func(b *testing.B) {
		b.SetBytes(int64(len(plain)))
		for b.Loop() {
			d := wire.NewDecoder(wire.Limits{})
			in := bytes.NewReader(plain)
			for {
				n, err := in.Read(d.Space())
				d.Wrote(n)
				for {
					if _, err := d.Next(); err != nil {
						break
					}
				}
				if err != nil {
					break
				}
			}
		}
	})
	for name, text := range map[string][]byte{"plain": plain, "debug": []byte(debugLog(strings.Split(strings.Repeat(benchEvent+"\x00", 5000), "\x00")...)), "quoted": []byte(each("> ", string(plain)))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				n := count(b, bytes.NewReader(text))
				if n < 5000 {
					b.Fatal(n)
				}
			}
		})
	}
}

// count returns how many packets there are.
func count(b *testing.B, in io.Reader) (n int) {
	r := NewReader()
	r.Open(in, "")
	for {
		_, err := r.Next()
		switch {
		case err == nil:
			n++
		case errors.Is(err, io.EOF):
			return n
		default:
			if err := r.Fill(); errors.Is(err, io.EOF) {
				r.End()
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
