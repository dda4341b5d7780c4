package amitest

import (
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/skip"
)

// question is something asked of the simulator and of a real server alike. Both
// must answer alike to the byte, but for the values of volatile headers.
type question struct {
	name string
	// user is "admin" unless said; "-" stays logged out.
	user string
	send string // lines, separated by LF; sent with CRLF unless raw
	raw  bool
	// unordered lists, and lines of output, may come in any order.
	unordered bool
	// mine keeps only list items and events with this text, and drops ListItems.
	mine string
	// claims: the real answer may have more lines than ours.
	claims bool
	// only series this question is for; 0 for all.
	only int
	// events is the mask to log in with; "off" unless said.
	events string
	// wait is how long to wait for what comes after the answer.
	wait time.Duration
	// alike replaces what may be one or the other by the same.
	alike *strings.Replacer
}

// volatile headers have values that differ from run to run.
var volatile = regexp.MustCompile(`(?m)^((?:Timestamp|CoreStartup\w+|CoreReload\w+|CoreCurrentCalls|CoreProcessedCalls|` +
	`AsteriskVersion|LoginTime|LastPause|Uptime|LastReload|EventTV|SessionTV|SessionID|LocalAddress|RemoteAddress|` +
	`Duration|Seconds|Challenge|RoundtripUsec|Output: (?:System uptime|Last reload)|NonceLifetime|ID): ?)[^\r\n]*`)

// serials are numbers within values.
var (
	serials   = regexp.MustCompile(`-[0-9a-f]{8}(;[12])?`)
	uniqueIDs = regexp.MustCompile(`\b\d{10}\.\d+`)
	ages      = regexp.MustCompile(`was \d+ secs ago`)
)

// appBegins makes a channel that was answered and one whose application has begun a moment later alike: a Status right
// behind the answer finds the one or the other.
var appBegins = strings.NewReplacer("Application: AppDial2", "Application: Wait", "Data: (Outgoing Line)", "Data: 9")

func TestConformance(t *testing.T) {
	for _, v := range []Version{Version22, Version16} {
		env := fmt.Sprintf("AMICTL_LAB_%d", v.Major)
		t.Run(env, func(t *testing.T) {
			addr := labAddr(t, env)
			sim := labTwin(v)
			defer sim.Close()
			for _, q := range questions {
				if q.only != 0 && q.only != v.Major {
					continue
				}
				t.Run(q.name, func(t *testing.T) {
					real := q.ask(t, addr, func(user string) string { return labSecret(env, user) })
					ours := q.ask(t, sim.Addr(), func(string) string { return "secret" })
					if q.alike != nil {
						real, ours = q.alike.Replace(real), q.alike.Replace(ours)
					}
					want, got := strings.Split(real, "\n"), strings.Split(ours, "\n")
					if q.claims {
						want = slices.DeleteFunc(want, func(l string) bool { return !slices.Contains(got, l) })
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("-real +simulated:\n%s", diff)
					}
				})
			}
		})
	}
}

// labAddr returns the address of a real server. Without one the test is skipped.
func labAddr(t *testing.T, env string) string {
	addr := os.Getenv(env)
	if addr == "" {
		skip.Loudly(t, "not compared with a real Asterisk: "+env+" is not set")
	}
	return addr
}

func labSecret(env, user string) string {
	if s := os.Getenv(env + "_SECRET_" + strings.ToUpper(user)); s != "" {
		return s
	}
	return "lab-" + user + "-word"
}

// ask puts the question in a session of its own and returns the answer in a form
// that compares: line ends and blank lines visible, volatile values masked.
func (q *question) ask(t *testing.T, addr string, secret func(string) string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	var got strings.Builder
	readTo(t, conn, &got, "\r\n")
	got.Reset()
	if user := q.user; user != "-" {
		if user == "" {
			user = "admin"
		}
		fmt.Fprintf(conn, "Action: Login\r\nUsername: %s\r\nSecret: %s\r\nEvents: %s\r\n\r\n", user, secret(user), orElse(q.events, "off"))
		readTo(t, conn, &got, "\r\n\r\n")
		if q.events != "" {
			time.Sleep(100 * time.Millisecond) // the login's own events
			fmt.Fprintf(conn, "Action: Ping\r\nActionID: start\r\n\r\n")
			readTo(t, conn, &got, "ActionID: start\r\nPing: Pong\r\n")
			readTo(t, conn, &got, "\r\n\r\n")
		}
		got.Reset()
	}
	send := q.send
	if !q.raw {
		send = strings.ReplaceAll(send, "\n", "\r\n") + "\r\n\r\n"
	}
	for _, user := range []string{"admin", "denied", "nocall"} {
		send = strings.ReplaceAll(send, "{"+user+"}", secret(user))
	}
	if _, err := io.WriteString(conn, send); err != nil {
		t.Fatal(err)
	}
	time.Sleep(q.wait)
	_, _ = io.WriteString(conn, "Action: Ping\r\nActionID: end-of-answer\r\n\r\n")
	readTo(t, conn, &got, "ActionID: end-of-answer\r\n")
	return q.comparable(got.String())
}

