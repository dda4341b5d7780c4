package state

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// given is a time that a flag was given.
func given(d time.Duration) flags.Duration { return flags.Duration{Value: d, Given: true} }

// busAt is a bus that --nats names.
func busAt(url string) (b target.Bus) {
	*b.Flags()[0].(*cli.StringFlag).Destination = url
	return b
}

// What does not go with --stats, or not without it, is refused before a server is dialled.
func TestStatsRefuses(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	queues := []string{"queues"}
	for name, test := range map[string]struct {
		options options
		flags   run.Globals
		want    string
	}{
		"--last alone":         {options{parts: queues, last: given(time.Hour)}, run.Globals{}, "--last, --sl and --from go with --stats"},
		"--sl alone":           {options{parts: queues, level: given(time.Second)}, run.Globals{}, "go with --stats"},
		"--from alone":         {options{parts: queues, from: flags.List{"x"}}, run.Globals{}, "go with --stats"},
		"of everything":        {options{stats: true}, run.Globals{}, "--stats is for queues"},
		"of another part":      {options{stats: true, parts: []string{"calls"}}, run.Globals{}, "--stats is for queues"},
		"of two parts":         {options{stats: true, parts: []string{"queues", "calls"}}, run.Globals{}, "--stats is for queues"},
		"a part of a second":   {options{stats: true, parts: queues, level: given(1500 * time.Millisecond)}, run.Globals{}, "--sl is in whole seconds"},
		"to follow a file":     {options{stats: true, parts: queues, from: flags.List{"x"}, follow: true}, run.Globals{}, "--from ends with the file"},
		"a file for some time": {options{stats: true, parts: queues, from: flags.List{"x"}, length: given(time.Second)}, run.Globals{}, "--from ends with the file"},
		"a file and a bus":     {options{stats: true, parts: queues, from: flags.List{"x"}, bus: busAt("nats://x")}, run.Globals{}, "--from reads a file, and --nats a bus"},
		"a file and a server":  {options{stats: true, parts: queues, from: flags.List{"x"}}, run.Globals{Nodes: flags.List{"pbx1"}}, "--from"},
		"an unknown key":       {options{stats: true, parts: queues, where: flags.List{"nosuch=1"}}, run.Globals{}, "nosuch"},
		"--timeout":            {options{stats: true, parts: queues}, run.Globals{Timeout: given(time.Second)}, "--timeout is for an action"},
		"--timeout, to follow": {options{follow: true}, run.Globals{Timeout: given(time.Second)}, "--timeout is for an action"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: test.flags})
			runtest.Refused(t, show(t.Context(), r.Run, &test.options), fail.CodeUsage, test.want)
		})
	}
	if n := srv.Ledger().Accepted; n != 0 {
		t.Errorf("the server was dialled %d times", n)
	}
}

