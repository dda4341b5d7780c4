package objects

import (
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

func parse(t *testing.T, expr string) *ami.Where {
	t.Helper()
	where, err := ami.ParseWhere(expr)
	if err != nil {
		t.Fatal(err)
	}
	return where
}

// What follows from an object's keys has one name, whatever the object: how long it has been there, times in seconds, how many a list has,
// and what JSON leaves out.
func TestConditions(t *testing.T) {
	now := time.Now()
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	for _, test := range []struct {
		of   *Part
		o    state.Object
		meet string // conditions that it meets
		not  string // and does not
	}{
		{
			PartOf(state.KindChannel), &state.Channel{Name: "PJSIP/a-1", State: "up", Created: ago(90*time.Second + 700*time.Millisecond)},
			"duration>1m duration=90 duration<=90 created>1m bridge= bridge!=x answered= hold=false hold!=true priority=0 name!=", "bridge!= duration>91 *=90 hold=true priority>0 name=",
		},
		{PartOf(state.KindChannel), &state.Channel{Bridge: "b", Hold: true}, "bridge!= hold=true duration= duration!=5", "bridge= hold=false duration>0 duration<5"},
		{
			PartOf(state.KindCall), &state.Call{Start: ago(time.Hour), Legs: 2, Channels: []string{"1795435200.12", "1795435200.13"}},
			"duration>59m legs=2 channels=2 channels>1 channels<3 channels=1795435200.13 channels!=1795435200.14 transfers=0 caller.number= hold=false",
			"channels<2 channels>2 channels= transfers>0 channels=1795435200.14",
		},
		{PartOf(state.KindCaller), &state.Caller{Joined: ago(time.Minute)}, "duration>=1m", "duration>1m"},
		{PartOf(state.KindParked), &state.Parked{Since: ago(time.Minute)}, "duration=60", "duration<1m"},
		{PartOf(state.KindMember), &state.Member{Paused: true, LastPause: ago(time.Minute), WrapupUS: 5e6}, "duration=60 wrapup=5 wrapup>4s", "duration>1m wrapup>5"},
		{PartOf(state.KindMember), &state.Member{LastPause: ago(time.Minute)}, "duration= wrapup=0", "duration>1s"},
		{PartOf(state.KindEndpoint), &state.Endpoint{}, "contacts=0 contacts<1 contacts= reach=", "contacts!=0 contacts>0 contacts!="},
		{PartOf(state.KindEndpoint), &state.Endpoint{Contacts: []string{"sip:1@192.0.2.1"}}, "contacts=1 contacts=~192 contacts!=", "contacts=0 contacts= contacts=~^1$"},
		{PartOf(state.KindQueue), &state.Queue{HoldUS: 12_500_000, ServicePerf: "90.0"}, "holdtime=12.5 holdtime>12s holdtime_us=12500000 sl>80", "holdtime>13s sl=0"},
		{
			Records, &state.Record{
				Start: ago(time.Hour), End: ago(58 * time.Minute), WaitUS: 31e6, Legs: []state.Leg{{Cause: 16}, {Cause: 34}}, Transfer: []state.Transfer{{Kind: "blind"}},
			},
			"duration=120 duration>1m wait>30s talk=0 legs=2 legs>1 legs.cause=34 transfers=1 transfers.kind=blind", "duration>2m wait>31s legs>2 transfers=0 legs.cause=2",
		},
	} {
		for conditions, want := range map[string]bool{test.meet: true, test.not: false} {
			for _, expr := range strings.Fields(conditions) {
				where := parse(t, expr)
				if got := where.MatchFields("pbx1", test.of.Fields(test.of.Record(test.o), now)); got != want {
					t.Errorf("%s of %+v: %v", expr, test.o, got)
				}
				if m := Wrong(where, []*Part{test.of}); m != nil {
					t.Errorf("%s of %s: %+v", expr, test.of.Name, m)
				}
			}
		}
	}
}

// A condition that nothing can meet, or not as it is meant, is told with what to write.
func TestWrong(t *testing.T) {
	channels, calls, members, nodes := PartOf(state.KindChannel), PartOf(state.KindCall), PartOf(state.KindMember), PartOf(state.KindNode)
	for _, test := range []struct {
		expr          string
		parts         []*Part
		what, instead string // "": nothing is wrong
	}{
		{"durration>5", []*Part{channels}, "no part that is asked for has a key durration", ""},
		{"joined>1m", []*Part{channels}, "no part that is asked for has a key joined", "duration is how long"},
		{"age>1m", []*Part{PartOf(state.KindHint)}, "no part that is asked for has a key age", ""},
		{"duration>1m", []*Part{PartOf(state.KindDevice)}, "no part that is asked for has a key duration", ""},
		{"duration>1m", []*Part{PartOf(state.KindDevice), channels}, "", ""},
		{"event=Hangup", []*Part{channels}, "no part that is asked for has a key event", ""},
		{"caller=20", []*Part{calls}, "no part that is asked for has a key caller", ""},
		{"caller.numbr=20", []*Part{calls}, "no part that is asked for has a key caller.numbr", ""},
		{"CALLER.Number=20 && Node=x && type=call && *=y", []*Part{calls}, "", ""},
		{"created>300", []*Part{channels}, "created is a moment", "created>300s asks"},
		{"created>5m", []*Part{channels}, "", ""},
		{"paused=yes", []*Part{members}, "paused is true or false", "such as paused=true"},
		{"paused>0", []*Part{members}, "paused is true or false", "such as paused=true"},
		{"paused IN (true,false)", []*Part{members}, "", ""},
		{"calls_taken=many", []*Part{members}, "calls_taken is a number", "such as calls_taken>0"},
		{"calls_taken=~^1", []*Part{members}, "", ""},
		{"wait_us>30s", []*Part{Records}, "wait_us is in microseconds", "such as wait>10s"},
		{"wait_us>30000000", []*Part{Records}, "", ""},
		{"sl_us>10s", []*Part{PartOf(state.KindQueue)}, "sl_us is a number", "such as sl_us>0"},
		{"legs=answered", []*Part{Records}, "legs is a list of objects", "legs>1 asks how many it has, and legs.uniqueid=…"},
		{"legs.cause=34 && legs>2", []*Part{Records}, "", ""},
		{"transfers=~x", []*Part{Records, calls}, "", ""}, // a call's are a number
		{"parts.queues=followed", []*Part{nodes}, "", ""},
		{"parts.queues=followed", []*Part{calls}, "no part that is asked for has a key parts.queues", ""},
		{"available<1 && state=up", []*Part{channels}, "no part that is asked for has a key available", ""},
	} {
		m := Wrong(parse(t, test.expr), test.parts)
		switch {
		case m == nil && test.what != "", m != nil && (m.What != test.what || !strings.Contains(m.Instead, test.instead) || test.instead == "" && m.Instead != ""):
			t.Errorf("%s: %+v, want %q, %q", test.expr, m, test.what, test.instead)
		}
	}
	if m := Wrong(parse(t, "available<1"), []*Part{channels}, "available"); m != nil {
		t.Errorf("a figure: %+v", m)
	}
	if m := Wrong(nil, []*Part{channels}); m != nil {
		t.Errorf("no condition: %+v", m)
	}
}