// readTo reads until want was seen or the connection ended, which leaves <EOF>.
func readTo(t *testing.T, conn net.Conn, got *strings.Builder, want string) {
	t.Helper()
	buf := make([]byte, 65536)
	for !strings.Contains(got.String(), want) {
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			if os.IsTimeout(err) {
				t.Errorf("timed out after %q", got.String())
			}
			got.WriteString("<EOF>")
			return
		}
	}
}

// comparable masks what varies and makes the framing visible.
func (q *question) comparable(s string) string {
	s, _, _ = strings.Cut(s, "Response: Success\r\nActionID: end-of-answer\r\n")
	s, _, _ = strings.Cut(s, "Response: Error\r\nActionID: end-of-answer\r\n")
	s = volatile.ReplaceAllString(s, "$1*")
	s = serials.ReplaceAllString(s, "-*$1")
	s = uniqueIDs.ReplaceAllString(s, "*.*")
	s = ages.ReplaceAllString(s, "was * secs ago")
	s = strings.ReplaceAll(s, "\r\n", "␍\n")
	packets := strings.SplitAfter(s, "\n␍\n")
	if q.unordered && strings.Contains(s, "\nOutput: ") {
		packets = strings.SplitAfter(s, "\n")
	}
	if q.mine != "" {
		packets = slices.DeleteFunc(packets, func(p string) bool {
			return strings.HasPrefix(p, "Event: ") && !strings.Contains(p, q.mine)
		})
	}
	if q.unordered {
		slices.SortStableFunc(packets, strings.Compare)
	}
	return strings.Join(packets, "")
}

// labTwin starts a simulator configured as the lab is.
func labTwin(v Version) *Server {
	user := func(name string, read, write Class) User {
		return User{Name: name, Secret: "secret", Read: read, Write: write}
	}
	small := classSystem | classUser
	s := NewServer(WithVersion(v), WithUsers(
		user("admin", ClassAll, ClassAll), user("readonly", ClassAll, classReporting),
		user("command", 0, classCommand), user("small", small, small),
		user("nocall", ClassAll&^classCall, ClassAll),
		User{
			Name: "filtered", Secret: "secret", Read: ClassAll, Write: ClassAll,
			Filters: []string{"Event: UserEvent", "Event: Hangup", "!UserEvent: Hidden"},
		},
		User{Name: "denied", Secret: "secret", Read: ClassAll, Write: ClassAll, Deny: true},
	))
	st := s.State()
	st.AddEndpoint(Endpoint{Name: "alice", Contact: "sip:alice@127.0.0.1:17990"})
	st.AddExtension(
		Extension{Context: "default", Exten: "100", Hint: "PJSIP/alice"},
		Extension{Context: "default", Exten: "200"}, Extension{Context: "default", Exten: "201"},
		Extension{Context: "default", Exten: "300", Outcome: "busy"},
		Extension{Context: "default", Exten: "302", Outcome: "noanswer"})
	st.AddQueue(Queue{Name: "support", Strategy: "rrmemory", ServiceLevel: 20, Members: []QueueMember{
		{Name: "Agent Never", Interface: "Local/302@default/n", Penalty: 5, Static: true},
		{Name: "Agent Two", Interface: "Local/203@default/n", Static: true},
		{Name: "Agent One", Interface: "Local/202@default/n", Static: true},
	}}, Queue{Name: "empty"})
	st.AddAgent(Agent{Number: "1001", Name: "Agent Smith"}, Agent{Number: "1002", Name: "Agent Jones"})
	st.SetConfig("queues.conf",
		ConfigCategory{"general", []Header{{"persistentmembers", "no"}}},
		ConfigCategory{"support", []Header{
			{"strategy", "rrmemory"},
			{"timeout", "10"},
			{"retry", "1"},
			{"joinempty", "yes"},
			{"servicelevel", "20"},
			{"member", "Local/202@default/n,0,Agent One"},
			{"member", "Local/203@default/n,0,Agent Two"},
			{"member", "Local/302@default/n,5,Agent Never"},
		}},
		ConfigCategory{"empty", []Header{{"strategy", "ringall"}}})
	return s
}

// An action that the simulator claims but that nobody compared is a claim without
// proof.
func TestEveryActionIsAsked(t *testing.T) {
	for key, a := range builtins() {
		if a.until != 0 && a.until < 16 {
			continue // no server to compare it with
		}
		asked := slices.ContainsFunc(questions, func(q question) bool {
			return strings.Contains(strings.ToLower(q.send), "action: "+key+"\n") ||
				strings.Contains(strings.ToLower(q.send), "action: "+key+"\r\n") ||
				strings.HasSuffix(strings.ToLower(q.send), "action: "+key)
		})
		if !asked {
			t.Errorf("no question asks for %s", a.name)
		}
	}
}
