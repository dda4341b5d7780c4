package ami_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
)

// A benchServer answers as fast as a server can that does next to nothing, so that what is measured is the client.
type benchServer struct {
	net.Listener
	serve func(*benchSession)
}

type benchSession struct {
	net.Conn
	r *bufio.Reader
}

func newBenchServer(b testing.TB, serve func(*benchSession)) *benchServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	s := &benchServer{l, serve}
	go s.run()
	return s
}

// run serves until the listener is closed.
func (s *benchServer) run() {
	for {
		nc, err := s.Accept()
		if err != nil {
			return
		}
		go s.session(nc)
	}
}

// addr is where it listens.
func (s *benchServer) addr() string { return s.Addr().String() }

// session greets, takes the login and hands over.
func (s *benchServer) session(nc net.Conn) {
	defer nc.Close()
	_, _ = io.WriteString(nc, "Asterisk Call Manager/11.0.0\r\n")
	bs := &benchSession{nc, bufio.NewReaderSize(nc, 64<<10)}
	id := ""
	for {
		line, err := bs.r.ReadString('\n')
		if err != nil {
			return
		}
		if len(line) > 10 && line[:10] == "ActionID: " {
			id = line[10:]
		}
		if line == "\r\n" {
			break
		}
	}
	_, _ = io.WriteString(nc, "Response: Success\r\nActionID: "+id+"Message: Authentication accepted\r\n\r\n")
	s.serve(bs)
}

// pong answers Pings, all that one read brought with one write.
func pong(s *benchSession) {
	in := make([]byte, 0, 256<<10)
	var out []byte
	for {
		n, err := s.Read(in[len(in):cap(in)])
		if err != nil {
			return
		}
		in = in[:len(in)+n]
		out = out[:0]
		rest := in
		for {
			end := bytes.Index(rest, []byte("\r\n\r\n"))
			if end < 0 {
				break
			}
			i := bytes.Index(rest[:end], []byte("ActionID: "))
			id := rest[i+10 : end]
			if j := bytes.IndexByte(id, '\r'); j >= 0 {
				id = id[:j]
			}
			out = append(out, "Response: Success\r\nActionID: "...)
			out = append(out, id...)
			out = append(out, "\r\nPing: Pong\r\nTimestamp: 1795435200.123456\r\n\r\n"...)
			rest = rest[end+4:]
		}
		in = in[:copy(in[:cap(in)], rest)]
		if _, err := s.Write(out); err != nil {
			return
		}
	}
}

// readLines answers Pings as a plain server does: line by line, and its answers leave when nothing more is at hand.
func readLines(s *benchSession) {
	w := bufio.NewWriterSize(s, 64<<10)
	var id []byte
	for {
		line, err := s.r.ReadSlice('\n')
		if err != nil {
			return
		}
		name, value, _ := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("ActionID")):
			id = append(id[:0], bytes.TrimSpace(value)...)
		case len(name) == 0:
			fmt.Fprintf(w, "Response: Success\r\nActionID: %s\r\nPing: Pong\r\nTimestamp: 1795435200.123456\r\n\r\n", id)
			if s.r.Buffered() == 0 && w.Flush() != nil {
				return
			}
		}
	}
}

// manyEvents is a stream of n events of some 590 bytes and 24 headers.
func manyEvents(n int) []byte {
	var buf bytes.Buffer
	for i := range n {
		fmt.Fprintf(&buf, "Event: Newexten\r\nPrivilege: dialplan,all\r\nSequenceNumber: %d\r\nChannel: PJSIP/agent%04d-%08x\r\nChannelState: 6\r\nChannelStateDesc: Up\r\nCallerIDNum: 1555%07d\r\nCallerIDName: Caller Number %d\r\nConnectedLineNum: <unknown>\r\nConnectedLineName: <unknown>\r\nLanguage: en\r\nAccountCode: acct-%d\r\nContext: from-internal-queue\r\nExten: s\r\nPriority: %d\r\nUniqueid: 1795435200.%d\r\nLinkedid: 1795435200.%d\r\nExtension: s\r\nApplication: Set\r\nAppData: CDR(userfield)=campaign-%d,stage-%d,attempt-3\r\nNode: pbx-3.example.com\r\nDomain: sip.example.com\r\nTransport: transport-udp\r\nExtra: 0123456789\r\n\r\n",
			i, i%1000, i, i, i, i%10, i%20, i, i, i%50, i%7)
	}
	return buf.Bytes()
}

// flood sends n events once told to, in large writes, and stays.
func flood(data []byte, repeat int, start <-chan struct{}) func(*benchSession) {
	return func(s *benchSession) {
		<-start
		for range repeat {
			if _, err := s.Write(data); err != nil {
				return
			}
		}
		_, _ = io.Copy(io.Discard, s)
	}
}
