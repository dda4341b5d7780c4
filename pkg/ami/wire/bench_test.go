package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"net/textproto"
	"testing"
)

// stream makes n events of about 590 bytes and 24 headers each, as a busy dialplan sends them.
func stream(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "Event: Newexten\r\nPrivilege: dialplan,all\r\nSequenceNumber: %d\r\nChannel: PJSIP/agent%04d-%08x\r\nChannelState: 6\r\nChannelStateDesc: Up\r\nCallerIDNum: 1555%07d\r\nCallerIDName: Caller Number %d\r\nConnectedLineNum: <unknown>\r\nConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: acct-%d\r\nContext: from-internal-queue\r\nExten: s\r\nPriority: %d\r\nUniqueid: 1795435200.%d\r\nLinkedid: 1795435200.%d\r\nExtension: s\r\nApplication: Set\r\nAppData: CDR(userfield)=campaign-%d,stage-%d,attempt-3\r\nNode: pbx-3.example.com\r\nDomain: sip.example.com\r\nTransport: transport-udp\r\nExtra: 0123456789\r\n\r\n",
			i, i%1000, i, i, i, i%10, i%20, i, i, i%50, i%7)
	}
	return b.Bytes()
}

const benchEvents = 2000

func report(b *testing.B, events int) {
	b.ReportMetric(float64(events)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func benchDecode(b *testing.B, clone bool) {
	data := stream(benchEvents)
	d := NewDecoder(Limits{})
	d.want = largeBuffer
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for rest := data; len(rest) > 0; {
			k := copy(d.Space(), rest)
			d.Wrote(k)
			rest = rest[k:]
			for {
				m, err := d.Next()
				if err != nil {
					break
				}
				if clone {
					owned = m.Clone()
				}
				n++
			}
		}
		if n != benchEvents {
			b.Fatalf("decoded %d of %d", n, benchEvents)
		}
	}
	report(b, benchEvents)
}

func BenchmarkDecodeBorrowed(b *testing.B) { benchDecode(b, false) }

var owned Message

func BenchmarkDecodeOwned(b *testing.B) { benchDecode(b, true) }

// The limit: find every line end and every first colon, through the same reads as the decoder.
func BenchmarkReferenceScan(b *testing.B) {
	data := stream(benchEvents)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		lines := 0
		for rest := data; ; {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 {
				break
			}
			if bytes.IndexByte(rest[:i], ':') > 0 {
				lines++
			}
			rest = rest[i+1:]
		}
		if lines == 0 {
			b.Fatal("no lines")
		}
	}
	report(b, benchEvents)
}

// What a straightforward client does: net/textproto.
func BenchmarkReferenceTextproto(b *testing.B) {
	data := stream(benchEvents)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		r := textproto.NewReader(bufio.NewReaderSize(bytes.NewReader(data), largeBuffer))
		n := 0
		for {
			if _, err := r.ReadMIMEHeader(); err != nil {
				break
			}
			n++
		}
		if n != benchEvents {
			b.Fatalf("read %d of %d", n, benchEvents)
		}
	}
	report(b, benchEvents)
}
