package amidoor_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/serve/amidoor"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

// What a session says, LF for CRLF. Each is said to a server and to the door before it, in a session of its own; both must
// answer the same bytes, but for volatile values.
var scripts = []struct {
	name, events, say string
	until             string // comes at the end, if it is no answer
}{
	{name: "pings", say: "Action: Ping\n\nAction: Ping\nActionID: 1\n\naction: PING\nactionid:   2\n\nAction: Ping\nActionID: 3\nActionID: 4\n\nAction:\nAction: Ping"},
	{name: "an action that is none", say: "Action: Bogus\nActionID: 1\n\nAction: bOGUS\n\nAction: Bogus " + strings.Repeat("x", 600)},
	{name: "no action", say: "Foo: bar\nActionID: 5\n\n\n\nAction: Ping"},
	{name: "lines too long", say: "Action: CoreStatus\nX: " + strings.Repeat("y", 1019) + "\n\nAction: CoreStatus\nX: " + strings.Repeat("y", 1020) + "\n\nAction: Ping\nActionID: " + strings.Repeat("z", 10_000)},
	{name: "many headers", say: "Action: CoreStatus" + strings.Repeat("\nX: y", 120) + "\n\nAction: CoreStatus\nActionID: 1" + strings.Repeat("\nX: y", 200)},
	{name: "odd lines", say: "Action: CoreStatus\nno colon\n: no name\nSp ace : x\nActionID: 1\n\nAction: CoreStatus\n\tX: y"},
	{name: "login again", say: "Action: Login\nUsername: admin\nActionID: 1\n\nAction: Challenge\n\nAction: Challenge\nAuthType: sha"},
	{name: "masks", say: "Action: Events\n\nAction: Events\nEventMask: off\n\nAction: Events\nEventMask: call,user\n\nAction: Events\nEventMask: bogus\nActionID: 1\n\nAction: Events\nEventMask: 7"},
	{name: "filters", say: "Action: Filter\n\nAction: Filter\nOperation: Add\n\nAction: Filter\nOperation: Add\nFilter: [\n\nAction: Filter\nOperation: Add\nFilter: !x\nActionID: 1\n\n" +
		"Action: Filter\nOperation: Add\nMatchCriteria: name(Hangup)\n\nAction: Filter\nOperation: Add\nMatchCriteria: bogus(x)\nFilter: y"},
	{name: "commands", say: "Action: Command\nCommand: core show version\nActionID: 1\n\nAction: Command\nCommand: nonsense\n\nAction: Command\nActionID: 2\n\nAction: Command\nCommand: core show settings of nothing"},
	{name: "a long command", say: "Action: Command\nCommand: core show help\nActionID: 1\n\nAction: Ping"},
	{name: "lists", say: "Action: QueueStatus\nActionID: 1\n\nAction: QueueStatus\n\nAction: CoreShowChannels\nActionID: two words\n\nAction: QueueSummary\nQueue: support"},
	{name: "lists that are errors", say: "Action: ConfbridgeListRooms\nActionID: 1\n\nAction: ConfbridgeList\nConference: none"},
	{name: "a list without ActionIDs", say: "Action: IAXpeers\nActionID: 1\n\nAction: IAXpeerlist"},
	{name: "an answer without ActionID", say: "Action: IAXnetstats\nActionID: 1\n\nAction: Ping\nActionID: 2"},
	{name: "values", say: "Action: GetConfig\nFilename: queues.conf\nActionID: 1\n\nAction: GetConfig\nFilename: none.conf\n\nAction: Getvar\nVariable: NONE\n\nAction: DBGet\nFamily: none\nKey: none\nActionID: " + strings.Repeat("i", 500)},
	{name: "a list of commands", say: "Action: ListCommands\nActionID: 1"},
	{name: "waits", say: "Action: WaitEvent\nTimeout: 0\nActionID: 1\n\nAction: Ping\nActionID: 2"},
	{name: "events of one's own", events: "user", say: "Action: UserEvent\nUserEvent: A\nActionID: u\nX: y \n\nAction: UserEvent\nActionID: v\nUserEvent: B\n\nAction: UserEvent\nUserEvent: C", until: "\r\nUserEvent: C\r\n"},
	{name: "an Originate that fails", events: "call", say: "Action: Originate\nChannel: Nonsense/1\nContext: default\nExten: 200\nPriority: 1\nActionID: o\n\nAction: Originate\nActionID: p\n\n" +
		"Action: Originate\nChannel: Nonsense/1\nApplication: Wait\nData: 1\nAsync: true\nActionID: q", until: "Event: OriginateResponse\r\n"},
	{name: "an Originate that is busy", say: "Action: Originate\nChannel: Local/300@default\nContext: default\nExten: 200\nPriority: 1\nActionID: o"},
	{name: "the end", say: "Action: Logoff\nActionID: bye\n\nAction: Ping"},
}