// counting are figures of queues that are not drawn, of which nothing was counted yet.
func counting(t *testing.T, globals run.Globals, where ...string) (*runtest.Run, *stats) {
	t.Helper()
	r := runtest.New(t, runtest.Setup{Flags: globals})
	v, err := held.NewView(t.Context(), r.Run, []*objects.Part{objects.Figures}, where, run.Endless, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r, &stats{View: v, figures: state.NewFigures(state.FiguresOptions{}), printed: make(map[identity]state.QueueFigures)}
}

// comes is what is told of a caller who comes into a queue.
func comes(queue, id string) *state.Change {
	call := &state.QueueCall{Node: "pbx1", Queue: queue, Uniqueid: id, State: state.QueueWaiting, Joined: moment, HoldS: -1}
	return &state.Change{Op: state.OpStep, Node: "pbx1", Time: moment, Object: call}
}

// moment is when everything in these tests happens.
var moment = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// The figures of a queue are printed when they change, of each queue by itself.
func TestStatsPrintWhatChanged(t *testing.T) {
	r, s := counting(t, run.Globals{Output: "jsonl"})
	for i, of := range []string{"", "a", "", "b", "a", ""} {
		if of != "" {
			if err := s.take(comes(of, fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.news(moment.Add(time.Duration(i) * time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(`[["a",1],["b",1],["a",2]]`, gjson.Get(r.Out.String(), "..#.[queue,offered]").Raw); diff != "" {
		t.Error(diff)
	}
}

// A condition is about the figures as they are at that moment.
func TestStatsThatMeetACondition(t *testing.T) {
	r, s := counting(t, run.Globals{Output: "jsonl"}, "offered>1")
	for i, of := range []string{"a", "b", "a"} {
		if err := s.take(comes(of, fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.print(moment); err != nil {
		t.Fatal(err)
	}
	if err := s.Out.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`[["a",2]]`, gjson.Get(r.Out.String(), "..#.[queue,offered]").Raw); diff != "" {
		t.Error(diff)
	}
}

// What the user may not list is told once the node has been listed, and not before.
func TestStatsTellWhatLacks(t *testing.T) {
	r, s := counting(t, run.Globals{Output: "jsonl"})
	node := &state.Node{Node: "pbx1"}
	for _, op := range []state.Op{state.OpAdd, state.OpChange} {
		if err := s.take(&state.Change{Op: op, Node: "pbx1", Time: moment, Object: node}); err != nil {
			t.Fatal(err)
		}
	}
	if said := r.Err.String(); said != "" {
		t.Errorf("before it was listed it says %q", said)
	}
}

// capture is one of a call in a queue that is answered after 3 seconds.
const capture = `Event: QueueCallerJoin
Timestamp: 1795435200.000000
Queue: q
Position: 1
Channel: PJSIP/a-1
Uniqueid: 1
Linkedid: 1

Event: QueueCallerLeave
Timestamp: 1795435203.000000
Queue: q
Position: 1
Channel: PJSIP/a-1
Uniqueid: 1
Linkedid: 1

Event: AgentConnect
Timestamp: 1795435203.000000
Queue: q
Channel: PJSIP/a-1
Uniqueid: 1
Linkedid: 1
Interface: PJSIP/ann
MemberName: Ann
HoldTime: 3
DestUniqueid: m

`

// Files are counted to their end, without a server.
func TestStatsOfAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "capture.txt")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(capture, "\n", "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	for level, want := range map[time.Duration]string{0: `["q",1,1,1]`, 2 * time.Second: `["q",1,1,0]`} {
		r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "jsonl"}})
		o := &options{parts: []string{"queues"}, stats: true, from: flags.List{file}}
		if level > 0 {
			o.level = given(level)
		}
		if err := show(t.Context(), r.Run, o); err != nil {
			t.Fatal(err)
		}
		if got := gjson.Get(r.Out.String(), "[queue,offered,answered,in_sl]").Raw; got != want {
			t.Errorf("within %s: %s, want %s, of %s%s", level, got, want, r.Out, r.Err)
		}
	}
	r := runtest.New(t, runtest.Setup{})
	err := show(t.Context(), r.Run, &options{parts: []string{"queues"}, stats: true, from: flags.List{file + "x"}})
	if err == nil || !strings.Contains(fail.Classify(err).Message, "capture.txtx") {
		t.Errorf("of no file: %v", err)
	}
}

// A mark of a node that was listed is an object, or a line for people; steps and records are nobody's.
func TestFollowPrints(t *testing.T) {
	queue := &state.Queue{Node: "pbx1", Name: "sales", Callers: 1}
	node := &state.Node{Node: "pbx1"}
	call := &state.Call{Node: "pbx1", Linkedid: "1"}
	changes := []state.Change{
		{Op: state.OpAdd, Node: "pbx1", Object: node, Time: moment},
		{Op: state.OpSynced, Node: "pbx1", Object: node, Time: moment},
		{Op: state.OpAdd, Node: "pbx1", Object: call, Time: moment},
		{Op: state.OpAdd, Node: "pbx1", Object: queue},
		{Op: state.OpChange, Node: "pbx1", Object: queue, Time: moment, Changed: []string{"callers"}},
		{Op: state.OpStep, Node: "pbx1", Object: call, Time: moment},
		{Op: state.OpRecord, Node: "pbx1", Object: call, Time: moment},
		{Op: state.OpRemove, Node: "pbx1", Object: queue, Time: moment, Changed: []string{"x"}},
		{Op: state.OpReset, Lost: 1, Time: moment},
	}
	for name, test := range map[string]struct {
		form  string
		kinds []state.Kind
		want  string
	}{
		"objects":        {"jsonl", []state.Kind{state.KindQueue}, `node add false true; synced  false true; queue add false false; queue change true true; queue remove false true; gap  false true`},
		"of nodes alone": {"jsonl", []state.Kind{state.KindNode}, `node add false true; synced  false true; gap  false true`},
	} {
		t.Run(name, func(t *testing.T) {
			r, f := followed(t, test.form, test.kinds)
			for i := range changes {
				if err := f.take(&changes[i]); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.Out.Close(); err != nil {
				t.Fatal(err)
			}
			var got []string
			for line := range strings.Lines(r.Out.String()) {
				of := gjson.GetMany(line, "type", "op", "changed", "time")
				got = append(got, fmt.Sprintf("%s %s %t %t", of[0].Str, of[1].Str, of[2].Exists(), of[3].Exists()))
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "; ")); diff != "" {
				t.Errorf("%s%s", diff, r.Out)
			}
			if want := "amictl: 1 change was dropped: the reader"; !strings.Contains(r.Err.String(), want) {
				t.Errorf("it says %q", r.Err)
			}
		})
	}
	r, f := followed(t, "table", []state.Kind{state.KindQueue})
	for i := range changes {
		if err := f.take(&changes[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Out.Close(); err != nil {
		t.Fatal(err)
	}
	var words []string
	for line := range strings.Lines(r.Out.String()) {
		words = append(words, strings.Join(strings.Fields(line)[2:4], " ")) // behind its date and time
	}
	if diff := cmp.Diff([]string{"add node", "synced pbx1", "add queue", "change queue", "remove queue", "gap 1"}, words); diff != "" {
		t.Errorf("%s%s", diff, r.Out)
	}
}

// followed is a view of these kinds that is followed, of a server that nobody has dialled.
func followed(t *testing.T, form string, kinds []state.Kind) (*runtest.Run, *follow) {
	t.Helper()
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{runtest.Server(t, "pbx1")}, Flags: run.Globals{Output: form}})
	var parts []*objects.Part
	for _, k := range kinds {
		parts = append(parts, objects.PartOf(k))
	}
	v, err := held.NewView(t.Context(), r.Run, parts, nil, run.Endless, &target.Bus{})
	if err != nil {
		t.Fatal(err)
	}
	return r, newFollow(v)
}

// Nodes meet conditions only if they are asked for among other parts.
func TestWhichNodesAreMarks(t *testing.T) {
	all := make([]state.Kind, 0, len(objects.Parts))
	for _, p := range objects.Parts {
		all = append(all, p.Kind)
	}
	for name, test := range map[string]struct {
		kinds []state.Kind
		marks bool
	}{
		"everything":    {all, true},
		"nodes alone":   {[]state.Kind{state.KindNode}, false},
		"nodes and one": {[]state.Kind{state.KindNode, state.KindQueue}, false},
		"one":           {[]state.Kind{state.KindQueue}, true},
	} {
		if _, f := followed(t, "jsonl", test.kinds); f.marks != test.marks {
			t.Errorf("%s: %t", name, f.marks)
		}
	}
}

// A part that nobody has is refused with where it may be; without a name there are all.
func TestParts(t *testing.T) {
	all, err := parseParts(nil)
	if err != nil || len(all) != len(objects.Parts) {
		t.Errorf("%d parts, %v", len(all), err)
	}
	some, err := parseParts([]string{"queues", "channels"})
	if err != nil || len(some) != 2 || some[0].Name != "channels" || some[1].Name != "queues" {
		t.Errorf("%v, %v", some, err)
	}
	for name, hint := range map[string]string{"queuse": "did you mean queues?", "zzzzzz": "the parts are "} {
		_, err := parseParts([]string{"queues", name})
		runtest.Refused(t, err, fail.CodeUsage, fmt.Sprintf("there is no part %q", name))
		if f := fail.Classify(err); !strings.HasPrefix(f.Hint, hint) {
			t.Errorf("%s: the hint is %q", name, f.Hint)
		}
	}
}
