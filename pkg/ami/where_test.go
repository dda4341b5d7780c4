package ami

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// whereMatches says of each condition whether the Hangup of TestWhereMatch meets it.
var whereMatches = []struct {
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
	{"Nope!=", true},
	{`Nope IN (1,"")`, false},
	{"Nope IN (1,2)", false},
	{"Nope=~^$", false},
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
	// quantities: equal where both are written plainly
	{"Cause=16.0", true},
	{"Cause!=16.0", false},
	{"Cause=016", false},
	{"Cause=+16", false},
	{"Exten=100", false},
	{"Exten!=100", true},
	{"Exten=0100", true},
	{"Exten>=100", true}, // an order is of numbers
	{"Exten<=100", true},
	{"Phone=493012345", false},
	{"Phone=+493012345", true},
	{"Num=7.5", false},
	{"Loss=0", true},
	{"Loss=-0", true},
	{"Loss>0", false},
	{"Loss<=0", true},
	{"Jitter=-.5", false},
	{"Jitter=-0.50", true},
	{"Jitter<-499ms", true},
	{"Jitter<=-0.5s", true},
	{"Jitter>=00:00:00", false},
	{"Duration=3725", true},
	{"Duration=1h2m5s", true},
	{"Duration=01:02:05", true},
	{"Duration>3725", false},
	{"Duration>3724.999", true},
	{"Duration>1h2m4.5s", true},
	{"Duration<1h2m5.000000001s", true},
	{"Duration<01:02:06", true},
	{"Duration>9", true}, // as text it is less
	{"Long>99:59:59", true},
	{"Long=360000", true},
	{"Long<360000.0000000001", true},
	{"Long>359999.9999999999", true},
	{"Wait=90", true},
	{"Wait>89", true},
	{"Wait<00:01:31", true},
	{"Wait=1.5m", true},
	{"Wait>=90000ms", true},
	{"Cause<17s", true},
	{"Cause>99999999999999999999999", false},
	{"Cause<99999999999999999999999", true},
	{"Wait<99999999999999999999999", true},
	{"Wait>99999999999999999999999", false},
	{"Frac<1m", true},
	{"Frac>59.999999999s", true},
	{"Frac<00:00:59", false},
	{"Event>1", false},
	// alternatives, groups
	{"Cause=17 || Cause=16", true},
	{"Cause!=16 || Cause=0", false},
	{"Cause=16||Cause=17", true},
	{"Cause=17||Cause=16", true},
	{"Cause=17 || Cause=18", false},
	{"Cause=17 && Cause=16 || Num>1", true}, // && binds tighter
	{"Cause=17 && (Cause=16 || Num>1)", false},
	{"(Cause=17 || Cause=16) && Num>7", true},
	{"( Cause = 16 )&&(Num>7)", true},
	{"((Cause=1)||(Num<1 || (Neg<0)))", true},
	{"(Channel=~^(SIP|PJSIP)/)", true},
	{"(Channel=~^(SIP|IAX2)/ || Cause=16) && Nope!=x", true},
	{"(Channel=~[)(] || Cause=17)", false},
	{`(Channel=~\(|100 && Cause=16)`, true},
	{"(ChanVariable(PJSIP/a)=x=1)", true},
	{`Smile=":)"`, true},
	{`(Smile=":)" && Cause=16)`, true},
	{`Text="x && y || z"`, true},
	{"Text=~(x && y)", true}, // parentheses hide what they hold
	{"Text=~x.&&.y", true},   // no condition follows
	{"Sum=a=b", true},
	// any field
	{"*=16", true},
	{"*=~^PJSIP/", true},
	{"* =~ (?i)^pjsip", true},
	{"*=~^nowhere", false},
	{"*!~nowhere", true},
	{"*!=16", false},
	{"*=Hangup", true},
	{"*=~bare", true},
	{"*>9007199254740992", true},
	// lists
	{"Cause IN (16,17)", true},
	{"Cause in ( 17 , 16 )", true},
	{"cause In(17,16.0)", true},
	{"Cause IN (1,6)", false},
	{"Cause IN (17) || Num>1", true},
	{"(Cause IN (17)||Neg<0)", true},
	{"Nope IN (1)", false},
	{`CallerIDName IN ("x,y", "Ann \"A\" \\ Bee")`, true},
	{`Empty IN ("")`, true},
	{"event IN (dial, HANGUP)", true},
	{"node IN (pbx2,pbx1)", true},
	{"* IN (16)", true},
	{"ChanVariable IN (b=2)", true},
	{"ChanVariable(PJSIP/a) IN (x=1)", true},
	{"Channel~^PJSIP", true},
	{"Channel ~ ^SIP", false},
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
}

