package amitest

import (
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What one fault does to the answers of three Pings sent together.
func TestAnswerFaults(t *testing.T) {
	ok := func(id string) string { return "Response: Success\nActionID: " + id + "\nPing: Pong" }
	for _, tt := range []struct {
		fault string
		want  []string
		fate  string
	}{
		{"dup", []string{ok("1"), ok("1"), ok("2"), ok("3")}, "open"},
		{"dup skip=1", []string{ok("1"), ok("2"), ok("2"), ok("3")}, "open"},
		{"dup nth=2 times=always", []string{ok("1"), ok("2"), ok("2"), ok("3")}, "open"},
		{"foreign", []string{"Response: Success\nActionID: somebody-else-1\nMessage: Not yours", ok("1"), ok("2"), ok("3")}, "open"},
		{"foreign message=mine", []string{"Response: Success\nActionID: mine\nMessage: Not yours", ok("1"), ok("2"), ok("3")}, "open"},
		{"wrongid", []string{ok("1-wrong"), ok("2"), ok("3")}, "open"},
		{"noid times=2", []string{"Response: Success\nPing: Pong", "Response: Success\nPing: Pong", ok("3")}, "open"},
		{"drop skip=2", []string{ok("1"), ok("2")}, "open"},
		{"truncate bytes=20", []string{"Response: Success\nA", ok("2"), ok("3")}, "open"},
		{"truncate bytes=19 raw", []string{"Response: Success\n" + ok("2"), ok("3")}, "open"},
		{"refuse message=\"No way\"", []string{"Response: Error\nActionID: 1\nMessage: No way", ok("2"), ok("3")}, "open"},
		{"refuse action=pong", []string{ok("1"), ok("2"), ok("3")}, "open"},
		{"reorder window=3", nil, "open"},
		{"rst after=60", nil, "reset"},
		{"fin after=60", nil, "EOF"},
		{"rst action=ping skip=1", nil, "reset"},
		{"fin action=ping", nil, "EOF"},
		{"segment bytes=1", []string{ok("1"), ok("2"), ok("3")}, "open"},
		{"segment bytes=7 gap=3ms", []string{ok("1"), ok("2"), ok("3")}, "open"},
		{"coalesce for=50ms", []string{ok("1"), ok("2"), ok("3")}, "open"},
		{"latency fixed=20ms jitter=5ms tail=1ms", []string{ok("1"), ok("2"), ok("3")}, "open"},
		{"slow fixed=1s", []string{ok("1"), ok("2"), ok("3")}, "open"},
		{"stall for=5s", []string{ok("1"), ok("2"), ok("3")}, "open"},
		{"stall for=5s action=ping", []string{ok("1"), ok("2"), ok("3")}, "open"},
		{"halfopen", []string{}, "open"},
		{"halfopen action=ping skip=1", []string{}, "open"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := mem(t, "off")
				synctest.Wait()
				if err := s.InjectText(tt.fault); err != nil {
					t.Fatal(err)
				}
				c.send("Action: Ping\r\nActionID: 1\r\n\r\nAction: Ping\r\nActionID: 2\r\n\r\nAction: Ping\r\nActionID: 3\r\n\r\n")
				got, fate := c.drain(20 * time.Second)
				if fate != tt.fate {
					t.Errorf("connection %s, want %s", fate, tt.fate)
				}
				if tt.want == nil {
					return
				}
				if diff := cmp.Diff(tt.want, packetsOf(got)); diff != "" {
					t.Errorf("%s\nraw: %q", diff, got)
				}
			})
		})
	}
}

// drain reads for a while and says how the connection then is.
func (c *client) drain(d time.Duration) (text, fate string) {
	_ = c.conn.SetReadDeadline(time.Now().Add(d))
	b, err := io.ReadAll(c.r)
	switch {
	case err == nil:
		return string(b), "EOF"
	case errors.Is(err, syscall.ECONNRESET):
		return string(b), "reset"
	}
	return string(b), "open"
}

// packetsOf splits text into packets and drops their time stamps.
func packetsOf(text string) []string {
	ps := []string{}
	for p := range strings.SplitSeq(text, "\r\n\r\n") {
		p, _, _ = strings.Cut(p, "\r\nTimestamp: ")
		if p != "" {
			ps = append(ps, strings.ReplaceAll(p, "\r\n", "\n"))
		}
	}
	return ps
}

func TestCutAfterBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := mem(t, "off")
		synctest.Wait()
		s.Inject(Fault{Kind: faultReset, After: 25})
		c.send("Action: Ping\r\n\r\n")
		got, fate := c.drain(time.Second)
		if want := "Response: Success\r\nPing: "; got != want || fate != "reset" {
			t.Errorf("got %q, then %s", got, fate)
		}
		synctest.Wait() // bytes are counted behind the write
		if l := s.Ledger(); l.RepliesSent != 1 || l.BytesOut != uint64(len("Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nMessage: Authentication accepted\r\n\r\n")+25) {
			t.Errorf("ledger counts %d replies, %d bytes", l.RepliesSent, l.BytesOut)
		}
	})
}

func TestReorderKeepsEveryAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := mem(t, "off")
		s.Inject(Fault{Kind: faultReorder, Window: 4})
		var b strings.Builder
		want := map[string]int{}
		for _, id := range strings.Fields("a b c d e f g h i j") {
			b.WriteString("Action: Ping\r\nActionID: " + id + "\r\n\r\n")
			want["Response: Success\nActionID: "+id+"\nPing: Pong"]++
		}
		c.send(b.String())
		text, _ := c.drain(time.Second)
		got := map[string]int{}
		for _, p := range packetsOf(text) {
			got[p]++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if strings.HasPrefix(text, "Response: Success\r\nActionID: a\r\n") && strings.Index(text, "ID: b\r\n") < strings.Index(text, "ID: c\r\n") &&
			strings.Index(text, "ID: c\r\n") < strings.Index(text, "ID: d\r\n") {
			t.Error("in order all the same")
		}
	})
}

// Latency delays, it does not limit: what is sent together arrives together.
func TestLatencyPipelines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := mem(t, "off")
		s.Inject(Fault{Kind: faultLatency, Fixed: 100 * time.Millisecond})
		start := time.Now()
		for range 10 {
			c.send("Action: Ping\r\n\r\n")
			time.Sleep(10 * time.Millisecond)
		}
		for range 10 {
			c.packet()
		}
		if d := time.Since(start); d != 190*time.Millisecond {
			t.Errorf("took %v", d)
		}
	})
}

func TestLoginFaults(t *testing.T) {
	for _, tt := range []struct {
		fault, want string
		after       time.Duration
	}{
		{"slowlogin for=7s", "Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nMessage: Authentication accepted\r\n\r\n", 7 * time.Second},
		{"refuselogin", "Asterisk Call Manager/11.0.0\r\nResponse: Error\r\nMessage: Authentication failed\r\n\r\n", time.Second},
		{"authlimit", "", 0},
		{"banner message=\"Hello\\r\\nResponse: Error\\r\\n\\r\\n\"", "Hello\r\nResponse: Error\r\n\r\nResponse: Success\r\nMessage: Authentication accepted\r\n\r\n", 0},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := NewNetwork()
				f, err := ParseFault(tt.fault)
				if err != nil {
					t.Fatal(err)
				}
				s := NewServer(WithNetwork(n), WithName("pbx1"), WithSetup(func(s *Server) { s.Inject(f) }))
				defer s.Close()
				c := wrap(t, dialMem(t, n, "pbx1:5038"))
				start := time.Now()
				_, _ = c.conn.Write([]byte("Action: Login\r\nUsername: admin\r\nSecret: secret\r\nEvents: off\r\n\r\n"))
				buf := make([]byte, 4096)
				var got string
				_ = c.conn.SetReadDeadline(time.Now().Add(8 * time.Second))
				last := start
				for {
					k, err := c.conn.Read(buf)
					got += string(buf[:k])
					if err != nil {
						break
					}
					last = time.Now()
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
				if d := last.Sub(start); d != tt.after {
					t.Errorf("took %v, want %v", d, tt.after)
				}
			})
		})
	}
}

func TestServerFaults(t *testing.T) {
	for _, tt := range []struct {
		fault, want, fate string
	}{
		{"restart for=1s", "Event: Shutdown", "EOF"},
		{"slowreader", "Event: Newexten", "EOF"},
		{"garbage now bytes=100", "", "open"},
		{"oversize now bytes=1000", "Event: UserEvent", "open"},
		{"truncate now bytes=30", "Event: Hangup", "open"},
		{"foreign now", "Event: OriginateResponse", "open"},
		{"newline message=\"a\\r\\n\\r\\nResponse: Success\"", "Event: UserEvent", "open"},
		{"flap period=1s for=1s times=2", "", "EOF"},
		{"rst", "", "reset"},
		{"fin", "", "EOF"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c := mem(t, "on")
				c.packet() // FullyBooted
				c.packet() // SuccessfulAuth
				if err := s.InjectText(tt.fault); err != nil {
					t.Fatal(err)
				}
				got, fate := c.drain(5 * time.Second)
				if !strings.HasPrefix(got, tt.want) || fate != tt.fate {
					t.Errorf("got %q, then %s", got, fate)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

func TestFloodIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := mem(t, "call,dialplan", WithEventNumbers())
		synctest.Wait()
		start := time.Now()
		s.Inject(Fault{Kind: faultFlood, Rate: 20000, Count: 20000})
		for range 20000 {
			if got := c.packet(); !strings.HasPrefix(got, "Event: Newexten") {
				t.Fatalf("got %q", got)
			}
		}
		if d := time.Since(start).Round(2 * time.Millisecond); d != time.Second {
			t.Errorf("took %v", d)
		}
		l := s.Ledger()
		if diff := cmp.Diff([]Range{{2, 20001}}, l.BySession[0].Written); diff != "" || l.EventsWritten != 20000 {
			t.Error(l.EventsWritten, diff)
		}
	})
}

func TestFaultTextRoundTrip(t *testing.T) {
	for seed := range uint64(50) {
		for _, f := range randomFaults(seed, 20) {
			got, err := ParseFault(f.String())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(f, got); diff != "" {
				t.Errorf("%s: %s", f, diff)
			}
		}
	}
	if diff := cmp.Diff(randomFaults(7, 20), randomFaults(7, 20)); diff != "" {
		t.Error("the seed does not decide", diff)
	}
}

func TestParseFaultRefuses(t *testing.T) {
	for _, line := range []string{
		"", "nosuch", "latency fixed", "latency fixed=20", "latency fixed=-1s", "rst after=x", "rst after=-1",
		"dup times=0x", "dup nosuch=1", "dup chance=NaN", "dup raw=maybe", "refuse message=\"x", "dup nth=1 nth=2", "dup kind=rst",
	} {
		if f, err := ParseFault(line); err == nil {
			t.Errorf("%q read as %v", line, f)
		}
	}
}
