package ami

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhereWarnings(t *testing.T) {
	for _, tt := range []struct {
		expr   string
		offset int
		want   string // in the text of the one warning; "": there is none
	}{
		{"Cause=16,17", 6, "Cause IN (16,17)"},
		{"Cause=16, 17", 6, "Cause IN (16,17)"},
		{"Cause=16|17|18", 6, "Cause IN (16,17,18)"},
		{"Cause!=16,17", 7, "Cause!=16 && Cause!=17"},
		{"Status=Ringing,InUse", 7, "Status IN (Ringing,InUse)"},
		{"A=1 && Cause=16,17", 13, "Cause IN (16,17)"},
		{"Channel=PJSIP/*", 8, "write Channel=~^PJSIP/"},
		{"A=1 && Channel!=PJSIP/10.*", 16, `write Channel!~"^PJSIP/10\\."`},
		{"event=Queue*", 6, "write event=~^Queue"},
		{"Exten=*97", 0, ""},
		{"Exten=9*", 0, ""},
		{"Channel=~PJSIP/*", 0, ""},
		{`Channel="PJSIP/*"`, 0, ""},
		{`Cause="16,17"`, 0, ""},
		{"Privilege=call,all", 0, ""},
		{"Context=from-internal,default", 8, "write Context IN (from-internal,default)"},
		{"event!=Hangup,Dial", 7, "write event!=Hangup && event!=Dial"},
		{"Name=Smith, Ann B.", 0, ""},
		{"Cause!=16 | Cause=0", 10, "second operator"},
		{"Cause!=16 & Cause=0", 10, "second operator"},
		{"Cause!=16, Cause=0", 9, "second operator"},
		{"Cause!=16,Cause!=0", 9, "second operator"},
		{"Cause=16 Channel=~^SIP", 8, "second operator"},
		{"Cause=16|Cause=17", 8, "second operator"},
		{"Cause=16; Cause>17", 8, "second operator"},
		{"Channel=~^SIP/ Cause=16", 14, "second operator"},
		{"Cause=16 Cause IN (17)", 8, "second operator"},
		{`Cause="16 Channel=1"`, 0, ""},
		{"Channel=~a=1|b=2", 0, ""},
		{"ChanVariable=b=2", 0, ""},
		{"Token=YWJj==", 0, ""},
		{"From=sip:a@b;tag=1", 0, ""},
		{"Text=salt and pepper", 0, ""},
		{"Text=this or that", 0, ""},
		{"Cause!=16 || Cause=0", 0, ""},
	} {
		w, err := ParseWhere(tt.expr)
		if err != nil {
			t.Errorf("%s: %v", tt.expr, err)
			continue
		}
		got := w.Warnings()
		if tt.want == "" {
			if len(got) > 0 {
				t.Errorf("%s: %v", tt.expr, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Offset != tt.offset || !strings.Contains(got[0].Want, tt.want) {
			t.Errorf("%s: %v, want one at %d: %s", tt.expr, got, tt.offset, tt.want)
		}
		if joined := w.And(w).Warnings(); len(joined) != 2 {
			t.Errorf("%s: %d warnings of two", tt.expr, len(joined))
		}
	}
}

func TestWhereMissing(t *testing.T) {
	var none *Where
	if none.Missing() != nil || none.Fields() != nil || none.Warnings() != nil {
		t.Error("nil has fields")
	}
	w, err := ParseWhere("node=pbx1 && Cuase!=16 && (cause=1 || CAUSE=16 && Nope=1) && event=Hangup && *=x && Later=1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Cuase", "cause", "Nope", "Later"}, w.Fields()); diff != "" {
		t.Error(diff)
	}
	if got := w.Missing(); got != nil {
		t.Errorf("%q are missing before the first event", got)
	}
	w.Match("pbx2", wherePacket(t, "Event: Hangup", "A: 1"))
	if got := w.Missing(); got != nil {
		t.Errorf("%q are missing though only the node was looked at", got)
	}
	m := wherePacket(t, "Event: Hangup", "Cause: 16")
	joined := none.And(w).And(w)
	joined.Match("pbx1", m)
	for _, w := range []*Where{w, joined} { // Later was never looked for
		if diff := cmp.Diff([]string{"Cuase", "Nope"}, w.Missing()); diff != "" {
			t.Error(diff)
		}
	}
	w.MatchFields("pbx1", wherePacket(t, "Event: Hangup", "cuase: 1", "Cause: 16").All())
	if diff := cmp.Diff([]string{"Nope"}, w.Missing()); diff != "" {
		t.Error(diff)
	}
}

func TestWhereMatchPresent(t *testing.T) {
	end := wherePacket(t, "Event: RegistrationsComplete", "EventList: Complete", "ListItems: 0")
	for expr, want := range map[string]bool{
		"ListItems=0": true, "ListItems!=0": false, "ListItems!=1": true, "ListItems<1": true,
		"Status!=Registered": false, "Status!~x": false, "Status=x": false,
		"ListItems=0 || Status!=x": true, "ListItems=0 && Status!=x": false, "node=pbx1": true, "node!=pbx1": false,
		"event=RegistrationsComplete": true, "*!=5": true,
	} {
		w, err := ParseWhere(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.MatchPresent("pbx1", end); got != want {
			t.Errorf("%s: %v", expr, got)
		}
	}
	answer := wherePacket(t, "Response: Success")
	w, err := ParseWhere("event!=x")
	if err != nil {
		t.Fatal(err)
	}
	if w.MatchPresent("", answer) || !w.Match("", answer) {
		t.Error("a response has an event's name")
	}
}
