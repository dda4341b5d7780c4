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

// Over TLS the door does the same, large answers included.
func TestTLS(t *testing.T) {
	s := openReal(t, amidoor.Options{}, wrapTLS(t))
	conn, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // its certificate is a test's
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
	p.say("Action: Logoff")
	p.hear("Thanks for all the fish.")
}

// Who never shakes hands is gone when the time of the login is up.
func TestNoHandshake(t *testing.T) {
	s := openReal(t, amidoor.Options{AuthTimeout: 100 * time.Millisecond}, wrapTLS(t))
	silent, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_ = silent.SetReadDeadline(time.Now().Add(time.Minute))
	if got, err := io.ReadAll(silent); err != nil || strings.Contains(string(got), "Asterisk") {
		t.Errorf("%q, %v", got, err)
	}
}

// wrapTLS returns what puts TLS on a listener.
func wrapTLS(t *testing.T) func(net.Listener) net.Listener {
	certified := httptest.NewUnstartedServer(nil)
	certified.StartTLS()
	t.Cleanup(certified.Close)
	return func(l net.Listener) net.Listener {
		return tls.NewListener(l, &tls.Config{Certificates: certified.TLS.Certificates, MinVersion: tls.VersionTLS12})
	}
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
