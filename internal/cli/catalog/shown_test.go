package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/catalog"
	"github.com/apntalk/amictl/pkg/output"
)

// park is an action with all that the catalogue may know of one; tell has nothing.
var (
	park = catalog.Action{
		Name: "Park", Classes: []string{"call", "all"}, EndEvent: "Parked", Legacy: true, Odd: catalog.Glued,
		Params: []catalog.Param{{Name: "ActionID"}, {Name: "Channel", Required: true}, {Name: "Timeout"}, {Name: "Lot", Required: true}},
	}
	tell = catalog.Action{Name: "Tell", ReadOnly: true}
)

// written is what a printer for this format writes of a record, or of what else it is given.
func written(t *testing.T, form output.Format, width int, do func(p *output.Printer) error) string {
	t.Helper()
	var b strings.Builder
	p := output.NewPrinter(&b, output.Options{Format: form, Width: width})
	if err := errors.Join(do(p), p.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// texts are the cells of a record as a table has them.
func texts(r output.Record) map[string]string {
	all := make(map[string]string)
	for _, f := range r {
		if s, ok := f.Value.(string); ok && f.Text == "" {
			f.Text = s
		}
		all[f.Key] = f.Text
	}
	return all
}

func TestActionForPrograms(t *testing.T) {
	for _, test := range []struct {
		of   catalog.Action
		want string
	}{
		{park, `{"action":"Park","classes":["call","all"],"read_only":false,"legacy":true,"end_event":"Parked","odd_answer":"` + string(catalog.Glued) + `","params":["ActionID","Channel","Timeout","Lot"],"required":["Channel","Lot"]}`},
		{tell, `{"action":"Tell","classes":[],"read_only":true,"legacy":false,"params":[],"required":[]}`},
	} {
		got := written(t, output.JSONLines, 0, func(p *output.Printer) error { return p.Record(actionRecord(&test.of)) })
		if diff := cmp.Diff(test.want+"\n", got); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff(map[string]string{
		"action": "Park", "classes": "call,all", "read_only": "no", "legacy": "yes", "end_event": "Parked", "odd_answer": string(catalog.Glued),
		"params": "ActionID Channel* Timeout Lot*", "required": "Channel Lot",
	}, texts(actionRecord(&park))); diff != "" {
		t.Error(diff)
	}
	if got := texts(actionRecord(&tell))["classes"]; got != "-" {
		t.Errorf("no class is %q", got)
	}
}

// People see no ActionID, which is amictl's own, and a * at what is required.
func TestActionInATable(t *testing.T) {
	for _, test := range []struct {
		of   catalog.Action
		want map[string]string
	}{
		{park, map[string]string{"action": "Park", "needs": "call,all", "does": "changes, old", "parameters": "Channel* Timeout Lot*", "list ends with": "Parked"}},
		{tell, map[string]string{"action": "Tell", "needs": "", "does": "reads", "parameters": "", "list ends with": ""}},
	} {
		if diff := cmp.Diff(test.want, texts(actionRow(&test.of))); diff != "" {
			t.Error(diff)
		}
	}
}

// One action is told of in lines; what there is nothing to say of is left out, and what is long goes on under itself.
func TestActionInDetail(t *testing.T) {
	for _, test := range []struct {
		of    catalog.Action
		width int
		want  string
	}{
		{park, 0, `action      Park
required    Channel Lot
optional    Timeout
classes     call or all (in write= of the user in manager.conf)
answer      a list; ends with Parked
odd         without a blank line between the items
only reads  no
example     amictl send Park Channel=… Lot=…
legacy      gone from current releases
`},
		{tell, 40, `action      Tell
required    -
optional    -
classes     none (in write= of the user
            in manager.conf)
answer      the response
only reads  yes
example     amictl send Tell
`},
	} {
		got := written(t, output.TableText, test.width, func(p *output.Printer) error { return actionDetail(p, &test.of) })
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Error(diff)
		}
	}
	queues, _ := catalog.Lookup("QueueStatus")
	if got := answer(&queues); got != "a list of QueueEntry, QueueMember, QueueParams; ends with QueueStatusComplete" {
		t.Errorf("QueueStatus is answered with %s", got)
	}
}

// rare is an event with all that the catalogue may know of one; plain has nothing.
var (
	rare = catalog.Event{
		Name: "QueueStatusComplete", Classes: []string{"agent", "call"}, Since: "14", Removed: "19", Answers: []string{"QueueStatus"}, Open: true,
		Headers: []catalog.Header{{Name: "A"}, {Name: "B", Optional: true}, {Name: "C", Repeats: true}, {Name: "D", Optional: true, Repeats: true}},
	}
	plain = catalog.Event{Name: "Plain"}
)

func TestEventForPrograms(t *testing.T) {
	for _, test := range []struct {
		of   catalog.Event
		want string
	}{
		{rare, `{"event":"QueueStatusComplete","classes":["agent","call"],"since":"14","removed":"19","answers":["QueueStatus"],"ends":["QueueStatus"],"headers":["A","B","C","D"],"optional":["B","D"],"repeats":["C","D"],"any_header":true}`},
		{plain, `{"event":"Plain","classes":[],"headers":[],"optional":[],"repeats":[],"any_header":false}`},
	} {
		got := written(t, output.JSONLines, 0, func(p *output.Printer) error { return p.Record(eventRecord(&test.of)) })
		if diff := cmp.Diff(test.want+"\n", got); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff(map[string]string{
		"event": "QueueStatusComplete", "classes": "agent,call", "since": "14", "removed": "19", "answers": "QueueStatus", "ends": "QueueStatus",
		"headers": "A [B] C... [D]... and any others", "optional": "B D", "repeats": "C D", "any_header": "yes",
	}, texts(eventRecord(&rare))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"event": "QueueStatusComplete", "needs": "agent,call", "versions": "14 to before 19", "in answers to": "QueueStatus QueueStatus"}, texts(eventRow(&rare))); diff != "" {
		t.Error(diff)
	}
}

func TestEventInDetail(t *testing.T) {
	answered := plain
	answered.Answers = []string{"Nosuch", "QueuePause"}
	for _, test := range []struct {
		of   catalog.Event
		want string
	}{
		{rare, `event       QueueStatusComplete
classes     agent and call (in read= of the user in manager.conf)
versions    14 to before 19
answers     QueueStatus
ends        QueueStatus
headers     A [B] C... [D]... and any others
example     amictl tail QueueStatusComplete
`},
		{plain, "event       Plain\nclasses     none: it only comes in answers\nversions    13 and later\n"},
		{answered, "event       Plain\nclasses     none: it only comes in answers\nversions    13 and later\nanswers     Nosuch QueuePause\nexample     amictl send QueuePause Interface=… Paused=…\n"},
	} {
		got := written(t, output.TableText, 0, func(p *output.Printer) error { return eventDetail(p, &test.of) })
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Error(diff)
		}
	}
	for want, e := range map[string]catalog.Event{"": {}, "14 and later": {Since: "14"}, "before 19": {Removed: "19"}, "14 to before 19": rare} {
		if got := versions(&e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// People get one thing in detail and several in a table; programs, and who chooses columns, get objects as they are.
func TestWhoGetsWhat(t *testing.T) {
	for name, test := range map[string]struct {
		do    func(context.Context, *run.Run, *options) error
		flags run.Globals
		args  []string
		want  string // how it begins
	}{
		"an action":                  {actions, run.Globals{Output: "table"}, []string{"queuepause"}, "action      QueuePause\nrequired    Interface Paused\n"},
		"several actions":            {actions, run.Globals{Output: "table"}, []string{"QueueP*"}, "action        needs"},
		"an action's chosen columns": {actions, run.Globals{Output: "table", Fields: "action,required"}, []string{"QueuePause"}, "action      required"},
		"an action for programs":     {actions, run.Globals{}, []string{"QueuePause"}, `{"action":"QueuePause","classes":["agent"],`},
		"an event":                   {events, run.Globals{Output: "table"}, []string{"hangup"}, "event       Hangup\nclasses     call (in read="},
		"several events":             {events, run.Globals{Output: "table"}, []string{"Hang*"}, "event              needs"},
		"an event's chosen columns":  {events, run.Globals{Output: "table", Fields: "event,classes"}, []string{"Hangup"}, "event   classes\nHangup  call\n"},
		"an event for programs":      {events, run.Globals{}, []string{"Hangup"}, `{"event":"Hangup","classes":["call"],`},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Flags: test.flags})
			if err := test.do(t.Context(), r.Run, &options{args: test.args}); err != nil {
				t.Fatal(err)
			}
			if got := r.Out.String(); !strings.HasPrefix(got, test.want) {
				t.Errorf("it prints %s", got)
			}
		})
	}
}

