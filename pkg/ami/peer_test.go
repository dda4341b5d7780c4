package ami_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A peer is the server's end of one connection of a scripted server.
type peer struct {
	net.Conn
	r *bufio.Reader
}

// action reads one action; ok is false when the connection is over.
func (p *peer) action() (headers map[string]string, ok bool) {
	headers = make(map[string]string)
	for {
		line, err := p.r.ReadString('\n')
		if err != nil {
			return headers, false
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			return headers, true
		}
		name, value, _ := strings.Cut(line, ": ")
		headers[name] = value
	}
}

// send writes text with each LF sent as CR LF; an error ends the script's next read too.
func (p *peer) send(format string, args ...any) {
	_, _ = p.Write([]byte(strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\r\n")))
}

// greet sends the banner and accepts whatever login comes.
func (p *peer) greet() (ok bool) {
	p.send("Asterisk Call Manager/11.0.0\n")
	for {
		a, ok := p.action()
		if !ok {
			return false
		}
		switch a["Action"] {
		case "Challenge":
			p.send("Response: Success\nActionID: %s\nChallenge: 123456789\n\n", a["ActionID"])
		case "Login":
			p.send("Response: Success\nActionID: %s\nMessage: Authentication accepted\n\n", a["ActionID"])
			return true
		default:
			return false
		}
	}
}

// serve greets, and answers each action until the connection is over.
func (p *peer) serve(answer func(a map[string]string, id string)) {
	for ok := p.greet(); ok; {
		var a map[string]string
		if a, ok = p.action(); ok {
			answer(a, a["ActionID"])
		}
	}
}

// drain reads until the connection is over.
func (p *peer) drain() {
	for {
		if _, ok := p.action(); !ok {
			return
		}
	}
}

// scripted starts a server that runs script on each connection and closes it when script returns.
func scripted(t *testing.T, script func(*peer)) (*amitest.Network, ami.Config) {
	t.Helper()
	n := amitest.NewNetwork()
	l, err := n.Listen("fake:5038")
	if err != nil {
		t.Fatal(err)
	}
	serveScript(t, l, script)
	return n, ami.Config{Addr: "fake:5038", Username: "admin", Secret: ami.StaticSecret("secret"), Dial: n.DialContext}
}

// serveScript runs script on every connection of l, until the test ends.
func serveScript(t *testing.T, l net.Listener, script func(*peer)) {
	t.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				script(&peer{Conn: conn, r: bufio.NewReaderSize(conn, 64<<10)})
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
}