func TestWhereMatch(t *testing.T) {
	hangup := wherePacket(t, "Event: Hangup", "Channel: PJSIP/100-0001", "Cause: 16", "Empty: ", "CallerIDName: Ann \"A\" \\ Bee",
		"Amp: SIP/a&SIP/b", "Num: 007.50", "Big: 9007199254740993", "Neg: -3", "Spaced:  12 ", "Word: 1e3", "Node: header", "Event: second",
		"ChanVariable: a=1", "ChanVariable: b=2", "ChanVariable(PJSIP/a): x=1", "Dot: .", "a bare line",
		"Duration: 01:02:05", "Long: 100:00:00", "Wait: 1m30s", "Exten: 0100", "Phone: +493012345", "Loss: 0.000", "Frac: 59.9999999995", "Smile: :)", "Jitter: -0.5",
		"Text: x && y || z", "Sum: a=b")
	reply := wherePacket(t, "Response: Success", "Event: NotThat", "Cause: 16")
	for _, tt := range whereMatches {
		w, err := ParseWhere(tt.expr)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		if got := w.Match("pbx1", hangup); got != tt.want {
			t.Errorf("%s: %v", tt.expr, got)
		}
		if len(w.Warnings()) > 0 {
			t.Errorf("%s: %v", tt.expr, w.Warnings())
		}
		if got := w.MatchFields("pbx1", hangup.All()); got != tt.want {
			t.Errorf("%s: %v of its fields", tt.expr, got)
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

// Of an object a list is compared with a number as how many it has, and * does not see what is derived.
func TestWhereOfLists(t *testing.T) {
	fields := func(yield func(string, string) bool) {
		for _, f := range [][2]string{
			{"#channels", "2"}, {"channels", "1795435200.12"}, {"channels", "1795435200.13"}, {"#contacts", "0"}, {".contacts", ""}, {"#legs", "12"}, {"state", "up"}, {".duration", "90"},
		} {
			if !yield(f[0], f[1]) {
				return
			}
		}
	}
	for expr, want := range map[string]bool{
		"channels>1": true, "channels>2": false, "channels<3": true, "channels>=1.5": true, "channels=2": true, "channels!=2": false, "CHANNELS=3": false, "channels!=3": true,
		"channels IN (1,2)": true, "channels IN (1,1795435200.12)": true, "channels IN (2,1795435200.99)": false,
		"channels=1795435200.13": true, "channels!=1795435200.13": false, "channels=1795435200.14": false, "channels=~\\.12$": true, "channels=~^2$": false, "channels=": false,
		"contacts=0": true, "contacts!=0": false, "contacts<1": true, "contacts=": true, "contacts!=": false, "contacts=~.": false,
		"legs=12": true, "legs>11": true, "legs=x": false,
		"duration>1m": true, "duration=90": true, "duration>2m": false, "*=90": false, "*=2": false, "*=12": false, "*>1": true, "*=up": true, ".duration=90": false, "#legs=12": false,
	} {
		w, err := ParseWhere(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.MatchFields("pbx1", fields); got != want {
			t.Errorf("%s: %v", expr, got)
		}
	}
}

func TestWhereConditions(t *testing.T) {
	w, err := ParseWhere("a=1 && (B!~x || c IN (1,\"\")) && d>=10m && e!=5")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for c := range w.Conditions() {
		got = append(got, fmt.Sprint(c.Field, c.Op, c.Values, c.Counts()))
	}
	if diff := cmp.Diff([]string{"a=[1] true", "B!~[x] false", "cIN[1 ] false", "d>=[10m] true", "e!=[5] true"}, got); diff != "" {
		t.Error(diff)
	}
	for c := range (*Where)(nil).Conditions() {
		t.Errorf("nil has %v", c)
	}
}

// whereMistakes are conditions that are refused: at which byte, and what is said to be wanted there.
var whereMistakes = []struct {
	expr   string
	offset int
	want   string
}{
	{"", 0, "name of a field"},
	{"   ", 3, "name of a field"},
	{"=16", 0, "name of a field"},
	{"Cause", 5, `expected one of = != =~ !~ < <= > >= IN after the field "Cause"`},
	{"Cause 16", 8, "expected one of"},
	{"Cause!16", 5, "expected one of"},
	{"Cause && A=1", 6, "expected one of"},
	{"Cause=16 &&", 11, "name of a field"},
	{"Cause=16 && && A=1", 12, "name of a field"},
	{"Cause=16 && é", 14, "expected one of"},
	{"Cause==16", 6, "= is written once"},
	{"Cause=>16", 6, "begins with > has to be quoted, and at least is >="},
	{`A="x`, 2, "closes"},
	{`A="x\"`, 2, "closes"},
	{`A="x" y`, 6, "expected &&, || or the end"},
	{`A="x" & B=1`, 6, "expected &&, || or the end"},
	{`A=x"y"`, 3, `no "`},
	{`"A"=1`, 0, "name of a field"},
	{"A=~(", 3, "missing closing )"},
	{"A!~ *", 4, "missing argument"},
	{"event=~*", 7, "missing argument"},
	{"A<b", 2, "expected a number or a time after <,"},
	{"A>=", 3, "expected a number or a time after >=,"},
	{"A>1e3", 2, "expected a number"},
	{"A>NaN", 2, "expected a number"},
	{"A>0x10", 2, "expected a number"},
	{"A>1.2.3", 2, "expected a number"},
	{"A>-", 2, "expected a number"},
	{"A>1:2:3", 2, "expected a number"},
	{"A>00:60:00", 2, "expected a number"},
	{"A>10x", 2, "expected a number"},
	{"A>10m5", 2, "expected a number"},
	{"A>999999999999h", 2, "expected a number"},
	// what looks like another language
	{"Cause=16 and Channel=x", 9, "write && for and"},
	{"Cause=16 OR Cause=17", 9, "write || for OR"},
	{"Cause=16 or (Cause=17 && A=1)", 9, "write || for or"},
	{"Cause=16 and Cause IN (17)", 9, "write && for and"},
	{`A="x" and B=1`, 6, "write && for and"},
	{"(A=1) or B=1", 6, "write || for or"},
	{"A IN (1) or B=1", 9, "write || for or"},
	{"A=1 && and B=1", 7, "write && for and"},
	{"not A=1", 0, "write != or !~ for not"},
	{"A=~x and B=1", 5, "write && for and"},
	{"Cause=!16", 6, "a ! stands before the ="},
	{"Cause= !16", 7, "a ! stands before the ="},
	{"A=~!x", 3, "a ! stands before the ="},
	{"A!=!x", 3, "a ! stands before the ="},
	{"A IN (!1)", 6, "a ! stands before the ="},
	{"A IN (1,!2)", 8, "a ! stands before the ="},
	{"Cause NOT IN (16,17)", 0, "write Cause!=A && Cause!=B"},
	{"Caller*=1", 0, "* alone is any field"},
	// groups and lists
	{"(A=1", 0, "closes this one"},
	{"A=1 && (B=2", 7, "closes this one"},
	{"A=1)", 3, "closes nothing"},
	{"(A=1))", 5, "closes nothing"},
	{"Text=:)", 6, "closes nothing"},
	{"()", 1, "name of a field"},
	{"(A=1)(B=1)", 5, "expected &&, || or the end"},
	{"A=1 ||", 6, "name of a field"},
	{"|| A=1", 0, "name of a field"},
	{"A(=1", 0, "has a ( without its )"},
	{"A IN (1", 5, "closed by a )"},
	{"A IN (1,2", 5, "closed by a )"},
	{"A IN ()", 6, "an empty one is"},
	{"A IN (1,,2)", 8, "an empty one is"},
	{"A IN (1,)", 8, "an empty one is"},
	{"A IN (1(2))", 5, "closed by a )"},
	{`A IN ("x" y)`, 5, "closed by a )"},
	{"A IN 16", 7, "expected one of"},
	{"IN (16)", 0, "name of a field"},
	{strings.Repeat("(", 101) + "A=1", 100, "more than 100 parentheses"},
}

func TestParseWhereErrors(t *testing.T) {
	for _, tt := range whereMistakes {
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
		{parse("A=2 || A=1").And(c), false, "(A=2 || A=1) && B=3"},
		{c.And(parse("A=1 || B=3")), false, "B=3 && (A=1 || B=3)"},
		{parse("A=1 && B=3 || B=2").And(b), true, "(A=1 && B=3 || B=2) && B=2"},
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