// The daemon answers as a simulated server does, which answers as a real one does.
func TestSameAsSimulated(t *testing.T) {
	server := amitest.NewServer(amitest.WithName("pbx"), amitest.WithSetup(func(srv *amitest.Server) {
		srv.State().AddQueue(amitest.Queue{Name: "support", Strategy: "rrmemory"}, amitest.Queue{Name: "empty"})
		srv.State().AddExtension(amitest.Extension{Context: "default", Exten: "200"}, amitest.Extension{Context: "default", Exten: "300", Outcome: "busy"})
	}))
	defer server.Close()
	compare(t, server.Addr(), "secret")
}

// And so it does before a real Asterisk.
func TestConformance(t *testing.T) {
	addr := os.Getenv("AMICTL_LAB_22")
	if addr == "" {
		skip.Loudly(t, "not compared with a real Asterisk: AMICTL_LAB_22 is not set")
	}
	compare(t, addr, labSecret())
}

func labSecret() string {
	if s := os.Getenv("AMICTL_FANOUT_SECRET"); s != "" {
		return s
	}
	if s := os.Getenv("AMICTL_LAB_22_SECRET_ADMIN"); s != "" {
		return s
	}
	return "lab-admin-word"
}

func compare(t *testing.T, server, secret string) {
	door := openDoor(t, server, secret)
	for _, q := range scripts {
		t.Run(q.name, func(t *testing.T) {
			through := ask(t, door, secret, q.events, q.say, q.until) // first: events of just before a login may still come by the daemon's session
			direct := ask(t, server, secret, q.events, q.say, q.until)
			if diff := cmp.Diff(comparable(direct), comparable(through)); diff != "" {
				t.Errorf("-server +door:\n%s", diff)
			}
		})
	}
}

// openDoor opens a door before a server for its own user, and returns the address.
func openDoor(t *testing.T, server, secret string) string {
	t.Helper()
	list, err := users.Load([]users.Spec{{
		Name: "admin", Secret: "given", Events: []string{"*"}, Contexts: []string{"*"}, Commands: []string{"core", "nonsense"}, Applications: []string{"*"},
		Actions: []string{"*", "AGI", "CreateConfig", "DialplanExtensionAdd", "DialplanExtensionRemove", "GetConfig", "GetConfigJSON", "ModuleLoad", "UpdateConfig"},
	}}, func(string) (redact.Secret, error) { return redact.NewSecret(secret), nil })
	if err != nil {
		t.Fatal(err)
	}
	up := openUpstream(t, ami.Config{Name: "pbx", Addr: server, Username: "admin", Secret: ami.StaticSecret(secret)}, list, io.Discard)
	l := listenHere(t)
	serve(t, up, amidoor.Options{}, l)
	awaitReady(t, up)
	return l.Addr().String()
}

// ask says something in a session of its own, and returns all that comes.
func ask(t *testing.T, addr, secret, events, say, until string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if events == "" {
		events = "off"
	}
	_, _ = fmt.Fprintf(conn, "Action: Login\r\nUsername: admin\r\nSecret: %s\r\nEvents: %s\r\n\r\n", secret, events)
	_, _ = io.WriteString(conn, strings.ReplaceAll(say, "\n", "\r\n")+"\r\n\r\n")
	var got []byte
	buf := make([]byte, 4096)
	for !strings.Contains(string(got), until) {
		n, err := conn.Read(buf)
		if got = append(got, buf[:n]...); err != nil {
			t.Fatalf("%v after %q", err, got)
		}
	}
	_, _ = io.WriteString(conn, "Action: Logoff\r\nActionID: end-of-all\r\n\r\n")
	rest, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("%v after %q", err, got)
	}
	return string(got) + string(rest)
}

var (
	volatileHeaders = regexp.MustCompile(`(?m)^((?:Timestamp|CoreStartup\w+|CoreReload\w+|CoreCurrentCalls|CoreProcessedCalls|LoginTime|LastPause|Uptime|LastReload|` +
		`Challenge|Linkedid|Uniqueid|Channel|Duration): ?)[^\r\n]*`)
	channelNumbers = regexp.MustCompile(`-[0-9a-f]{8}(;[12])?`)
)

// comparable makes the framing visible and masks what varies. Events come by another session than answers, so that each kind
// has its own order.
func comparable(s string) (packets []string) {
	s = volatileHeaders.ReplaceAllString(s, "$1*")
	s = channelNumbers.ReplaceAllString(s, "-*$1")
	var events []string
	for packet := range strings.SplitSeq(s, "\r\n\r\n") {
		packet = strings.ReplaceAll(strings.TrimLeft(packet, "\r\n"), "\r\n", "␍\n") // blank lines between packets are not kept
		switch lines := strings.SplitN(packet, "\n", 3); {
		case strings.HasPrefix(packet, "Event: ") && len(lines) > 1 && strings.HasPrefix(lines[1], "Privilege: "):
			events = append(events, packet)
		case packet != "":
			packets = append(packets, packet)
		}
	}
	return append(packets, events...)
}
