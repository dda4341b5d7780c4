package capture

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A reading is what came out of a text.
type reading struct {
	Packets []string // each in one line, but for the banner
	Lost    int
	First   int // its line
}

// read reads texts as the files a, b, … that follow one another, in pieces of a size.
func read(t *testing.T, piece int, texts ...string) (got reading) {
	t.Helper()
	r := NewReader()
	for i, text := range texts {
		var in io.Reader = strings.NewReader(text)
		if piece > 0 {
			in = &pieces{in, piece}
		}
		r.Open(in, string(rune('a'+i)))
		if !drain(t, r, &got) {
			t.Fatal("the reader ended before its input did")
		}
	}
	r.End()
	for !ended(t, r, &got) {
	}
	lost := r.Lost()
	got.Lost, got.First = lost.Packets, lost.First.Line
	return got
}

type pieces struct {
	in   io.Reader
	most int
}

func (p *pieces) Read(b []byte) (int, error) { return p.in.Read(b[:min(len(b), p.most)]) }

// drain reads an input to its end.
func drain(t *testing.T, r *Reader, got *reading) bool {
	t.Helper()
	for {
		m, err := r.Next()
		switch {
		case errors.Is(err, wire.ErrMore):
			if err := r.Fill(); errors.Is(err, io.EOF) {
				return true
			} else if err != nil {
				t.Fatal(err)
			}
		case errors.Is(err, io.EOF):
			return false
		case err != nil:
			t.Fatal(err)
		default:
			got.add(&m)
		}
	}
}

// ended takes one packet behind End, and reports whether there was none.
func ended(t *testing.T, r *Reader, got *reading) bool {
	t.Helper()
	m, err := r.Next()
	switch {
	case errors.Is(err, io.EOF):
		return true
	case errors.Is(err, wire.ErrMore): // the input behind the one that broke off is not read yet
		if err := r.Fill(); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		r.End()
		return false
	case err != nil:
		t.Fatal(err)
	}
	got.add(&m)
	return false
}

func (g *reading) add(m *wire.Message) {
	if m.Kind() == wire.Banner {
		return
	}
	var lines []string
	for name, value := range m.All() {
		if name != "" {
			value = name + ": " + value
		}
		lines = append(lines, value)
	}
	g.Packets = append(g.Packets, strings.Join(lines, "|"))
}

const (
	hangup = "Event: Hangup\r\nPrivilege: call,all\r\nCause: 16\r\n\r\n"
	newext = "Event: Newexten\r\nPrivilege: dialplan,all\r\nAppData: a\r\n\r\n"
	ping   = "Response: Success\r\nActionID: 1\r\nPing: Pong\r\n\r\n"
)

func one(packet string) string {
	return strings.ReplaceAll(strings.TrimRight(packet, "\r\n"), "\r\n", "|")
}

var both = []string{one(hangup), one(newext)}

// each puts something before each line.
func each(before, text string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.ReplaceAll(text, "\r", "")) {
		b.WriteString(before + line)
	}
	return b.String()
}

// numbered is each with something that counts.
func numbered(format, text string) string {
	var b strings.Builder
	n := 7
	for line := range strings.Lines(text) {
		fmt.Fprintf(&b, format+"%s", n, line)
		n++
	}
	return b.String()
}

func without(what, text string) string { return strings.ReplaceAll(text, what, "") }

// noBlanks drops the blank lines, as the journal does.
func noBlanks(text string) string { return strings.ReplaceAll(text, "\r\n\r\n", "\n") }

