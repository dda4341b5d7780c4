package ami

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	matchExprs = []string{
		"(?i)pjsip/100", "(?i)^pjsip/", "(?i)100$", "(?i)^PJSIP/[0-9]+-[0-9a-f]+$", "(?i)busy|no answer|FAILED", "(?i)(?:sip|iax2)/\\w+", "(?i)a.*z",
		"(?i)straße", "(?i)MÜLLER", "(?i)kelvin", "(?i)[k-s]+x", "(?i)[^k]x", "(?i)\\bsales\\b", "(?i)\\Bk", "(?i)k$", "(?i)\\W", "(?i)s{2,3}", "(?i)(ab?c*)+d",
		"(?i:foo)bar", "foo(?i)BAR", "(?i)foo(?-i)[A-C]+", "(?i)x(?s:.)Y", "(?mi)^b$", "(?U)(?i)a+b", "(?i)", "(?i)1234", "(?i)[[:upper:]]+q", "(?i)\\p{Lu}b",
		"(?i)\\x{212A}elvin", "(?i)ſ", "(?i)[\\x{212A}x]y", "(?i)Ǆ", "plain", "[A-Z]x", "(?i)\\Qa.B\\E", "(?i)a|(?-i:B)", "(?i)[A-Y]z", "(?i:[a-y])Z", "(?i)^$", "(?i)иван", "(?i)^[а-я]+$", "(?i)Å", "(?i)ång", "(?i)[å-ö]x", "[Å-Ö]x(?i)y", "(?i)ΣΑΣ", "(?i)ⱥx", "(?i)\u1c80x", "(?i)ա", "(?i)Ωhm", "[^a](?i)b", "(?i)ⓐ",
		"(?i)(?i)@x",
	}
	matchTexts = []string{
		"", "PJSIP/100-0000001a", "pjsip/100-0000001A", "pJsIp/100", "xPJSIP/100", "NO ANSWER", "Failed", "No Answered", "SIP/x", "iax2/Y", "AzA", "STRASSE", "STRAẞE", "Straße",
		"müller", "MÜLLER", "Müller", "\u212aELVIN", "kelvin", "KELVIN", "\u017fx", "Sales, fra", "asales", "SALES", "k", "K", "\u212a", "ſ", "ſſ", "sSſ", "ABCABD", "FOObar", "FOOBAR",
		"fooBAR", "foobar", "fooABC", "Fooabc", "x\ny", "a\nB\nc", "AAb", "1234", "ABq", "Ab", "ǅ", "ǆ", "PLAIN", "plain", "Ax", "ax", "A.b", "aXb", "B", "b", "Az", "aZ", "AZ", "Zz",
		"\xffKELVIN\xc5", "\xc5\xbf", "@X", "Kx", "kx", "Иван", "ИВАН", "иваН Ив", "\u1c80X", "\u0432x", "ВX", "ÅNG", "\u212bNG", "ång", "Öx", "öY", "ÖxY", "öXY", "σας", "Σας", "ⱥX", "ȺX", "Ա", "ΩHM", "\u2126hm", "ωhm",
		"AB", "aB", "Ⓐ", "pbx.example.net PJSIP/1", "@AZ[`az{@AZ[`az{~", "12345678K", "1234567Ü8X/", "pbx.example.neT", "pbx.exampLe.net",
	}
)

// A textMatcher says what package regexp says, whatever expression and text.
func TestTextMatcher(t *testing.T) {
	folded := 0
	for _, expr := range matchExprs {
		m, err := newTextMatcher(expr)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		if m.folded != nil {
			folded++
		}
		plain := regexp.MustCompile(expr)
		for _, s := range matchTexts {
			if got, want := m.match(s), plain.MatchString(s); got != want {
				t.Errorf("%s on %q: %v (by %v, exact %v)", expr, s, got, m.folded, m.exact)
			}
		}
	}
	if folded < len(matchExprs)*2/3 {
		t.Errorf("only %d expressions were folded", folded)
	}
	for expr, exact := range map[string]bool{"(?i)^pjsip/[0-9a-f]+$": true, "(?i)[a-z]x": true, "(?i:foo)bar": false, "(?i:foo)[A-C]": false, "(?i:foo)[0-9]": true} {
		if m, err := newTextMatcher(expr); err != nil || m.exact != exact || m.folded == nil {
			t.Errorf("%s: exact %v, %v", expr, m.exact, err)
		}
	}
	for _, expr := range []string{"foo", "(?i)123", "[A-Z]+"} {
		if m, err := newTextMatcher(expr); err != nil || m.folded != nil {
			t.Errorf("%s: folded to %v", expr, m.folded)
		}
	}
	long := strings.Repeat("A", maxFoldBuffer+1) + "B"
	if m, err := newTextMatcher("(?i)ab$"); err != nil || !m.match(long) {
		t.Error("a long text does not match")
	}
}

