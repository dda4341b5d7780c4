package amidoor_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/serve/amidoor"
	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

// A stage is a simulated server, the daemon's sessions to it, and a door before them, in virtual time.
type stage struct {
	t       *testing.T
	network *amitest.Network
	server  *amitest.Server
	up      *upstream.Upstream
	door    *amidoor.Door
	log     *logged

	stop, expire context.CancelFunc
	served       chan error
}

// everybody are the users of most tests: root may do everything, each other one thing.
var everybody = []users.Spec{
	{
		Name: "root", Events: []string{"*"}, Actions: []string{"*", "AGI", "UpdateConfig"}, Commands: []string{"core", "dialplan"}, Contexts: []string{"*"},
		Applications: []string{"*", "System"},
	},
	{Name: "wall", Events: []string{"Queue*", "FullyBooted"}},
	{Name: "dialer", Actions: []string{"Originate"}, Contexts: []string{"default"}},
	{Name: "elsewhere", Nodes: []string{"other-*"}, Events: []string{"*"}, Actions: []string{"*"}},
}

// open makes a stage. The test runs in a synctest bubble.
func open(t *testing.T, o amidoor.Options, opts ...amitest.Option) *stage {
	t.Helper()
	s := &stage{t: t, network: amitest.NewNetwork(), log: &logged{}, served: make(chan error, 1)}
	s.server = amitest.NewServer(append([]amitest.Option{amitest.WithNetwork(s.network), amitest.WithName("pbx")}, opts...)...)
	s.up = openUpstream(t, ami.Config{
		Name: "pbx", Addr: "pbx:5038", Username: "admin", Secret: ami.StaticSecret("secret"), Dial: s.network.DialContext,
	}, load(t, everybody), s.log)
	l, err := s.network.Listen("door:5038")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	grace, expire := context.WithCancel(context.Background())
	s.stop, s.expire = stop, expire
	o.Node = "pbx"
	s.door = amidoor.New(s.up, o)
	go func() { s.served <- s.door.Serve(ctx, grace, l) }()
	t.Cleanup(s.close)
	time.Sleep(time.Second)
	return s
}

// openUpstream opens the daemon's sessions to a server. The caller closes them.
func openUpstream(t testing.TB, node ami.Config, list []*users.User, log io.Writer) *upstream.Upstream {
	t.Helper()
	redactor, err := redact.New(redact.Config{})
	if err != nil {
		t.Fatal(err)
	}
	up, err := upstream.Open(t.Context(), []ami.Config{node}, upstream.Options{
		Users: users.NewDirectory(list), Log: slog.New(slog.NewTextHandler(log, nil)), Redactor: redactor,
	})
	if err != nil {
		t.Fatal(err)
	}
	return up
}

// awaitReady waits until the sessions are there, in real time.
func awaitReady(t testing.TB, up *upstream.Upstream) {
	t.Helper()
	for range 3000 {
		if up.Readiness().Ready == 1 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the server does not become ready: %v", up.Away("pbx"))
}

// serve has a door take a listener's clients until the test ends, and returns what Serve will return.
func serve(t *testing.T, up *upstream.Upstream, o amidoor.Options, l net.Listener) (served chan error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	served = make(chan error, 1)
	o.Node = "pbx"
	go func() { served <- amidoor.New(up, o).Serve(ctx, ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		up.Close()
	})
	return served
}

// listenHere listens on this host.
func listenHere(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (s *stage) close() {
	s.stop()
	s.expire()
	if err := <-s.served; err != nil {
		s.t.Error(err)
	}
	s.up.Close()
	s.server.Close()
	if n := s.up.AMI.Clients.Load(); n != 0 {
		s.t.Errorf("%d clients are left", n)
	}
	if n := s.up.Window.Stats().Readers; n != 0 {
		s.t.Errorf("%d readers of the window are left", n)
	}
}

// load makes users whose secrets are their names and -word.
func load(t testing.TB, specs []users.Spec) []*users.User {
	t.Helper()
	for i := range specs {
		specs[i].Secret = "is:" + specs[i].Name + "-word"
	}
	list, err := users.Load(specs, func(reference string) (redact.Secret, error) {
		return redact.NewSecret(strings.TrimPrefix(reference, "is:")), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// logged is a log that can be looked at.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A peer is a client of the door.
type peer struct {
	t    *testing.T
	conn net.Conn
	got  string // and not asked for yet
}

// dial connects and reads the banner.
func (s *stage) dial() *peer {
	s.t.Helper()
	conn, err := s.network.DialContext(s.t.Context(), "tcp", "door:5038")
	if err != nil {
		s.t.Fatal(err)
	}
	p := &peer{t: s.t, conn: conn}
	s.t.Cleanup(func() { _ = conn.Close() })
	p.hear("Asterisk Call Manager/11.0.0\r\n")
	return p
}

// login connects and logs in.
func (s *stage) login(user, events string) *peer {
	s.t.Helper()
	p := s.dial()
	p.say("Action: Login\nUsername: %s\nSecret: %s-word\nEvents: %s", user, user, events)
	p.hear("Response: Success\r\nMessage: Authentication accepted\r\n\r\n")
	return p
}

// say sends an action, whose lines end in LF here and in CRLF there.
func (p *peer) say(format string, args ...any) {
	p.t.Helper()
	p.raw(strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\r\n") + "\r\n\r\n")
}

func (p *peer) raw(text string) {
	p.t.Helper()
	if _, err := io.WriteString(p.conn, text); err != nil {
		p.t.Fatal(err)
	}
}

// hear reads until text has come, and returns what was before it.
func (p *peer) hear(text string) (before string) {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(10 * time.Minute))
	buf := make([]byte, 64<<10)
	for {
		if before, after, ok := strings.Cut(p.got, text); ok {
			p.got = after
			return before
		}
		n, err := p.conn.Read(buf)
		p.got += string(buf[:n])
		if err != nil {
			p.t.Fatalf("%v instead of %q, behind %q", err, text, p.got)
		}
	}
}

// answers holds that this is what comes next.
func (p *peer) answers(lines string) {
	p.t.Helper()
	want := strings.ReplaceAll(lines, "\n", "\r\n") + "\r\n\r\n"
	if before := p.hear(want); before != "" {
		p.t.Errorf("%q came before %q", before, want)
	}
}

// quiet holds that nothing comes for a while.
func (p *peer) quiet(d time.Duration) {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(d))
	buf := make([]byte, 4096)
	n, err := p.conn.Read(buf)
	if p.got += string(buf[:n]); p.got != "" || !os.IsTimeout(err) {
		p.t.Errorf("%q, %v", p.got, err)
	}
}

// gone holds that the connection ends, and returns what came before.
func (p *peer) gone() string {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(10 * time.Minute))
	rest, err := io.ReadAll(p.conn)
	if err != nil {
		p.t.Error(err)
	}
	rest, p.got = append([]byte(p.got), rest...), ""
	return string(rest)
}

const denied = "Message: Permission denied"
