package wire

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seen is a message in a form that cmp compares.
type seen struct {
	Kind   string
	Lines  [][2]string
	Output []string
}

func see(m *Message) seen {
	s := seen{Kind: m.Kind().String()}
	for n, v := range m.All() {
		s.Lines = append(s.Lines, [2]string{strings.Clone(n), strings.Clone(v)})
	}
	for v := range m.Output() {
		s.Output = append(s.Output, strings.Clone(v))
	}
	return s
}

// decodeAll feeds stream in pieces of the given size and returns all messages and errors but ErrMore.
func decodeAll(t testing.TB, d *Decoder, stream string, piece int) (msgs []seen, errs []string) {
	t.Helper()
	for len(stream) > 0 {
		n := min(piece, len(stream))
		d.Feed([]byte(stream[:n]))
		stream = stream[n:]
		for {
			m, err := d.Next()
			if errors.Is(err, ErrMore) {
				break
			}
			if err != nil {
				errs = append(errs, err.Error())
				if d.failed != nil {
					return msgs, errs
				}
				continue
			}
			msgs = append(msgs, see(&m))
		}
	}
	if err := d.End(); !errors.Is(err, io.EOF) {
		errs = append(errs, err.Error())
	}
	return msgs, errs
}

// pong is the answer to a Ping, which stands in many of the decodings.
var pong = seen{Kind: "response", Lines: [][2]string{{"Response", "Success"}, {"ActionID", "1"}, {"Ping", "Pong"}}}

// decodings are streams of bytes, and the messages and errors that come of each.
var decodings = []struct {
	name   string
	stream string
	want   []seen
	errs   []string
}{
	{"nothing", "", nil, nil},
	{
		"banner, then an error in the same segment",
		"Asterisk Call Manager/11.0.0\r\nResponse: Error\r\nMessage: Permission denied\r\n\r\n",
		[]seen{
			{Kind: "banner", Lines: [][2]string{{"", "Asterisk Call Manager/11.0.0"}}},
			{Kind: "response", Lines: [][2]string{{"Response", "Error"}, {"Message", "Permission denied"}}},
		},
		nil,
	},
	{"plain response", "Response: Success\r\nActionID: 1\r\nPing: Pong\r\n\r\n", []seen{pong}, nil},
	{"bare LF", "Response: Success\nActionID: 1\nPing: Pong\n\n", []seen{pong}, nil},
	{"blank lines before, between and behind", "\r\n\n\r\nResponse: Success\r\nActionID: 1\r\nPing: Pong\r\n\r\n\n\r\n\r\n", []seen{pong}, nil},
	{
		"event with a Response header stays an event",
		"Event: OriginateResponse\r\nPrivilege: call,all\r\nResponse: Failure\r\n\r\n",
		[]seen{{Kind: "event", Lines: [][2]string{{"Event", "OriginateResponse"}, {"Privilege", "call,all"}, {"Response", "Failure"}}}},
		nil,
	},
	{
		"one space is stripped, columns stay, empty values differ not by their form",
		"Response: Success\r\nOutput:   a  b \r\nOutput: \r\nOutput:\r\nX:y:z\r\n\r\n",
		[]seen{{
			Kind:   "response",
			Lines:  [][2]string{{"Response", "Success"}, {"Output", "  a  b "}, {"Output", ""}, {"Output", ""}, {"X", "y:z"}},
			Output: []string{"  a  b ", "", ""},
		}},
		nil,
	},
	{
		"odd names, repeats, bytes that are not UTF-8, a line without a colon, one that begins with a colon",
		"EVENT: Newexten\r\nChanVariable(PJSIP/a b): x=1\r\nChanVariable(PJSIP/a b): \xff\xfe\r\nhalf a value\r\n: none\r\n\r\n",
		[]seen{{Kind: "event", Lines: [][2]string{
			{"EVENT", "Newexten"}, {"ChanVariable(PJSIP/a b)", "x=1"}, {"ChanVariable(PJSIP/a b)", "\xff\xfe"}, {"", "half a value"}, {"", ": none"},
		}}},
		nil,
	},
	{"a bare CR is data", "Event: A\rB\r\nC: \r\r\n\r\n", []seen{{Kind: "event", Lines: [][2]string{{"Event", "A\rB"}, {"C", "\r"}}}}, nil},
	{
		"raw text without a response", "default has 0 calls\r\n   No Members\r\n\r\nResponse: Success\r\nActionID: 1\r\nPing: Pong\r\n\r\n",
		[]seen{{Kind: "raw", Lines: [][2]string{{"", "default has 0 calls"}, {"", "   No Members"}}}, pong},
		nil,
	},
	{
		"old Command: blank lines and colons in the text, the end mark glued on",
		"Response: Follows\r\nPrivilege: Command\r\nActionID: 7\r\nName: x\n\nActionID: 8\n  tail--END COMMAND--\r\n\r\n" + "Response: Success\r\nActionID: 1\r\nPing: Pong\r\n\r\n",
		[]seen{{
			Kind:   "response",
			Lines:  [][2]string{{"Response", "Follows"}, {"Privilege", "Command"}, {"ActionID", "7"}, {"", "Name: x"}, {"", ""}, {"", "ActionID: 8"}, {"", "  tail"}},
			Output: []string{"Name: x", "", "ActionID: 8", "  tail"},
		}, pong},
		nil,
	},
	{
		"old Command: an end mark inside the text is text; an own line holds nothing else",
		"Response: Follows\r\nPrivilege: Command\r\na--END COMMAND--\nb\n--END COMMAND--\r\n\r\n",
		[]seen{{
			Kind:   "response",
			Lines:  [][2]string{{"Response", "Follows"}, {"Privilege", "Command"}, {"", "a--END COMMAND--"}, {"", "b"}},
			Output: []string{"a--END COMMAND--", "b"},
		}},
		nil,
	},
	{
		"a module's own Follows: a blank line ends it",
		"Response: Follows\r\nPriviledge: Command\r\nActionID: 7\r\nJSON: {\"a\":1}\r\n\r\n" + "Response: Success\r\nActionID: 1\r\nPing: Pong\r\n\r\n",
		[]seen{{
			Kind:  "response",
			Lines: [][2]string{{"Response", "Follows"}, {"Priviledge", "Command"}, {"ActionID", "7"}, {"JSON", `{"a":1}`}},
		}, pong},
		nil,
	},
	{
		"one with an end mark",
		"Response: Follows\r\nPriviledge: Command\r\nActionID: 7\r\ntext\r\nmore--END COMMAND--\r\n\r\n" + "Response: Success\r\nActionID: 1\r\nPing: Pong\r\n\r\n",
		[]seen{{
			Kind:   "response",
			Lines:  [][2]string{{"Response", "Follows"}, {"Priviledge", "Command"}, {"ActionID", "7"}, {"", "text"}, {"", "more"}},
			Output: []string{"text", "more"},
		}, pong},
		nil,
	},
	{"the stream ends inside a packet", "Event: A\r\nB: c\r\n", nil, []string{"wire: the stream ended inside a packet, 16 bytes thrown away"}},
	{"garbage, then valid", "\x00\x01garbage\r\n\r\nResponse: Success\r\nActionID: 1\r\nPing: Pong\r\n\r\n", []seen{
		{Kind: "raw", Lines: [][2]string{{"", "\x00\x01garbage"}}}, pong,
	}, nil},
}

