package amitest

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client is a bare AMI client for tests: it sends text and reads packets.
type client struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
}

// dial connects to s and reads the banner.
func dial(t testing.TB, s *Server) *client {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	c := wrap(t, conn)
	if got, want := c.line(), "Asterisk Call Manager/"+s.cfg.version.AMI; got != want {
		t.Fatalf("banner %q, want %q", got, want)
	}
	return c
}

func wrap(t testing.TB, conn net.Conn) *client {
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, conn: conn, r: bufio.NewReader(conn)}
}

// login connects and logs in as the default user.
func login1(t testing.TB, s *Server, events string) *client {
	t.Helper()
	c := dial(t, s)
	c.login(events)
	return c
}

func (c *client) login(events string) {
	c.t.Helper()
	c.send("Action: Login\r\nUsername: admin\r\nSecret: secret\r\nEvents: " + events + "\r\n\r\n")
	if got := c.packet(); !strings.Contains(got, "Authentication accepted") {
		c.t.Fatalf("login answered %q", got)
	}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := c.conn.Write([]byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// line reads one line without its end; "EOF" at the end.
func (c *client) line() string {
	_ = c.conn.SetReadDeadline(time.Now().Add(time.Minute))
	l, err := c.r.ReadString('\n')
	if err != nil {
		return "EOF"
	}
	return strings.TrimSuffix(strings.TrimSuffix(l, "\n"), "\r")
}

// packet reads lines up to a blank one, passing over blank lines before.
func (c *client) packet() string {
	var lines []string
	for {
		l := c.line()
		switch {
		case l == "EOF":
			return strings.Join(append(lines, "EOF"), "\n")
		case l != "":
			lines = append(lines, l)
		case len(lines) > 0:
			return strings.Join(lines, "\n")
		}
	}
}

// ask sends one action given as lines and returns the first packet.
func (c *client) ask(action string) string {
	c.t.Helper()
	c.send(strings.ReplaceAll(action, "\n", "\r\n") + "\r\n\r\n")
	return c.packet()
}

func TestRefusals(t *testing.T) {
	s := NewServer(WithUsers(
		User{Name: "admin", Secret: "secret", Read: ClassAll, Write: ClassAll},
		User{Name: "small", Secret: "secret", Read: classSystem, Write: classSystem},
	))
	defer s.Close()
	for _, tt := range []struct {
		name, user, send, want string
	}{
		{"unknown action", "admin", "Action: Nope\r\nActionID: 7\r\n\r\n", "Response: Error\nActionID: 7\nMessage: Invalid/unknown command: Nope. Use Action: ListCommands to show available commands."},
		{"missing action", "admin", "ActionID: 7\r\n\r\n", "Response: Error\nActionID: 7\nMessage: Missing action in request"},
		{"stray blank line", "admin", "\r\n", "Response: Error\nMessage: Missing action in request"},
		{"no right", "small", "Action: Originate\r\n\r\n", "Response: Error\nMessage: Permission denied"},
		{"no right, not claimed", "small", "Action: Atxfer\r\n\r\n", "Response: Error\nMessage: Permission denied"},
		{"queue show, no such queue", "admin", "Action: Command\r\nCommand: Queue Show x\r\n\r\n", "Response: Success\nMessage: Command output follows\nOutput: No such queue: x."},
		{"queue show, two words", "admin", "Action: Command\r\nCommand: queue show x y\r\n\r\n", "Response: Error\nMessage: Command output follows\nOutput: Usage: queue show\nOutput:        Provides summary information on a specified queue."},
		{"module reload, all", "admin", "Action: Command\r\nCommand: module reload\r\n\r\n", "Response: Success\nMessage: Command output follows\nOutput: "},
		{"before login", "", "Action: Ping\r\n\r\n", "Response: Error\nMessage: Permission denied"},
		{"bare line feeds", "admin", "Action: Ping\nActionID: 7\n\n", "Response: Success\nActionID: 7\nPing: Pong"},
		{"names ignore case, first wins", "admin", "aCTION: pING\nactionid: 7\nActionID: 8\n\n", "Response: Success\nActionID: 7\nPing: Pong"},
		{"longest line", "admin", "Action: Ping\r\nActionID: " + strings.Repeat("x", 1022-10) + "\r\n\r\n", "Response: Success\nActionID: " + strings.Repeat("x", 1012) + "\nPing: Pong"},
		{"line too long", "admin", "Action: Ping\r\nActionID: " + strings.Repeat("x", 1050) + "\r\n\r\n", "Response: Error\nMessage: Failed to parse message: line too long"},
		{"128 headers", "admin", "Action: Ping\r\n" + strings.Repeat("A: b\r\n", 127) + "\r\n", "Response: Success\nPing: Pong"},
		{"129 headers", "admin", "Action: Ping\r\n" + strings.Repeat("A: b\r\n", 128) + "\r\n", "Response: Error\nMessage: Too many lines in message or allocation failure"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, s)
			if tt.user != "" {
				c.ask("Action: Login\nUsername: " + tt.user + "\nSecret: secret\nEvents: off")
			}
			c.send(tt.send)
			got, _, _ := strings.Cut(c.packet(), "\nTimestamp: ")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if tt.user != "" {
				if got := c.ask("Action: Ping"); !strings.Contains(got, "Pong") {
					t.Errorf("the session did not go on: %q", got)
				}
			}
		})
	}
}