func FuzzTextMatcher(f *testing.F) {
	for i, expr := range matchExprs {
		f.Add(expr, matchTexts[i%len(matchTexts)])
		f.Add("(?i)"+expr, matchTexts[(i*7)%len(matchTexts)])
	}
	f.Fuzz(func(t *testing.T, expr, s string) {
		plain, err := regexp.Compile(expr)
		if err != nil {
			return
		}
		m, err := newTextMatcher(expr)
		if err != nil {
			t.Fatalf("%q: %v", expr, err)
		}
		for _, s := range []string{s, strings.ToUpper(s), expr} {
			if got, want := m.match(s), plain.MatchString(s); got != want {
				t.Fatalf("%q on %q: %v (by %v, exact %v)", expr, s, got, m.folded, m.exact)
			}
		}
	})
}

// BenchmarkWhereFold compares conditions with (?i) and without on the same event: the former have at least 0.5 of the
// latter's rate.
func BenchmarkWhereFold(b *testing.B) {
	m := wherePacket(b, "Event: Hangup", "Privilege: call,all", "Channel: PJSIP/100-0000001a", "ChannelState: 6", "ChannelStateDesc: Up", "CallerIDNum: 100",
		"CallerIDName: Ann Bee Müller", "ConnectedLineNum: <unknown>", "ConnectedLineName: Анна Иванова", "Language: en", "AccountCode: ", "Context: from-internal",
		"Exten: 200", "Priority: 1", "Uniqueid: 1700000000.1", "Linkedid: 1700000000.1", "Cause: 16", "Cause-txt: Normal Clearing",
		"Long: "+strings.Repeat("${IF($[${CDR(Duration)} > 10]?Yes:no)},", 20), "Low: "+strings.Repeat("a small text, ", 50))
	for _, tt := range []struct{ name, expr string }{
		{"prefix", "Channel=~%s^PJSIP/"},
		{"prefixMiss", "Channel=~%s^Local/"},
		{"word", "Channel=~%s100-"},
		{"wordMiss", "Channel=~%svoicemail"},
		{"wordLate", "Cause-txt=~%sClearing"},
		{"whole", "Channel=~%s^PJSIP/[0-9]+-[0-9a-f]+$"},
		{"tail", "Channel=~%sPJSIP/[0-9]+-"},
		{"choice", "Cause-txt=~%sBusy|Normal|Failed"},
		{"choiceMiss", "Cause-txt=~%sBusy|Congestion|Failed"},
		{"class", "Channel=~%s[A-Z]+/[0-9]{3}-"},
		{"utf8", "CallerIDName=~%sMüller"},
		{"utf8Miss", "CallerIDName=~%sSmith"},
		{"cyrillic", "ConnectedLineName=~%sИванов"},
		{"cyrillicMiss", "ConnectedLineName=~%sПетров"},
		{"long", "Long=~%svoicemail"},
		{"longCommon", "Long=~%sDurations"},
		{"low", "Low=~%svoicemail"},
		{"any", "*=~%sClearing"},
		{"anyMiss", "*=~%svoicemail"},
		{"event", "event=~%s^Hang && Channel=~%[1]sx"},
	} {
		var w [2]*Where
		for i, flag := range []string{"", "(?i)"} {
			var err error
			if w[i], err = ParseWhere(fmt.Sprintf(tt.expr, flag)); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			var took [2]time.Duration
			for b.Loop() { // in turns, so that a busy machine slows both
				for i := range w {
					start := time.Now()
					for range 100 {
						w[i].Match("pbx1", m)
					}
					took[i] += time.Since(start)
				}
			}
			b.ReportMetric(float64(took[0])/float64(took[1]), "of-plain-rate")
		})
	}
}