var shapes = []struct {
	name string
	text string
	want reading
}{
	{"nothing", "", reading{}},
	{"blank lines", "\r\n\n\r\n", reading{}},
	{"plain", hangup + newext, reading{Packets: both}},
	{"LF", without("\r", hangup+newext), reading{Packets: both}},
	{"LF and CRLF mixed", without("\r", hangup) + newext, reading{Packets: both}},
	{"CRs doubled", strings.ReplaceAll(hangup+newext, "\r", "\r\r"), reading{Packets: both}},
	{"blank lines between", "\r\n" + hangup + "\r\n\n\r\n" + newext, reading{Packets: both}},
	{"any case", "EVENT: Hangup\r\nPrivilege: call,all\r\n\r\n", reading{Packets: []string{"EVENT: Hangup|Privilege: call,all"}}},
	{"banner and answers", "Asterisk Call Manager/11.0.0\r\n" + ping + hangup, reading{Packets: []string{one(ping), one(hangup)}}},
	{"byte order mark", "\xef\xbb\xbf" + hangup + newext, reading{Packets: both}},
	{"a line of text before each", "Monday\n" + hangup + "then, at 12:30: something\n" + newext, reading{Packets: both}},
	{"notes that look like headers", "tcpdump: listening on eth0\n" + hangup + "Note: taken on Monday\n" + newext, reading{Packets: both}},
	{"several lines of text", strings.Repeat("x: y z\nfree text\n", 3000) + hangup + newext, reading{Packets: both}},
	{"debug log", debugLog(hangup, newext), reading{Packets: both}},
	{"debug log with heads", strings.ReplaceAll(debugLog(hangup, newext), "<--", "[2026-11-28 12:00:00] VERBOSE[4711] manager.c: <--"), reading{Packets: both}},
	{"console with time stamps", each("[Nov 28 12:00:01] ", debugLog(hangup, newext)), reading{Packets: both}},
	{"journal", each("Nov 28 12:00:01 pbx1 asterisk[4711]: ", noBlanks(debugLog(hangup, newext))), reading{Packets: both}},
	{
		"journal with other messages", each("Nov 28 12:00:01 pbx1 asterisk[4711]: ", noBlanks(hangup)+"  -- Executing [1@x:1] NoOp()\n"+noBlanks(newext)+"  -- a\n  -- b\n"),
		reading{Packets: both},
	},
	{"journal, one event", each("Nov 28 12:00:01 pbx1 asterisk[4711]: ", noBlanks(hangup)), reading{Packets: both[:1]}},
	{"syslog with spelled CRs", each("Nov 28 12:00:01 pbx1 asterisk[4711]: ", strings.ReplaceAll(without("\r", hangup+newext), "\n", "#015\n")), reading{Packets: both}},
	{"days with one digit", strings.Replace(each("Nov 28 12:00:01 h a: ", hangup), "Nov 28 12:00:01 h a: Cause", "Dec  1 00:00:00 h a: Cause", 1), reading{Packets: both[:1]}},
	{"docker logs", numbered("2026-11-28T12:00:%02d.123456789Z ", hangup+newext), reading{Packets: both}},
	{"docker compose", each("pbx1  | ", hangup) + "web-1 | GET /\n" + each("pbx1  | ", newext), reading{Packets: both}},
	{"docker compose, another service within", strings.Replace(each("pbx1  | ", hangup), "pbx1  | Cause", "web-1 | Note: x\npbx1  | Cause", 1), reading{Packets: both[:1]}},
	{
		"two servers mixed", "pbx1 | Event: A\npbx1 | X: 1\npbx2 | Event: B\npbx2 | Y: 1\npbx2 | \npbx1 | X: 2\npbx1 | \n",
		reading{Packets: []string{"Event: B|Y: 1"}, Lost: 1, First: 1},
	},
	{"a library's log", "2026-11-28 12:00:00,123 DEBUG ami: received " + hangup + "2026-11-28 12:00:00,124 DEBUG ami: received " + newext, reading{Packets: both}},
	{"quoted", each("> ", hangup+newext), reading{Packets: both}},
	{"quoted twice, no spaces at the end", strings.ReplaceAll(each("> > ", hangup+newext), "> > \n", "> >\n"), reading{Packets: both}},
	{"indented", "Look:\n\n" + each("    ", hangup) + each("\t", newext), reading{Packets: both}},
	{"indent that ends", "    Event: A\n    X: 1\nso it goes\n", reading{Packets: []string{"Event: A|X: 1"}}},
	{"fenced", "Look:\n```\n" + strings.TrimRight(hangup, "\r\n") + "\n```\nand\n~~~ text\n" + strings.TrimRight(newext, "\r\n") + "\n~~~\n", reading{Packets: both}},
	{"fenced and quoted", each("> ", "```\n"+strings.TrimRight(hangup, "\r\n")+"\n```\n") + each("> ", "```\n"+strings.TrimRight(newext, "\r\n")+"\n```\n"), reading{Packets: both}},
	{"another fence within one", "~~~ text\n```\nEvent: A\nX: 1\n~~~\n", reading{Packets: []string{"Event: A|X: 1"}}},
	{"a fence with a word does not close", "```\n``` text\nEvent: A\nX: 1\n```\n", reading{Packets: []string{"Event: A|X: 1"}}},
	{"a fence that opens behind one that is closed", "```\ntext\n```\nEvent: A\nX: 1\n```\n", reading{Lost: 1, First: 4}},
	{"items of a list", "* Event: A\n  X: 1\n\n- Event: B\n  X: 2\n\n", reading{Packets: []string{"Event: A|X: 1", "Event: B|X: 2"}}},
	{"a header that speaks of one", "X-Last: Event: Hangup\nHost: x\n\n" + hangup, reading{Packets: both[:1]}},
	{"a word before it in the first line", "DEBUG: " + hangup, reading{Packets: both[:1]}},
	{"patch", each("+", hangup+newext), reading{Packets: both}},
	{"line numbers", numbered("%6d\t", hangup+newext), reading{Packets: both}},
	{"grep -n with context", "7:Event: Hangup\n8-Privilege: call,all\n9-Cause: 16\n10-\n--\n97:Event: Newexten\n98-Privilege: dialplan,all\n99-AppData: a\n100-\n", reading{Packets: both}},
	{"grep with too little context", "Event: A\nX: 1\n--\nEvent: B\nX: 1\n--\n" + hangup, reading{Packets: both[:1], Lost: 2, First: 1}},
	{"cat -v", strings.ReplaceAll(hangup+newext, "\r", "^M"), reading{Packets: both}},
	{"cat -A", strings.ReplaceAll(strings.ReplaceAll(hangup+newext, "\r", "^M"), "\n", "$\n"), reading{Packets: both}},
	{"colours", "\x1b[32mEvent\x1b[0m: Hangup\x1b[K\r\n\x1b[1mPrivilege: call,all\x1b[0m\r\nCause: \x1b[31m16\r\n\x1b[0m\r\n" + newext, reading{Packets: both}},
	{"colours behind plain packets", newext + "\x1b[0m\x1b[32mEvent: Hangup\r\n\x1b[32mPrivilege: call,all\r\nCause: 16\x1b[0m\r\n\x1b[0m\r\n", reading{Packets: []string{both[1], both[0]}}},
	{"no blank line between, a colour instead", "Event: A\r\nX: 1\r\n\x1b[0m\r\n" + hangup, reading{Packets: []string{"Event: A|X: 1", both[0]}}},
	{"a coloured value is the server's", "Event: A\r\nX: \x1b[1mbold\x1b[0m\r\n\r\n", reading{Packets: []string{"Event: A|X: \x1b[1mbold\x1b[0m"}}},
	{
		"script", "Script started on 2026-11-28 12:00:00+00:00 [TERM=\"xterm\"]\n\x1b]0;root@pbx\a\x1b[?2004hroot@pbx:~# telnet localhost 5038\r\r\n" +
			"Trying 127.0.0.1...\r\r\nEscape character is '^]'.\r\r\nAsterisk Call Manager/5.0.5\r\r\nAction: Ping\r\r\n" + strings.ReplaceAll(hangup, "\r", "\r\r") + "\r\r\n" +
			strings.ReplaceAll(ping, "\r", "\r\r") + "Connection closed by foreign host.\r\r\nScript done on 2026-11-28\n",
		reading{Packets: []string{one(hangup), one(ping)}},
	},
	{
		"both directions", "Asterisk Call Manager/5.0.5\r\nAction: Originate\r\nActionID: 1\r\nChannel: Local/1@x\r\nUniqueid: x\r\n\r\n" + ping + "Action: Logoff\r\n\r\n" + hangup,
		reading{Packets: []string{one(ping), one(hangup)}},
	},
	{"tshark's follow", "===\nFollow: tcp,ascii\nFilter: tcp.stream eq 0\nNode 0: 127.0.0.1:4\nNode 1: 127.0.0.1:5038\n28\nAsterisk Call Manager/5.0.5\r\n\n\t24\nAction: Ping\r\nActionID: 1\r\n\r\n\n28\n" + ping + "\n50\n" + hangup + "\n===\n", reading{Packets: []string{one(ping), one(hangup)}}},
	{
		"tcpdump -A", dumped(50, "E..x..@.@...............P..."+without("\r", hangup)) + dumped(0, "E..4....") + dumped(50, "E..x\t.@.@...............P..."+without("\r", newext)),
		reading{Packets: both},
	},
	{"tcpdump -A, a packet in two segments", dumped(50, "E..x..P...Event: A\nX: 1\nY") + dumped(9, "E..P..: 2\n\n") + dumped(50, "E..P.."+without("\r", hangup)), reading{Packets: both[:1], Lost: 1, First: 2}},
	{"ngrep", "T 2026/11/28 12:00:00.1 127.0.0.1:5038 -> 127.0.0.1:4000 [AP] #5\n" + strings.ReplaceAll(hangup, "\r", "."), reading{Packets: both[:1]}},
	{"cut off", hangup + "Event: A\r\nX: 1\r\nY", reading{Packets: both[:1], Lost: 1, First: 5}},
	{"cut off between lines", hangup + "Event: A\r\nX: 1\r\n", reading{Packets: both[:1], Lost: 1, First: 5}},
	{"cut off at the beginning", "annel: x\r\nUniqueid: 1\r\n\r\n" + hangup, reading{Packets: both[:1], Lost: 1, First: 1}},
	{"two captures, the first cut off", "Event: A\r\nX: 1\r\nAsterisk Call Manager/5\r\n" + ping + hangup, reading{Packets: []string{one(ping), one(hangup)}, Lost: 1, First: 1}},
	{"two captures, the first cut off in a name", "Event: A\r\nX: 1\r\nCauAsterisk Call Manager/5\r\n" + ping + hangup, reading{Packets: []string{one(ping), one(hangup)}, Lost: 1, First: 1}},
	{"two captures, the first cut off in a value", newext + "Event: A\r\nX: 1Asterisk Call Manager/5\r\n" + ping + hangup, reading{Packets: []string{one(newext), one(ping), one(hangup)}, Lost: 1, First: 5}},
	{"a line of spaces in a value", "Event: A\r\nX: 1\r\n  \r\nY: 2\r\n\r\n" + hangup, reading{Packets: []string{"Event: A|X: 1|  |Y: 2", both[0]}}},
	{"lines of spaces between packets", strings.ReplaceAll(hangup+newext, "\r\n\r\n", "\r\n \r\n"), reading{Packets: both}},
	{"two captures without banners", newext + "Event: A\r\nX: 1\r\n" + hangup, reading{Packets: []string{one(newext), one(hangup)}, Lost: 1, First: 5}},
	{"two captures, the second without its beginning", hangup + "X: 1\r\nUniqueid: 1\r\nChannel: x\r\nEvent: B\r\nPrivilege: call,all\r\nY: 1\r\n\r\n", reading{Packets: []string{both[0], "Event: B|Privilege: call,all|Y: 1"}, Lost: 1, First: 5}},
	{"too long a line", hangup + "Event: A\r\nX: " + strings.Repeat("x", 2<<20) + "\r\nY: 1\r\n\r\n" + newext, reading{Packets: both, Lost: 1, First: 5}},
	{"too many headers", hangup + "Event: A\r\n" + strings.Repeat("X: 1\r\n", 2000) + "\r\n" + newext, reading{Packets: both, Lost: 1, First: 5}},
	{"too large", hangup + "Event: A\r\n" + strings.Repeat("X: "+strings.Repeat("x", 5000)+"\r\n", 1000) + "\r\n" + newext, reading{Packets: both, Lost: 1, First: 5}},
	{"text without an end", strings.Repeat("x", 3<<20) + "\n" + hangup, reading{Packets: both[:1]}},
	{"spelled out in one line", hangup + `got b'Event: A\r\nX: 1\r\n\r\n'` + "\n", reading{Packets: both[:1], Lost: 1, First: 5}},
	{"a header of that name", "Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: x\r\nEvent: y\r\nResponse: z\r\n\r\n" + hangup, reading{Packets: []string{"Event: UserEvent|Privilege: user,all|UserEvent: x|Event: y|Response: z", both[0]}}},
	{"a value with a line of text", "Event: A\r\nX: 1\r\nmore of it\r\nY: 2\r\n\r\n" + hangup, reading{Packets: []string{"Event: A|X: 1|more of it|Y: 2", both[0]}}},
	{"a Response header", "Event: OriginateResponse\r\nPrivilege: call,all\r\nActionID: 1\r\nResponse: Failure\r\nChannel: x\r\n\r\n", reading{Packets: []string{"Event: OriginateResponse|Privilege: call,all|ActionID: 1|Response: Failure|Channel: x"}}},
	{"a Command's text of old", "Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\na: b\n\nEvent: no\n--END COMMAND--\r\n\r\n" + hangup, reading{Packets: []string{"Response: Follows|Privilege: Command|ActionID: 1|a: b||Event: no", both[0]}}},
	{"a Command's text cut off", "Response: Follows\r\nPrivilege: Command\r\nActionID: 1\r\na\n" + hangup, reading{Packets: both[:1], Lost: 1, First: 1}},
	{"prose", "The Event: Hangup tells that.\nSee Event: Foo\nand more.\nResponse: is one, too\n", reading{Lost: 1, First: 4}},
	{"rubbish", "\x00\x01Event\xff: \n\x1b[\x1b]\x1b\nEve", reading{}},
}

func debugLog(packets ...string) string {
	var b strings.Builder
	for i, p := range packets {
		fmt.Fprintf(&b, "<-- Examining AMI event (%d): -->\n%s\n", 4711*i, p)
	}
	return b.String()
}

// dumped is a packet in tcpdump's text.
func dumped(length int, text string) string {
	return fmt.Sprintf("12:00:00.123456 IP 127.0.0.1.5038 > 127.0.0.1.4000: Flags [P.], seq 1:9, ack 1, win 512, options [nop,nop,TS val 1 ecr 1], length %d\n%s\n", length, text)
}

// What comes out of a text is the same in any pieces.
func TestShapes(t *testing.T) {
	for _, test := range shapes {
		t.Run(test.name, func(t *testing.T) {
			for _, piece := range []int{0, 1, 7, 1000} {
				if piece == 1 && len(test.text) > 1<<20 {
					continue // slow, and 7 tells the same
				}
				if diff := cmp.Diff(test.want, read(t, piece, test.text)); diff != "" {
					t.Fatalf("in pieces of %d bytes (-want +got):\n%s", piece, diff)
				}
			}
		})
	}
}
