package amitest

import (
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/skip"
)

// Close leaves nothing behind whatever is under way: TestMain looks for
// goroutines, this for descriptors and for how long it takes.
func TestClose(t *testing.T) {
	before := descriptors(t)
	for _, fault := range append(randomFaults(1, 40), Fault{Kind: faultHalfOpen}, Fault{Kind: faultFlood, Count: 1 << 30},
		Fault{Kind: faultLatency, Fixed: time.Hour}, Fault{Kind: faultFlap, Times: always}, Fault{Kind: faultRestart, For: time.Hour}) {
		s := NewServer()
		var conns []net.Conn
		for range 3 {
			c, err := net.Dial("tcp", s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			conns = append(conns, c)
			_, _ = c.Write([]byte("Action: Login\r\nUsername: admin\r\nSecret: secret\r\n\r\n"))
		}
		readUntil(t, conns[2], "accepted")
		s.Inject(fault)
		_, _ = conns[0].Write([]byte("Action: Originate\r\nChannel: PJSIP/1\r\nApplication: Wait\r\nData: 60\r\n\r\nAction: WaitEvent\r\n\r\n"))
		runtime.Gosched()
		done := make(chan struct{})
		go func() {
			s.Close()
			s.Close() // again, to no harm
			close(done)
		}()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: Close hangs", fault)
		}
		for _, c := range conns {
			_ = c.Close()
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// descriptors counts the process's open sockets.
func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		skip.Loudly(t, "descriptors cannot be counted: "+err.Error())
	}
	n := 0
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// A TLS record longer than the server's buffer waits, in part, for the next one.
func TestTLSRecordStalls(t *testing.T) {
	s := NewServer(WithTLS(nil))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	conn, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: roots, ServerName: "localhost", DynamicRecordSizingDisabled: true})
	if err != nil {
		t.Fatal(err)
	}
	c := wrap(t, conn)
	c.line()
	c.login("off")
	request := "Action: Ping\r\nActionID: 1234\r\n\r\n\r\n"[:32]
	c.send(strings.Repeat(request, 100))
	text, fate := c.drain(300 * time.Millisecond)
	if got := strings.Count(text, "Pong"); got != 32 || fate != "open" {
		t.Errorf("%d of 100 Pings answered at once, then %s", got, fate)
	}
	c.send(request)
	c.r.Reset(conn)
	text, _ = c.drain(300 * time.Millisecond)
	if got := strings.Count(text, "Pong"); got != 69 {
		t.Errorf("%d Pings answered after the next record", got)
	}
}

func TestChallenge(t *testing.T) {
	s := NewServer()
	defer s.Close()
	c := dial(t, s)
	answer := c.ask("Action: Challenge\nAuthType: MD5")
	chal, ok := strings.CutPrefix(answer, "Response: Success\nChallenge: ")
	if !ok || len(chal) > 9 {
		t.Fatalf("got %q", answer)
	}
	sum := md5.Sum([]byte(chal + "secret"))
	got := c.ask("Action: Login\nAuthType: MD5\nUsername: admin\nEvents: off\nKey: " + hex.EncodeToString(sum[:]))
	if want := "Response: Success\nMessage: Authentication accepted"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestSingleLogin(t *testing.T) {
	s := NewServer(WithUsers(User{Name: "admin", Secret: "secret", SingleLogin: true}))
	defer s.Close()
	login1(t, s, "off")
	c := dial(t, s)
	if got := c.ask("Action: Login\nUsername: admin\nSecret: secret") + "|" + c.line(); got != "Response: Error\nMessage: Login Already In Use|EOF" {
		t.Errorf("got %q", got)
	}
}

func TestLegacySeries(t *testing.T) {
	s := NewServer(WithVersion(Version13))
	defer s.Close()
	s.State().AddQueue(Queue{Name: "q"})
	c := login1(t, s, "off")
	for _, tt := range []struct{ send, want string }{
		{"Action: Command\nCommand: bogus\nActionID: 1", "Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\nNo such command 'bogus' (type 'core show help bogus' for other possible commands)\n--END COMMAND--\r\n\r\n"},
		{"Action: QueueSummary\nQueue: x\nActionID: 1", "Response: Success\r\nActionID: 1\r\nMessage: Queue summary will follow\r\n\r\nEvent: QueueSummaryComplete\r\nActionID: 1\r\nListItems: 0\r\n\r\n"},
		{"Action: Queues\nActionID: 1", "q has 0 calls (max unlimited) in 'ringall' strategy (0s holdtime, 0s talktime), W:0, C:0, A:0, SL:0.0% within 0s\r\n   No Members\r\n   No Callers\r\n\r\n\r\n"},
	} {
		c.send(strings.ReplaceAll(tt.send, "\n", "\r\n") + "\r\n\r\nAction: Ping\r\nActionID: end\r\n\r\n")
		var got strings.Builder
		for !strings.HasSuffix(got.String(), "ActionID: end\r\n") {
			l, err := c.r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			got.WriteString(l)
		}
		c.packet()
		if diff := cmp.Diff(tt.want+"Response: Success\r\nActionID: end\r\n", got.String()); diff != "" {
			t.Error(diff)
		}
	}
}

func ExampleNewServer() {
	srv := NewServer()
	defer srv.Close()
	srv.Handle("Hello", func(r *Request, w *ResponseWriter) { w.Ack("Hello, " + r.Get("Name")) })

	conn, err := net.Dial("tcp", srv.Addr())
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "Action: Login\r\nUsername: admin\r\nSecret: secret\r\nEvents: off\r\n\r\n")
	fmt.Fprintf(conn, "Action: Hello\r\nName: world\r\n\r\nAction: Logoff\r\n\r\n")
	var got strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			break
		}
	}
	fmt.Println(strings.Contains(got.String(), "Message: Hello, world"))
	// Output: true
}
