package calls

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// What a line says of a call: what there is to say, and no more.
func TestStory(t *testing.T) {
	bob, ann := state.Party{Number: "20", Name: "bob"}, state.Party{Number: "10", Name: "ann"}
	for name, test := range map[string]struct {
		record state.Record
		want   string
	}{
		"nothing":        {state.Record{}, "? → ?"},
		"half":           {state.Record{Caller: bob}, "20 bob → ?"},
		"a talk":         {state.Record{Caller: bob, Callee: ann, TalkUS: 5_000_000, RingUS: 2_000_000, By: "caller", Cause: 16, CauseText: "Normal Clearing"}, "20 bob → 10 ann|talk 5s|ring 2s|ended by caller"},
		"on hold":        {state.Record{Caller: bob, Callee: ann, HoldUS: 3_000_000, Cause: 17, CauseText: "User busy"}, "20 bob → 10 ann|hold 3s|User busy"},
		"in a queue":     {state.Record{Queue: "sales", Member: "PJSIP/1", WaitUS: 4_000_000}, "? → ?|wait 4s|queue sales PJSIP/1"},
		"of a queue":     {state.Record{Queue: "sales"}, "? → ?|queue sales"},
		"wait of none":   {state.Record{WaitUS: 4_000_000}, "? → ?"},
		"passed on":      {state.Record{Transfer: []state.Transfer{{Kind: "blind", By: "10", To: "302"}, {Kind: "pickup"}}}, "? → ?|blind by 10 to 302|pickup"},
		"nobody's cause": {state.Record{Cause: 0, CauseText: "x"}, "? → ?"},
		"not all seen":   {state.Record{Cause: 1, CauseText: "Unallocated", Partial: true}, "? → ?|Unallocated|(partial)"},
	} {
		if got := strings.Join(story(&test.record), "|"); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// A line has the node where there are several, columns of one width, and the fields that were asked for instead of the story; it
// ends where the terminal does.
func TestLine(t *testing.T) {
	record := &state.Record{Node: "pbx1", Linkedid: "1", End: time.Now(), Outcome: "busy", Caller: state.Party{Number: "20"}, Callee: state.Party{Number: "10"}, By: "callee"}
	two := []ami.Config{{Name: "pbx1"}, {Name: "pbx2"}}
	for name, test := range map[string]struct {
		nodes  []ami.Config
		fields []string
		width  int
		want   string
	}{
		"one node":  {two[:1], nil, 0, "busy         20 → 10  ended by callee"},
		"two nodes": {two, nil, 0, "pbx1  busy         20 → 10  ended by callee"},
		"fields":    {two[:1], []string{"by", "linkedid"}, 0, "busy         linkedid=1  by=callee"},
		"narrow":    {two[:1], nil, 30, "busy         20 → 1…"},
		"as wide":   {two[:1], nil, 200, "busy         20 → 10  ended by callee"},
	} {
		e := &end{View: &held.View{Nodes: test.nodes, Form: output.Options{Fields: test.fields, Width: test.width}}}
		_, got, _ := strings.Cut(e.line(record, objects.Records.Record(record)), "  ")
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// taker returns an end whose output can be read, for calls that may be counted.
func taker(t *testing.T, format string, left int) (*end, *runtest.Run) {
	t.Helper()
	r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: format}})
	v, err := held.NewView(t.Context(), r.Run, []*objects.Part{objects.Records}, nil, run.Records, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &end{View: v, left: left}, r
}

// What is told of a change: a call that ended, events that are missing, and nothing of what only was or is up.
func TestTakeChanges(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	e, r := taker(t, "jsonl", -1)
	node := func(stale bool) *state.Node {
		return &state.Node{Node: "a", Stale: stale, Reason: "disconnect", Since: at}
	}
	for _, ch := range []state.Change{
		{Op: state.OpAdd, Node: "a", Object: &state.Record{Node: "a", Linkedid: "1", End: at}, Time: at},
		{Op: state.OpChange, Node: "a", Object: node(true), Changed: []string{"stale"}, Time: at},
		{Op: state.OpChange, Node: "a", Object: node(true), Changed: []string{"reason"}, Time: at},
		{Op: state.OpChange, Node: "a", Object: node(false), Changed: []string{"stale"}, Time: at},
		{Op: state.OpAdd, Node: "a", Object: &state.Call{Node: "a", Linkedid: "2"}, Time: at},
		{Op: state.OpReset, Lost: 2, Time: at},
	} {
		if err := e.take(&ch); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Out.Close(); err != nil {
		t.Fatal(err)
	}
	if got := kinds(r.Out.String()); got != `["call-record1","gap","gap"]` {
		t.Errorf("printed %s", r.Out)
	}
	if want := "amictl: 2 calls may be missing: the reader of this output, or this host, was too slow\n"; r.Err.String() != want || r.Dropped != 2 {
		t.Errorf("it said %q, %d dropped", r.Err, r.Dropped)
	}
}

// As many calls as --count says are printed, and the last one ends it.
func TestCountCalls(t *testing.T) {
	for left, want := range map[int]int{-1: 0, 1: 1, 2: 2, 3: 3} {
		e, r := taker(t, "jsonl", left)
		ended := 0
		for i := range 5 {
			if err := e.record(&state.Record{Node: "a", Linkedid: "1", End: time.Now()}); err != nil {
				ended = i + 1
				break
			}
		}
		_ = e.Out.Close()
		if got := strings.Count(r.Out.String(), "\n"); ended != want || left > 0 && got != want {
			t.Errorf("--count %d: ended after %d, printed %d", left, ended, got)
		}
	}
}

// The calls that are up at the end of a record are counted, or printed by node and number if those are asked for.
func TestStillUp(t *testing.T) {
	up := map[[2]string]*state.Call{}
	for _, key := range [][2]string{{"b", "1"}, {"a", "2"}, {"a", "1"}} {
		up[key] = &state.Call{Node: key[0], Linkedid: key[1]}
	}
	e, r := taker(t, "jsonl", -1)
	if err := e.still(up, false, time.Now()); err != nil || r.Err.String() != "amictl: --from: 3 calls were still up at the end; --live shows what is\n" {
		t.Errorf("%v, said %q", err, r.Err)
	}
	if err := e.still(nil, false, time.Now()); err != nil || strings.Count(r.Err.String(), "\n") != 1 {
		t.Errorf("%v, said %q", err, r.Err)
	}
	r = runtest.New(t, runtest.Setup{Flags: run.Globals{Query: "[node,linkedid]"}})
	v, err := held.NewView(t.Context(), r.Run, []*objects.Part{objects.PartOf(state.KindCall)}, nil, run.Records, nil)
	if err != nil {
		t.Fatal(err)
	}
	e = &end{View: v, left: -1}
	if err := e.still(up, true, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := e.Out.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("[\"a\",\"1\"]\n[\"a\",\"2\"]\n[\"b\",\"1\"]\n", r.Out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Uniqueids end in a number that grows: a longer one is younger.
func TestOlder(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"1.9", "1.10", -1}, {"1.10", "1.9", 1}, {"1.10", "1.11", -1}, {"1.1", "1.1", 0}} {
		if got := older(test.a, test.b); got != test.want {
			t.Errorf("%s and %s: %d", test.a, test.b, got)
		}
	}
}
