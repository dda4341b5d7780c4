package redact

import (
	"strings"
	"testing"

	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func event(t testing.TB, packet string) (wire.Message, bool) {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(packet))
	m, err := d.Next()
	return m, err == nil
}

// tellingEvents hold a secret each, in every way that MayHide has to look for.
var tellingEvents = []string{
	"Secret: x", "AdminPin: 1", "X-Token:abc", "Value: 1\r\nVariable: SIP_PASSWORD", "Variable: SIP_PASSWORD\r\nValue: 1",
	"Key: 0123456789abcdef0123456789abcdef", "Response: 0123456789abcdef0123456789abcdef", "Action: Login\r\nKey: 1", "Key: my/secret\r\nVal: 1",
	"Var-000000: secret\r\nValue-000000: x", "Var-0 0: secret\r\nMatch-000000: x", "Match-0: x\r\nVar-1: password",
	"ChanVariable: PASSWORD=x", "ChanVariable(PJSIP/a-1): sec ret=x", "DestChanVariable: register => a:b@c", "Line-000000-000001: secret=x",
	"Variable: a=1,sec ret=2", "Output: secret : x", "Command: database put a pin 1", "Command: dialplan set global PASSWORD x",
	"AppData: PASSWORD=x", `AppData: {"a":{"password":"x"}}`, `AppData: {\"token\":\"x\"}`, "AppData: a,b=1;auth token:x", "URI: sip:100:pw@host",
	"URI: <sips:100:pw@host>", "Data: SIP/u:pw@host", "Data: https://u:pw@host/", "data=1&pin=2", "bare secret=1", ": token=x", "a#ha1:x",
	"X: a hunter2x b", "hunter2x: 1", "X: aHVudGVyMng", " Key : 0123456789abcdef0123456789abcdef", "Var-" + strings.Repeat("n", 5000) + ": secret\r\nValue-1: x",
	`X: a\"password\"=x`, "sip:u:pw@host", "X:sip:u:pw@host", "a b: c\r\nRegister: password = x",
}

// slowText is Text made the obvious way: each line of a packet is looked at whole, whatever its name says.
func slowText(r *Redactor, text string) string {
	spans := r.known.find(nil, text)
	rest, begins := text, true
	var facts packetFacts
	for rest != "" {
		line, behind, _ := strings.Cut(rest, "\n")
		if line = strings.TrimSuffix(line, "\r"); line == "" {
			begins = true
		} else {
			if begins {
				facts, begins = r.facts(rest), false
			}
			spans = r.lineSpans(spans, len(text)-len(rest), facts, line)
		}
		rest = behind
	}
	return r.render(text, spans)
}

// An event that holds a secret is never taken for one without.
func TestMayHideFindsSecrets(t *testing.T) {
	r := testRedactor(t, Config{Secrets: []Secret{NewSecret("hunter2x")}})
	for _, lines := range tellingEvents {
		m, ok := event(t, "Event: A\r\nChannel: PJSIP/1\r\n"+lines+"\r\nX: y\r\n\r\n")
		if !ok {
			t.Fatalf("%.80q is no packet", lines)
		}
		want := slowText(r, m.Text())
		if want == m.Text() {
			t.Errorf("%.80q holds no secret", lines)
		}
		if got := r.Text(m.Text()); got != want {
			t.Errorf("%.80q becomes %q, want %q", lines, got, want)
		}
		for range 2 { // the second time by what is remembered of the names
			if !r.MayHide(&m) {
				t.Errorf("%.80q: taken for an event without a secret", lines)
			}
		}
	}
}

// Events as they are usual are told from such with secrets at once, and without allocations.
func TestMayHideKnowsHarmlessEvents(t *testing.T) {
	r := testRedactor(t, Config{Secrets: []Secret{NewSecret("hunter2x")}, Keys: []string{"ssn"}})
	for _, s := range shapes.All() {
		for _, packet := range s.Packets() {
			m, _ := event(t, packet)
			if r.MayHide(&m) && r.Text(m.Text()) == m.Text() {
				t.Errorf("%s: needs a closer look: %q", s.Name, m.Text())
			}
		}
		m, _ := event(t, s.Packets()[0])
		if n := testing.AllocsPerRun(10, func() { r.MayHide(&m) }); n > 0 && !strings.Contains(s.Name, "names") {
			t.Errorf("%s: %v allocations", s.Name, n)
		}
	}
}

// What MayHide lets pass is what Text leaves as it is, and Text hides what the obvious way hides.
func FuzzMayHide(f *testing.F) {
	for _, lines := range tellingEvents {
		f.Add(lines, "hunter2x", "ssn")
	}
	f.Add("Variable: a\r\nValue: pass\r\nb : c\r\nURI: sip:100@host;x=1:2@3", "x: y", "a")
	f.Add("Key: pin\r\n\r\nVal: 1\r\n\r\nVal : 2\r\nKey: pin", "x: y", "")
	f.Add("Line-000000-000001: register=joe:pw@h\r\nJSON: {\"a\":[\"auth\":\"a:b@c\",\"conf\":\"1,2\",\"100\":\"4242,x\"]}", "x: y", "")
	f.Add("Var-000000: register\r\nValue-000000: joe\r\nText: auth=a#b@c", "x: y", "")
	f.Add("Line-0: 100=42,x\r\nLine-1: agent => 1,2,3\r\nx: IAX2,dundi:pw/x@h", "x: y", "")
	f.Fuzz(func(t *testing.T, lines, secret, key string) {
		cfg := Config{Secrets: []Secret{NewSecret(secret)}}
		if key != "" && alnum(key[0]) {
			cfg.Keys = []string{key}
		}
		r := testRedactor(t, cfg)
		for range 2 { // the second time by what is remembered of the names
			if got, want := r.Text(lines), slowText(r, lines); got != want {
				t.Fatalf("%q becomes %q, want %q", lines, got, want)
			}
			m, ok := event(t, "Event: A\r\n"+lines+"\r\n\r\n")
			if ok && !r.MayHide(&m) && slowText(r, m.Text()) != m.Text() {
				t.Fatalf("%q passes, and should become %q", m.Text(), slowText(r, m.Text()))
			}
		}
	})
}

func BenchmarkRedact(b *testing.B) {
	r := testRedactor(b, Config{Secrets: []Secret{NewSecret("hunter2x")}})
	for _, s := range shapes.All() {
		b.Run(s.Name, func(b *testing.B) {
			var all []wire.Message
			for _, p := range s.Packets() {
				m, _ := event(b, p)
				all = append(all, m.Clone())
			}
			n := 0
			for b.Loop() {
				if m := &all[n%len(all)]; r.MayHide(m) {
					r.Text(m.Text())
				}
				n++
			}
			each := float64(b.Elapsed().Nanoseconds()) / float64(n)
			b.ReportMetric(each/s.Bytes(), "ns/byte")
			b.ReportMetric(each/s.Headers(), "ns/header")
		})
	}
}