// Without a name there is everything, as a list of its own in JSON; a single thing is no list.
func TestAllOfTheCatalogue(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(context.Context, *run.Run, *options) error
		all  int
		some string
	}{
		"actions": {actions, len(catalog.Actions()), "Ping"},
		"events":  {events, len(catalog.Events()), "Hangup"},
	} {
		r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "json"}})
		if err := test.do(t.Context(), r.Run, &options{}); err != nil {
			t.Fatal(err)
		}
		if all := gjson.Parse(r.Out.String()); !json.Valid([]byte(r.Out.String())) || !all.IsArray() || len(all.Array()) != test.all {
			t.Errorf("%s: there are %d, want %d", name, len(all.Array()), test.all)
		}
		r = runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "json"}})
		if err := test.do(t.Context(), r.Run, &options{args: []string{test.some}}); err != nil || !gjson.Parse(r.Out.String()).IsObject() {
			t.Errorf("%s: one is %s, %v", name, r.Out, err)
		}
		runtest.Refused(t, test.do(t.Context(), r.Run, &options{args: []string{"a", "b"}}), fail.CodeUsage, "amictl "+name+" takes one name")
	}
}

// Of a server's actions only those that are named are told, without what is no action.
func TestLiveActionsByName(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	srv.Handle("ListCommands", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.Reply("Success", amitest.Header{Name: "QueueAdd", Value: "Add a member.  (Priv: agent,all)"}, amitest.Header{Name: "QueueMine", Value: "Mine.  (Priv: <none>)"}, amitest.Header{Name: "Ping", Value: "Ping."})
	})
	for args, want := range map[string]string{
		"":       `[["QueueAdd",["agent"],true,"Add a member."],["QueueMine",[],false,"Mine."],["Ping",[],true,"Ping."]]`,
		"queue*": `[["QueueAdd",["agent"],true,"Add a member."],["QueueMine",[],false,"Mine."]]`,
	} {
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
		if err := actions(t.Context(), r.Run, &options{live: true, args: strings.Fields(args)}); err != nil {
			t.Fatal(err)
		}
		if got := gjson.Get(r.Out.String(), "..#.[action,classes,in_catalogue,summary]").Raw; got != want {
			t.Errorf("%q: %s, want %s", args, got, want)
		}
	}
	srv.Handle("ListCommands", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("Not now") })
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	runtest.Refused(t, actions(t.Context(), r.Run, &options{live: true}), fail.CodeRefused, "ListCommands: Not now")
}