func TestDecode(t *testing.T) {
	for _, tt := range decodings {
		t.Run(tt.name, func(t *testing.T) {
			for _, piece := range []int{1, 2, 3, 7, 1 << 20} {
				msgs, errs := decodeAll(t, NewDecoder(Limits{}), tt.stream, piece)
				if diff := cmp.Diff(tt.want, msgs); diff != "" {
					t.Errorf("pieces of %d: messages (-want +got):\n%s", piece, diff)
				}
				if diff := cmp.Diff(tt.errs, errs); diff != "" {
					t.Errorf("pieces of %d: errors (-want +got):\n%s", piece, diff)
				}
			}
		})
	}
}

func times(n int, line string) string { return strings.Repeat(line, n) }

// limitCases has a packet on each side of every limit.
var limitCases = []struct {
	name   string
	limits Limits
	at     string // a packet just at the limit
	over   string // one beyond
	err    string
}{
	{
		"line",
		Limits{Line: 50},
		"Event: A\r\nX: " + times(47, "x") + "\r\n\r\n", "Event: A\r\nX: " + times(48, "x") + "\r\n\r\n", "wire: line over the limit of 50 bytes",
	},
	{
		"headers",
		Limits{Headers: 5},
		"Event: A\r\n" + times(4, "X: 1\r\n") + "\r\n", "Event: A\r\n" + times(5, "X: 1\r\n") + "\r\n", "wire: headers over the limit of 5 lines",
	},
	{
		"an answer, which an event's limits do not bound",
		Limits{Headers: 2, Line: 30, Packet: 20, Answer: 65_000},
		"Response: A\r\n" + times(1, "X: "+times(64_982, "x")+"\r\n") + "\r\n", "Response: A\r\n" + times(1, "X: "+times(64_983, "x")+"\r\n") + "\r\n", "wire: answer over the limit of 65000 bytes",
	},
	{
		"an answer in one line",
		Limits{Answer: 100},
		"Response: A\r\nX: " + times(80, "x") + "\r\n\r\n", "Response: A\r\nX: " + times(98, "x") + "\r\n\r\n", "wire: answer over the limit of 100 bytes",
	},
	{
		"raw text",
		Limits{Headers: 2, Packet: 20, Answer: 60},
		"a queue\n" + times(4, "12345678901\n") + "\r\n", "a queue\n" + times(5, "12345678901\n") + "\r\n", "wire: answer over the limit of 60 bytes",
	},
	{
		"packet",
		Limits{Packet: 46},
		"Event: A\r\n" + times(6, "X: 1\r\n") + "\r\n", "Event: A\r\n" + times(6, "X: 1\r\n") + "Y:\r\n\r\n", "wire: packet over the limit of 46 bytes",
	},
	{
		"output",
		Limits{Packet: 48, Headers: 3, Answer: 119},
		"Response: Success\r\n" + times(10, "Output:1\r\n") + "\r\n", "Response: Success\r\n" + times(10, "Output:1\r\n") + "Output:\n\r\n", "wire: answer over the limit of 119 bytes",
	},
	{
		"old output in short lines, each of which counts what its index takes",
		Limits{Packet: 48, Answer: 119},
		"Response: Follows\r\n" + times(10, "1\n") + "--END COMMAND--\r\n\r\n", "Response: Follows\r\n" + times(13, "1\n") + "--END COMMAND--\r\n\r\n", "wire: answer over the limit of 119 bytes",
	},
	{
		"old output, blank lines in what is skipped",
		Limits{Packet: 48, Answer: 119},
		"Response: Follows\r\n" + times(8, "123456789\n") + "--END COMMAND--\r\n\r\n", "Response: Follows\r\n" + times(11, "123456789\n") + "\n\nPing\n--END COMMAND--\r\n\r\n", "wire: answer over the limit of 119 bytes",
	},
}

