package amidoor_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/serve/amidoor"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// Over TLS the door does the same, large answers included, and who never shakes hands is gone in time.
func TestTLS(t *testing.T) {
	certificate := httptest.NewUnstartedServer(nil)
	certificate.StartTLS()
	defer certificate.Close()
	s := openReal(t, amidoor.Options{AuthTimeout: time.Second}, func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: certificate.TLS.Certificates, MinVersion: tls.VersionTLS12})
	})
	silent, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	conn, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := &peer{t: t, conn: conn}
	p.hear("Asterisk Call Manager/11.0.0\r\n")
	p.say("Action: Login\nUsername: root\nSecret: root-word\nEvents: off")
	p.hear("Authentication accepted\r\n\r\n")
	for range 200 {
		p.say("Action: ListCommands")
	}
	for range 200 {
		p.hear("Response: Success\r\n")
		p.hear("\r\n\r\n")
	}
	_ = silent.SetReadDeadline(time.Now().Add(time.Minute))
	if got, err := io.ReadAll(silent); err != nil || len(got) > 0 && !strings.Contains(string(got), "\x15\x03") { // at most an alert
		t.Errorf("%q, %v", got, err)
	}
	p.say("Action: Logoff")
	p.hear("Thanks for all the fish.")
}

// A listener that fails ends the door with its error, and its clients with it.
func TestListenerFails(t *testing.T) {
	failing := &failingListener{fail: make(chan struct{})}
	s := openReal(t, amidoor.Options{}, func(l net.Listener) net.Listener { failing.Listener = l; return failing })
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := &peer{t: t, conn: conn}
	p.hear("Asterisk Call Manager/11.0.0\r\n")
	close(failing.fail)
	_ = failing.Listener.Close()
	if err := <-s.served; !errors.Is(err, errListener) {
		t.Error(err)
	}
	p.gone()
	s.served <- nil
}

var errListener = errors.New("the listener broke")

type failingListener struct {
	net.Listener
	fail chan struct{}
}

func (l *failingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	select {
	case <-l.fail:
		return nil, errListener
	default:
		return conn, err
	}
}

// A realDoor is a door on this host, before a simulated server, in real time.
type realDoor struct {
	addr   string
	served chan error
}

func openReal(t *testing.T, o amidoor.Options, wrap func(net.Listener) net.Listener) *realDoor {
	t.Helper()
	server := amitest.NewServer(amitest.WithName("pbx"))
	t.Cleanup(server.Close)
	up := openUpstream(t, ami.Config{Name: "pbx", Addr: server.Addr(), Username: "admin", Secret: ami.StaticSecret("secret")}, load(t, everybody), io.Discard)
	l := listenHere(t)
	d := &realDoor{addr: l.Addr().String(), served: serve(t, up, o, wrap(l))}
	awaitReady(t, up)
	return d
}
