package calls

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/timeline"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/output"
)

// What was joined to the call later is told from its beginning, whatever names the call.
func TestTimelineOfARecord(t *testing.T) {
	path := recorded(t, twoCalls...)
	want := strings.TrimPrefix(`
    0.000  1 PJSIP/bob-1 begins 100@in
    1.000  │                2 PJSIP/alice-2 begins
    2.000  • dials 2        │
    5.000  │                • is up
    6.000  │                • enters bridge A
    7.000  • enters bridge A│
    8.000  │                │                3 PJSIP/alice-3 begins
    9.000  │                │                │            4 PJSIP/carol-4 begins
   10.000  │                │                │                • enters bridge A
   11.000  │                × ends: 16 Normal Clearing        │
   12.000  │                                 × ends: 16 Normal Clearing
   13.000  │                                          4 ends: 16 Normal Clearing
   14.000  × ends: 16 Normal Clearing
`, "\n")
	for _, id := range []string{"1", "4", "PJSIP/alice-3"} {
		r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "table"}})
		if err := calls(t.Context(), r.Run, &options{timeline: id, from: flags.List{path}}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, r.Out.String()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", id, diff)
		}
		for line := range strings.Lines(r.Out.String()) {
			if n := output.Width(strings.TrimSuffix(line, "\n")); n > timeline.Width {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		if got := r.Err.String(); !strings.Contains(got, "1 event was left out") {
			t.Errorf("said %q", got)
		}
	}
}

func TestTimelineChoosesEvents(t *testing.T) {
	path := recorded(t, twoCalls...)
	for name, test := range map[string]struct {
		id, output string
		names      []string
		want       string
	}{
		"by name":   {"1", "csv", []string{"Var*", "hangup"}, "event,Uniqueid\nVarSet,1\nHangup,2\nHangup,3\nHangup,4\nHangup,1\n"},
		"all":       {"9", "csv", []string{"*"}, "event,Uniqueid\nNewchannel,9\n"},
		"of nobody": {"7", "csv", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: test.output, Fields: "event,Uniqueid"}})
			err := calls(t.Context(), r.Run, &options{timeline: test.id, names: test.names, from: flags.List{path}})
			if test.want == "" {
				runtest.Refused(t, err, fail.CodeCondition, "no event is of the call")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, r.Out.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// People who named no events are told of those that were left out, if there were any; programs are not.
func TestNoteOfHidden(t *testing.T) {
	path := recorded(t, twoCalls...)
	for name, test := range map[string]struct {
		id, output string
		names      []string
		want       bool
	}{
		"for people":           {"1", "table", nil, true},
		"of what they chose":   {"1", "table", []string{"Hangup"}, false},
		"where nothing is":     {"9", "table", nil, false},
		"for programs":         {"1", "csv", nil, false},
		"what programs choose": {"1", "csv", []string{"Hangup"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			flagged := run.Globals{Output: test.output}
			if test.output == "csv" {
				flagged.Fields = "event"
			}
			r := runtest.New(t, runtest.Setup{Flags: flagged})
			if err := calls(t.Context(), r.Run, &options{timeline: test.id, names: test.names, from: flags.List{path}}); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(r.Err.String(), "left out"); got != test.want {
				t.Errorf("said %q", r.Err)
			}
		})
	}
}

// A call that is up is told from what it is on, until its last channel is hung up.
func TestTimelineOfALiveCall(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	talk(srv, "zoe", "yan")
	a, b := talk(srv, "bob", "alice")
	f := begin(t, "table", options{timeline: b.Uniqueid}, srv)
	f.until("alice")
	srv.Hold(a.Uniqueid, true)
	f.until("holds")
	srv.Hangup(b.Uniqueid, 16)
	srv.Hangup(a.Uniqueid, 16)
	f.ended()
	for _, want := range []string{"1 PJSIP/bob", "2 PJSIP/alice", "• holds", "× ends: 16 Normal Clearing"} {
		if !strings.Contains(f.Out.String(), want) {
			t.Errorf("%q is not in\n%s", want, f.Out)
		}
	}
	if strings.Contains(f.Out.String(), "zoe") {
		t.Errorf("another call is in\n%s", f.Out)
	}
}

func TestTimelineOfNoLiveCall(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{runtest.Server(t, "pbx1")}})
	runtest.Refused(t, calls(t.Context(), r.Run, &options{timeline: "1"}), fail.CodeCondition, "no call 1 is up")
}

// A story goes on for as long as it is asked for, of the node that has the call alone.
func TestTimelineForATime(t *testing.T) {
	a, b := runtest.Server(t, "a"), runtest.Server(t, "b")
	talk(a, "zoe", "yan")
	caller, _ := talk(b, "bob", "alice")
	f := begin(t, "table", options{timeline: caller.Name, length: flags.Duration{Value: 2 * time.Second, Given: true}}, a, b)
	f.until("alice")
	a.Hold(a.State().Channels()[0].Uniqueid, true)
	b.Hold(caller.Uniqueid, true)
	f.until("holds")
	f.ended()
	if got := strings.Count(f.Out.String(), "holds"); got != 1 || strings.Contains(f.Out.String(), "zoe") {
		t.Errorf("another node's call is in\n%s", f.Out)
	}
}

// Where events are missing the story ends: the call's end may be among them. Of another node it does not matter.
func TestTimelineOverAGap(t *testing.T) {
	a, b := runtest.Server(t, "a"), runtest.Server(t, "b")
	caller, _ := talk(a, "bob", "alice")
	f := begin(t, "jsonl", options{timeline: caller.Uniqueid}, a, b)
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(f.Out.String(), `"Hold"`); time.Sleep(time.Millisecond) {
		if a.EmitEvent("Hold", "Channel", caller.Name, "Uniqueid", caller.Uniqueid); time.Now().After(deadline) {
			t.Fatal("nothing is told")
		}
	}
	b.Kick()
	f.until("b: the connection was lost")
	a.EmitEvent("Unhold", "Channel", caller.Name, "Uniqueid", caller.Uniqueid)
	f.until(`"Unhold"`)
	a.Kick()
	err := <-f.end
	runtest.Refused(t, err, fail.CodeGap, "a: events are missing (disconnect)")
}