// A line of 1023 bytes leaves its line feed as a blank line, so what follows is a
// message of its own.
func TestHiddenAction(t *testing.T) {
	s := NewServer()
	defer s.Close()
	c := login1(t, s, "off")
	c.send("Action: Ping\r\nX: " + strings.Repeat("x", 1020) + "\r\nAction: Ping\r\nActionID: hidden\r\n\r\n")
	if got, want := c.packet(), "Response: Error\nMessage: Failed to parse message: line too long"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := c.packet(); !strings.HasPrefix(got, "Response: Success\nActionID: hidden") {
		t.Errorf("got %q", got)
	}
}

func TestLoginRefused(t *testing.T) {
	s := NewServer(WithFailDelay(50 * time.Millisecond))
	defer s.Close()
	c := dial(t, s)
	start := time.Now()
	got := c.ask("Action: Login\nUsername: admin\nSecret: wrong\nActionID: 1")
	if want := "Response: Error\nActionID: 1\nMessage: Authentication failed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if d := time.Since(start); d < 50*time.Millisecond {
		t.Errorf("answered after %v", d)
	}
	if got := c.line(); got != "EOF" {
		t.Errorf("the session went on with %q", got)
	}
}

func TestPipelinedPings(t *testing.T) {
	s := NewServer(WithActionIDs(10))
	defer s.Close()
	c := login1(t, s, "off")
	const n = 5000
	go func() {
		_, _ = c.conn.Write([]byte(strings.Repeat("Action: Ping\r\nActionID: p\r\n\r\n", n)))
	}()
	for i := range n {
		if got := c.packet(); !strings.HasPrefix(got, "Response: Success\nActionID: p\nPing: Pong") {
			t.Fatalf("answer %d: %q", i, got)
		}
	}
	l := s.Ledger()
	if l.ActionsReceived != n+1 || l.RepliesSent != n+1 || l.ByID["p"] != n {
		t.Errorf("ledger: %d received, %d replied, %d by ID", l.ActionsReceived, l.RepliesSent, l.ByID["p"])
	}
}

func TestLogoff(t *testing.T) {
	s := NewServer()
	defer s.Close()
	c := login1(t, s, "off")
	if got, want := c.ask("Action: Logoff"), "Response: Goodbye\nMessage: Thanks for all the fish."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := c.line(); got != "EOF" {
		t.Errorf("the session went on with %q", got)
	}
}
