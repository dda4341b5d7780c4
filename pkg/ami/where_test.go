package ami

import (
	"errors"
	"strings"
	"testing"

	"github.com/apntalk/amictl/pkg/ami/wire"
)

// wherePacket decodes one packet of the lines.
func wherePacket(t testing.TB, lines ...string) *wire.Message {
	t.Helper()
	d := wire.NewDecoder(wire.Limits{})
	d.Feed([]byte(strings.Join(lines, "\r\n") + "\r\n\r\n"))
	m, err := d.Next()
	if err != nil {
		t.Fatal(err)
	}
	m = m.Clone()
	return &m
}

func TestWhereMatch(t *testing.T) {
	hangup := wherePacket(t, "Event: Hangup", "Channel: PJSIP/100-0001", "Cause: 16", "Empty: ", "CallerIDName: Ann \"A\" \\ Bee",
		"Amp: SIP/a&SIP/b", "Num: 007.50", "Big: 9007199254740993", "Neg: -3", "Spaced:  12 ", "Word: 1e3", "Node: header", "Event: second",
		"ChanVariable: a=1", "ChanVariable: b=2", "ChanVariable(PJSIP/a): x=1", "Dot: .", "a bare line")
	reply := wherePacket(t, "Response: Success", "Event: NotThat", "Cause: 16")
	for _, tt := range []struct {
		expr string
		want bool
	}{
		{"Cause=16", true},
		{"cause=16", true},
		{"CAUSE = 16", true},
		{"  Cause\t=  16  ", true},
		{"Cause=1", false},
		{"Cause!=16", false},
		{"Cause!=17", true},
		{"Cause=16 && Channel=~^PJSIP/", true},
		{"Cause=16&&Channel=~^SIP/", false},
		{"Cause=17&&Channel=~^PJSIP/", false},
		{"Channel=~0.-", true}, // not anchored
		{"Channel=~^00", false},
		{"Channel!~PJSIP", false},
		{"Channel!~^SIP", true},
		{"Channel=pjsip/100-0001", false}, // values do not fold
		{`Channel=~"\d{3}-\d+$"`, true},
		{`Channel=~"\\d{3}-"`, true},
		// absent
		{"Nope=1", false},
		{"Nope=", false},
		{"Nope!=1", true},
		{"Nope=~.*", false},
		{"Nope!~.*", true},
		{"Nope<1", false},
		{"Nope>=0", false},
		// empty
		{"Empty=", true},
		{`Empty=""`, true},
		{"Empty= && Cause=16", true},
		{"Empty!=", false},
		{"Cause=", false},
		{"Empty<1", false},
		// quoting
		{`CallerIDName="Ann \"A\" \\ Bee"`, true},
		{`CallerIDName=~"&& nonsense"`, false},
		{"Amp=SIP/a&SIP/b", true},
		{`Amp="SIP/a&SIP/b" && Cause = "16"`, true},
		{`Channel=" PJSIP/100-0001"`, false},
		// numbers
		{"Cause>15", true},
		{"Cause>16", false},
		{"Cause>=16", true},
		{"Cause<17", true},
		{"Cause<=15", false},
		{"Cause<=16.0", true},
		{"Cause<9", false}, // not compared as text
		{"Num>7.4", true},
		{"Num<7.51", true},
		{"Num>=7.5", true},
		{"Num>7.5", false},
		{"Big>9007199254740992", true}, // over a float64
		{"Neg<-2", true},
		{"Neg<-4", false},
		{"Neg<0", true},
		{"Neg>-3.5", true},
		{"Neg>+1", false},
		{"Spaced=12", false},
		{"Spaced>=12", true},
		{"Word>0", false},
		{"Word<0", false},
		{"Channel<1", false},
		{"Dot<1", false},
		{"Dot>=0", false},
		// repeated
		{"ChanVariable=b=2", true},
		{"ChanVariable=c=3", false},
		{"ChanVariable!=b=2", false}, // no header equals it: one does
		{"ChanVariable!=c=3", true},
		{"ChanVariable=~^b", true},
		{"ChanVariable!~^b", false},
		{"ChanVariable(PJSIP/a)=x=1", true},
		{"Event=second", false},
		// node and event
		{"node=pbx1", true},
		{"NODE=PBX1", false},
		{"node=header", false},
		{"node=~^pbx", true},
		{"node!=pbx1", false},
		{"event=Hangup", true},
		{"Event=hangup", true},
		{"event=~^HANG", true},
		{"event!=HANGUP", false},
		{"event!~hang|x", false},
		{"event=~x|HANG", true},
		{"event!=Dial", true},
	} {
		w, err := ParseWhere(tt.expr)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		if got := w.Match("pbx1", hangup); got != tt.want {
			t.Errorf("%s: %v", tt.expr, got)
		}
		again, err := ParseWhere(w.String())
		if err != nil {
			t.Errorf("%s: its String %s: %v", tt.expr, w, err)
		} else if again.Match("pbx1", hangup) != tt.want {
			t.Errorf("%s: its String %s differs", tt.expr, w)
		}
	}
	for expr, want := range map[string]bool{"event=Success": false, "event=NotThat": false, "event!=Hangup": true, "cause=16": true, "response=Success": true} {
		if w, err := ParseWhere(expr); err != nil || w.Match("pbx1", reply) != want {
			t.Errorf("%s on a response: %v, not %v", expr, err, want)
		}
	}
}

