package amitest_test

import (
	"bufio"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// loginAt opens a session by hand and returns it behind the answer to its login.
func loginAt(t *testing.T, addr string) (net.Conn, *bufio.Reader, string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte("Action: Login\r\nUsername: admin\r\nSecret: secret\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	answer := ""
	for !strings.HasSuffix(answer, "\r\n\r\n") {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		answer += line
	}
	return c, in, answer
}

// A cut that passes over some chances does not count below nothing.
func TestCutThatPassesOverChances(t *testing.T) {
	srv := amitest.NewServer()
	defer srv.Close()
	_, in, _ := loginAt(t, srv.Addr())
	if err := srv.InjectText("fin after=10 skip=3"); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		srv.Emit(amitest.NewEvent("UserEvent", "UserEvent", "x"))
		time.Sleep(5 * time.Millisecond)
	}
	for {
		if _, err := in.ReadString('\n'); err != nil {
			if os.IsTimeout(err) {
				t.Error("the session was not cut")
			}
			return
		}
	}
}

// No text makes up more than memory holds.
func TestFaultTextIsBounded(t *testing.T) {
	for _, line := range []string{"oversize now bytes=9223372036854775807", "garbage now bytes=99999999999"} {
		if _, err := amitest.ParseFault(line); err == nil {
			t.Errorf("%s was taken", line)
		}
	}
}

// lackingListener has no descriptors left at first.
type lackingListener struct {
	net.Listener
	lacks atomic.Int32
}

func (l *lackingListener) Accept() (net.Conn, error) {
	if l.lacks.Add(-1) >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

// A server that had no descriptors left for a while accepts again.
func TestAcceptAfterALack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	lacking := &lackingListener{Listener: l}
	lacking.lacks.Store(3)
	srv := amitest.NewServer(amitest.WithoutListener())
	defer srv.Close()
	srv.Serve(lacking)
	loginAt(t, l.Addr().String())
}

// Deny is for every user, and changes none of their rights.
func TestDeny(t *testing.T) {
	srv := amitest.NewServer(amitest.WithUsers(amitest.User{Name: "admin", Secret: "secret", Read: amitest.ClassAll, Write: amitest.ParseClass("system")}))
	defer srv.Close()
	for _, deny := range []bool{true, false} {
		srv.Deny(deny)
		c, in, answer := loginAt(t, srv.Addr())
		if refused := strings.Contains(answer, "Response: Error"); refused != deny {
			t.Errorf("denied %t: %q", deny, answer)
		}
		if deny {
			continue
		}
		_, _ = c.Write([]byte("Action: Originate\r\nActionID: 1\r\nChannel: Local/1@x\r\nApplication: Wait\r\n\r\n"))
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if message, ok := strings.CutPrefix(line, "Message: "); ok && !strings.HasPrefix(message, "Authentication") {
				if !strings.HasPrefix(message, "Permission denied") {
					t.Errorf("the user may do more than before: %q", message)
				}
				return
			}
		}
	}
}

// What a frozen session is to be sent does not grow without end.
func TestFrozenSessionIsBounded(t *testing.T) {
	srv := amitest.NewServer(amitest.WithSettings(amitest.Settings{QueueLimit: 4 << 10}))
	defer srv.Close()
	loginAt(t, srv.Addr())
	if err := srv.InjectText("halfopen"); err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		srv.EmitEvent("UserEvent", "UserEvent", "x", "Filler", strings.Repeat("x", 100))
	}
	if n := srv.Ledger().Overflows; n != 1 {
		t.Errorf("%d overflows, want 1", n)
	}
}