// Every limit at itself passes and at one more fails, and the packet behind is decoded whatever the pieces.
func TestLimits(t *testing.T) {
	const after = "Response: Success\r\nActionID: 1\r\nPing: Pong\r\n\r\n"
	for _, tt := range limitCases {
		t.Run(tt.name, func(t *testing.T) {
			for _, piece := range []int{1, 5, 1 << 20} {
				msgs, errs := decodeAll(t, NewDecoder(tt.limits), tt.at, piece)
				if len(errs) > 0 || len(msgs) != 1 {
					t.Errorf("at the limit, pieces of %d: %d messages, errors %q", piece, len(msgs), errs)
				}
				msgs, errs = decodeAll(t, NewDecoder(tt.limits), tt.over+after, piece)
				if diff := cmp.Diff([]string{tt.err}, errs); diff != "" {
					t.Errorf("over the limit, pieces of %d (-want +got):\n%s", piece, diff)
				}
				if len(msgs) != 1 || msgs[0].Lines[1][1] != "1" {
					t.Errorf("pieces of %d: did not recover at the next packet: %v", piece, msgs)
				}
			}
		})
	}
}

// Whatever is thrown away of a packet that is too large is counted, in whatever pieces it comes.
func TestDiscarded(t *testing.T) {
	over := "Event: A\r\n" + strings.Repeat("X: 1\r\n", 100) + "\r\n"
	for _, piece := range []int{1, 7, 100, 1 << 20} {
		d := NewDecoder(Limits{Headers: 5})
		msgs, errs := decodeAll(t, d, over+"Event: B\r\n\r\n", piece)
		if len(msgs) != 1 || len(errs) != 1 || d.Discarded() != uint64(len(over)) {
			t.Errorf("pieces of %d: %d messages, %v, %d bytes discarded of %d", piece, len(msgs), errs, d.Discarded(), len(over))
		}
	}
}

// Packets that wait behind one another in one large piece are each indexed from their own beginning.
func TestManyPacketsInOnePiece(t *testing.T) {
	const packets = 2000
	var text strings.Builder
	for i := range packets {
		fmt.Fprintf(&text, "Event: E\r\nText: %s\r\nNum: %d\r\n\r\n", strings.Repeat("x", 100), i)
	}
	d := NewDecoder(Limits{})
	d.Feed([]byte(text.String()))
	for i := range packets {
		m, err := d.Next()
		if err != nil || m.Get("Num") != strconv.Itoa(i) || m.Get("Event") != "E" || m.p.Wide {
			t.Fatalf("packet %d: %v, %v", i, see(&m), err)
		}
	}
}

func TestBanner(t *testing.T) {
	tests := []struct{ name, stream, err string }{
		{"Asterisk", "Asterisk Call Manager/5.0.5\r\n", ""},
		{"SSH, known at the first byte", "S", `wire: not an Asterisk manager: it greets with "S"`},
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", `wire: not an Asterisk manager: it greets with "HTTP/1.1 400 Bad Request"`},
		{"too long", "Asterisk Call Manager/" + strings.Repeat("1", 300), "wire: banner over the limit of 256 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := NewSessionDecoder(Limits{})
			d.Feed([]byte(tt.stream))
			m, err := d.Next()
			if tt.err == "" {
				if err != nil || m.Kind() != Banner {
					t.Fatalf("got %v, %v", m.Kind(), err)
				}
				return
			}
			if err == nil || err.Error() != tt.err {
				t.Fatalf("got %v, want %s", err, tt.err)
			}
			if _, again := d.Next(); again == nil || again.Error() != tt.err {
				t.Errorf("the error is not final: %v", again)
			}
		})
	}
}