func TestParseWhereErrors(t *testing.T) {
	for _, tt := range []struct {
		expr   string
		offset int
		want   string
	}{
		{"", 0, "name of a field"},
		{"   ", 3, "name of a field"},
		{"=16", 0, "name of a field"},
		{"Cause", 5, `expected one of = != =~ !~ < <= > >= behind the field "Cause"`},
		{"Cause 16", 8, "expected one of"},
		{"Cause!16", 5, "expected one of"},
		{"Cause && A=1", 6, "expected one of"},
		{"Cause=16 &&", 11, "name of a field"},
		{"Cause=16 && && A=1", 12, "name of a field"},
		{"Cause=16 && é", 14, "expected one of"},
		{"Cause==16", 6, "begins with = has to be quoted"},
		{"Cause=>16", 6, "begins with > has to be quoted"},
		{`A="x`, 2, "closes"},
		{`A="x\"`, 2, "closes"},
		{`A="x" y`, 6, "expected && or the end"},
		{`A="x" & B=1`, 6, "expected && or the end"},
		{`A=x"y"`, 3, `no "`},
		{`"A"=1`, 0, "name of a field"},
		{"A=~(", 3, "missing closing )"},
		{"A!~ *", 4, "missing argument"},
		{"event=~*", 7, "missing argument"},
		{"A<b", 2, "expected a number behind <"},
		{"A>=", 3, "expected a number behind >="},
		{"A>1e3", 2, "expected a number"},
		{"A>NaN", 2, "expected a number"},
		{"A>0x10", 2, "expected a number"},
		{"A>1.2.3", 2, "expected a number"},
		{"A>-", 2, "expected a number"},
	} {
		w, err := ParseWhere(tt.expr)
		var we *WhereError
		if !errors.As(err, &we) {
			t.Errorf("%s: parsed to %v (%v)", tt.expr, w, err)
			continue
		}
		if we.Offset != tt.offset || !strings.Contains(we.Want, tt.want) {
			t.Errorf("%s: at %d %q, want at %d %q", tt.expr, we.Offset, we.Want, tt.offset, tt.want)
		}
	}
	_, err := ParseWhere("é && A=1")
	if want := `ami: where: character 3 of "é && A=1": expected one of`; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s…", err, want)
	}
}

func TestWhereAnd(t *testing.T) {
	m := wherePacket(t, "Event: Hangup", "A: 1", "B: 2")
	parse := func(s string) *Where {
		w, err := ParseWhere(s)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	var none *Where
	a, b, c := parse("A=1"), parse("B=2"), parse("B=3")
	for _, tt := range []struct {
		w    *Where
		want bool
		text string
	}{
		{none, true, ""},
		{none.And(nil), true, ""},
		{none.And(c), false, "B=3"},
		{c.And(none), false, "B=3"},
		{a.And(b), true, "A=1 && B=2"},
		{a.And(c), false, "A=1 && B=3"},
		{c.And(a), false, "B=3 && A=1"},
		{a.And(b).And(parse(`C!="x y"`)), true, `A=1 && B=2 && C!="x y"`},
	} {
		if got := tt.w.Match("", m); got != tt.want || tt.w.String() != tt.text {
			t.Errorf("%s: %v, want %s: %v", tt.w, got, tt.text, tt.want)
		}
	}
	// And of one base must not write into the other's conditions.
	base := parse("A=1 && B=2 && B=2") // its slice has room for a fourth
	x, y := base.And(parse("X=1")), base.And(parse("Y=1"))
	if x.String() != "A=1 && B=2 && B=2 && X=1" || y.String() != "A=1 && B=2 && B=2 && Y=1" {
		t.Errorf("%s; %s", x, y)
	}
}

func TestWhereMatchDoesNotAllocate(t *testing.T) {
	m := wherePacket(t, "Event: Hangup", "Channel: PJSIP/100-0001", "Cause: 16", "ChanVariable: a=1", "ChanVariable: b=2", "Word: x1")
	w, err := ParseWhere("event=hangup && node!=x && Channel=~^PJSIP/ && Cause>=15.5 && ChanVariable=b=2 && Nope!~x && Channel!=y && Word!=1")
	if err != nil {
		t.Fatal(err)
	}
	miss, err := ParseWhere("Word<1")
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(200, func() {
		if !w.Match("pbx1", m) || miss.Match("pbx1", m) {
			t.Fatal("does not match")
		}
	}); n != 0 {
		t.Errorf("%v allocations a match", n)
	}
}

func BenchmarkWhereMatch(b *testing.B) {
	m := wherePacket(b, "Event: Hangup", "Privilege: call,all", "Channel: PJSIP/100-0001", "ChannelState: 6", "Context: default", "Exten: 100", "Cause: 16")
	w, err := ParseWhere("event=Hangup && Cause!=16")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		w.Match("pbx1", m)
	}
}