// A clone outlives the buffer it was read from.
func TestCloneIsOwned(t *testing.T) {
	d := NewDecoder(Limits{})
	d.Feed([]byte("Event: Hangup\r\nChannel: PJSIP/1\r\n\r\n"))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	c := m.Clone()
	d.Feed([]byte(strings.Repeat("x", 4096)))
	if got := c.Get("channel"); got != "PJSIP/1" {
		t.Errorf("channel = %q", got)
	}
	if n := testing.AllocsPerRun(100, func() { c = c.Clone() }); n > 1 {
		t.Errorf("Clone allocates %v times", n)
	}
}

// A buffer that grew for one large packet shrinks again, and an index too.
func TestBufferShrinks(t *testing.T) {
	d := NewDecoder(Limits{})
	d.Feed([]byte("Response: Success\r\n" + strings.Repeat("Output: 1234567890\r\n", 50_000) + "\r\n"))
	if _, err := d.Next(); err != nil {
		t.Fatal(err)
	}
	for range 2 * shrinkAfter {
		d.Feed([]byte("Event: A\r\n\r\n"))
		for {
			if _, err := d.Next(); errors.Is(err, ErrMore) {
				break
			}
		}
	}
	if got := d.memory(); got > 2*smallBuffer {
		t.Errorf("an idle decoder holds %d bytes", got)
	}
}

func TestLookup(t *testing.T) {
	d := NewDecoder(Limits{})
	d.Feed([]byte("Event: X\r\nA: 1\r\na: 2\r\nEmpty: \r\n\r\n"))
	m, _ := d.Next()
	if got := slices.Collect(m.Values("A")); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("Values = %q", got)
	}
	if v, ok := m.Lookup("empty"); v != "" || !ok {
		t.Errorf("Lookup(empty) = %q, %v", v, ok)
	}
	if _, ok := m.Lookup("absent"); ok {
		t.Error("Lookup found an absent header")
	}
}

// A banner counts no lines of the packet before it.
func TestBannerBehindALongPacket(t *testing.T) {
	d := NewDecoder(Limits{})
	d.Feed([]byte("Response: Success\r\n" + strings.Repeat("Line-000000-000000: x\r\n", 2000) + "\r\n"))
	m, err := d.Next()
	if err != nil || m.Len() != 2001 {
		t.Fatal(m.Len(), err)
	}
	d.Feed([]byte("Asterisk Call Manager/11.0.0\r\nEvent: FullyBooted\r\n\r\n"))
	m, err = d.Next()
	if err != nil || m.Kind() != Banner {
		t.Errorf("%v, %v", m.Kind(), err)
	}
	m, err = d.Next()
	t.Log(m.Kind(), m.Name(), err)
}

func TestManyBanners(t *testing.T) {
	d := NewDecoder(Limits{})
	for i := range 2000 {
		d.Feed([]byte("Asterisk Call Manager/11.0.0\r\n"))
		if m, err := d.Next(); err != nil || m.Kind() != Banner {
			t.Fatalf("banner %d: %v, %v", i, m.Kind(), err)
		}
	}
}

// An answer too long for a narrow index is the same behind other packets in the buffer as alone.
func TestLongAnswerBehindAnother(t *testing.T) {
	var long strings.Builder
	long.WriteString("Response: Success\r\nActionID: 7\r\n")
	for i := range 3000 {
		fmt.Fprintf(&long, "Output: %d %s\r\n", i, strings.Repeat("x", i%60))
	}
	long.WriteString("\r\n")
	event := "Event: Tick\r\nPrivilege: call,all\r\nValue: 1\r\n\r\n"
	want, errs := decodeAll(t, NewDecoder(Limits{}), long.String(), long.Len())
	if len(want) != 1 || len(want[0].Output) != 3000 || len(errs) > 0 {
		t.Fatalf("alone it is %d messages, %q", len(want), errs)
	}
	for _, before := range []int{1, 2, 50} {
		stream := strings.Repeat(event, before) + long.String() + event
		got, errs := decodeAll(t, NewDecoder(Limits{}), stream, len(stream))
		if len(got) != before+2 || len(errs) > 0 {
			t.Fatalf("behind %d: %d messages, %q", before, len(got), errs)
		}
		if diff := cmp.Diff(want[0], got[before]); diff != "" {
			t.Errorf("behind %d: %s", before, diff)
		}
	}
}
