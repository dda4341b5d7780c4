package held

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// parts are the parts of kinds.
func parts(kinds ...state.Kind) (all []*objects.Part) {
	for _, k := range kinds {
		all = append(all, objects.PartOf(k))
	}
	return all
}

// pbx is a server with two queues and a member.
func pbx(t *testing.T, name string, options ...amitest.Option) *amitest.Server {
	t.Helper()
	srv := runtest.Server(t, name, options...)
	srv.State().AddQueue(amitest.Queue{Name: "sales", Members: []amitest.QueueMember{{Name: "Alice", Interface: "PJSIP/alice"}}})
	srv.State().AddQueue(amitest.Queue{Name: "support"})
	return srv
}

// A scene is a view of servers.
type scene struct {
	servers []*amitest.Server
	kinds   []state.Kind
	where   flags.List
	output  string
	fields  string
	timeout time.Duration // 0: the default
	kind    run.Stream
}

func (s scene) view(t *testing.T) (*runtest.Run, *View, error) {
	t.Helper()
	if s.output == "" {
		s.output = "jsonl"
	}
	r := runtest.New(t, runtest.Setup{Servers: s.servers, Flags: run.Globals{Output: s.output, Fields: s.fields}})
	if s.timeout > 0 {
		r.Settings.Timeout = s.timeout
	}
	kind := s.kind
	if kind == 0 {
		kind = run.Records
	}
	v, err := NewView(t.Context(), r.Run, parts(s.kinds...), s.where, kind, &target.Bus{})
	return r, v, err
}

var (
	queues  = []state.Kind{state.KindQueue}
	members = []state.Kind{state.KindQueue, state.KindMember}
)

func TestViewsThatAreRefused(t *testing.T) {
	srv := pbx(t, "pbx1")
	one := []*amitest.Server{srv}
	for name, tt := range map[string]struct {
		scene scene
		wrong string
	}{
		"no condition":       {scene{servers: one, kinds: queues, where: flags.List{"name"}}, "name"},
		"no such key":        {scene{servers: one, kinds: queues, where: flags.List{"nam=x"}}, "nam"},
		"another part's key": {scene{servers: one, kinds: queues, where: flags.List{"uniqueid=1"}}, "uniqueid"},
		"no node":            {scene{kinds: queues}, "no node is given"},
		"raw":                {scene{servers: one, kinds: queues, output: "raw"}, "-o raw"},
		"CSV without end":    {scene{servers: one, kinds: queues, output: "csv", kind: run.Endless}, "-o csv needs --fields here"},
		"a document for it":  {scene{servers: one, kinds: queues, output: "json", kind: run.Endless}, "-o json is one document"},
	} {
		_, _, err := tt.scene.view(t)
		if f := fail.Classify(err); f.Code != fail.CodeUsage || !strings.Contains(f.Message, tt.wrong) || f.Hint == "" {
			t.Errorf("%s: %+v", name, f)
		}
	}
	_, _, err := scene{servers: one, kinds: queues, output: "csv", kind: run.Endless}.view(t)
	if f := fail.Classify(err); !strings.Contains(f.Hint, "--fields node,name") {
		t.Errorf("the hint is %q", f.Hint)
	}
	for _, s := range []scene{{servers: one, kinds: queues, output: "csv"}, {servers: one, kinds: queues, output: "csv", fields: "name", kind: run.Endless}} {
		if _, _, err := s.view(t); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if n := srv.Ledger().Accepted; n != 0 {
		t.Errorf("the server was dialled %d times", n)
	}
}

// A view of a record has no servers, and asks for none.
func TestViewOfARecord(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	v, err := NewView(t.Context(), r.Run, parts(state.KindQueue), nil, run.Records, nil)
	if err != nil || len(v.Nodes) > 0 || v.IsTable() {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestPartsOfAView(t *testing.T) {
	for _, tt := range []struct {
		kinds, asked []state.Kind
		queues       bool
	}{
		{members, members, true},
		{queues, queues, true},
		{[]state.Kind{state.KindMember}, []state.Kind{state.KindMember}, false},
		{[]state.Kind{state.KindNode}, nil, false}, // all that says how they are known
		{[]state.Kind{state.KindNode, state.KindQueue}, []state.Kind{state.KindNode, state.KindQueue}, true},
	} {
		v := &View{Parts: parts(tt.kinds...)}
		if diff := cmp.Diff(tt.asked, v.Kinds()); diff != "" || v.Has(state.KindQueue) != tt.queues || (v.Part(state.KindQueue) != nil) != tt.queues {
			t.Errorf("%v: %s", tt.kinds, diff)
		}
	}
}

// What a snapshot prints, what it says, and how it ends.
func TestSnapshots(t *testing.T) {
	one, two := pbx(t, "pbx1"), pbx(t, "pbx2")
	away, gone := pbx(t, "away"), pbx(t, "gone")
	away.SetDown(true)
	gone.SetDown(true)
	old := pbx(t, "old")
	old.Handle("QueueStatus", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("Invalid/unknown command: QueueStatus") })
	stern := pbx(t, "stern", amitest.WithUsers(amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Read: amitest.ClassAll, Write: amitest.ParseClass("originate")}))
	stern.HandleClass("QueueStatus", amitest.ParseClass("reporting"), func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Ack("never") })
	for name, tt := range map[string]struct {
		scene scene
		path  string
		want  string
		says  string // in lines, as they begin
		exit  int
	}{
		"queues":             {scene{servers: []*amitest.Server{one}, kinds: queues}, "..#.[type,name]", `[["queue","sales"],["queue","support"]]`, "", fail.ExitOK},
		"some of them":       {scene{servers: []*amitest.Server{one}, kinds: queues, where: flags.List{"name=sales"}}, "..#.name", `["sales"]`, "", fail.ExitOK},
		"none of them":       {scene{servers: []*amitest.Server{one}, kinds: queues, where: flags.List{"name=x"}}, "..#", "0", "", fail.ExitOK},
		"by node":            {scene{servers: []*amitest.Server{one, two}, kinds: queues, where: flags.List{"node=pbx2", "name=sales"}}, "..#.[node,name]", `[["pbx2","sales"]]`, "", fail.ExitOK},
		"two parts":          {scene{servers: []*amitest.Server{one}, kinds: members}, "..#.type", `["queue","queue","member"]`, "", fail.ExitOK},
		"one of two is away": {scene{servers: []*amitest.Server{one, away}, kinds: queues}, "..#.[type,node]", `[["queue","pbx1"],["queue","pbx1"],["error","away"]]`, "amictl: away: it sent no greeting", fail.ExitMixed},
		"the only one":       {scene{servers: []*amitest.Server{away}, kinds: queues}, "..#", "0", "", fail.ExitConnect},
		"all are away":       {scene{servers: []*amitest.Server{away, gone}, kinds: queues}, "..#.[type,node]", `[["error","away"],["error","gone"]]`, "amictl: away: it sent", fail.ExitConnect},
		"it has no queues":   {scene{servers: []*amitest.Server{old}, kinds: members}, "..#", "0", "amictl: old: the server has no list of queues, members", fail.ExitOK},
		"not allowed":        {scene{servers: []*amitest.Server{stern}, kinds: members}, "..#", "0", "amictl: stern: the user may not list queues, members; write=system,reporting,call in manager.conf allows it", fail.ExitOK},
	} {
		t.Run(name, func(t *testing.T) {
			r, v, err := tt.scene.view(t)
			if err != nil {
				t.Fatal(err)
			}
			err = v.Snapshot(t.Context())
			if f := fail.Classify(err); f.Exit != tt.exit {
				t.Errorf("status %d, want %d: %s", f.Exit, tt.exit, f.Message)
			}
			if got := gjson.Get(r.Out.String(), tt.path).String(); got != tt.want {
				t.Errorf("%s is %s, want %s", tt.path, got, tt.want)
			}
			if said := r.Err.String(); !strings.HasPrefix(said, tt.says) || tt.says == "" && said != "" {
				t.Errorf("it says %q, want %q", said, tt.says)
			}
		})
	}
}

// All that is away by a refused login and by a connection is away: that is one status and no mixture.
func TestSnapshotOfNobody(t *testing.T) {
	away, stern := pbx(t, "away"), pbx(t, "stern", amitest.WithFailDelay(0))
	away.SetDown(true)
	stern.Deny(true)
	_, v, err := scene{servers: []*amitest.Server{away, stern}, kinds: queues}.view(t)
	if err != nil {
		t.Fatal(err)
	}
	if f := fail.Classify(v.Snapshot(t.Context())); f.Exit != fail.ExitConnect || !f.Silent {
		t.Errorf("%+v", f)
	}
	_, v, err = scene{servers: []*amitest.Server{stern}, kinds: queues}.view(t)
	if err != nil {
		t.Fatal(err)
	}
	if f := fail.Classify(v.Snapshot(t.Context())); f.Exit != fail.ExitLogin {
		t.Errorf("%+v", f)
	}
}

// Tables of several parts stand under their names; one alone needs none.
func TestHeadings(t *testing.T) {
	srv := pbx(t, "pbx1")
	for heading, kinds := range map[bool][]state.Kind{false: queues, true: members} {
		r, v, err := scene{servers: []*amitest.Server{srv}, kinds: kinds, output: "table"}.view(t)
		if err != nil || !v.IsTable() {
			t.Fatalf("%v, table %t", err, v.IsTable())
		}
		if err := v.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		if text := r.Out.String(); strings.Contains(text, "queues") != heading || !strings.Contains(text, "support") {
			t.Errorf("heading %t: %s", heading, text)
		}
	}
}

// A server that does not answer in time is told of.
func TestSnapshotThatIsNotListed(t *testing.T) {
	slow := pbx(t, "slow")
	slow.Inject(amitest.Fault{Kind: "drop", Action: "QueueStatus", Times: -1})
	_, v, err := scene{servers: []*amitest.Server{slow}, kinds: queues, timeout: 100 * time.Millisecond}.view(t)
	if err != nil {
		t.Fatal(err)
	}
	runtest.Refused(t, v.Snapshot(t.Context()), fail.CodeTimeout, "slow: it was not listed completely within 100ms")
}

// The --deadline ends a snapshot with what there is; a signal with nothing.
func TestSnapshotThatIsCutShort(t *testing.T) {
	slow := pbx(t, "slow")
	slow.Inject(amitest.Fault{Kind: "drop", Action: "QueueStatus", Times: -1})
	r, v, err := scene{servers: []*amitest.Server{slow}, kinds: []state.Kind{state.KindNode}}.view(t)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := v.Snapshot(ctx); !errors.Is(err, context.DeadlineExceeded) || gjson.Get(r.Out.String(), "..0.node").String() != "slow" {
		t.Errorf("%v: %s", err, r.Out)
	}
	stopped, stop := context.WithCancelCause(t.Context())
	stop(&run.SignalError{Signal: syscall.SIGINT})
	r, v, err = scene{servers: []*amitest.Server{slow}, kinds: []state.Kind{state.KindNode}}.view(t)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Snapshot(stopped); !errors.Is(err, context.Canceled) || r.Out.String()+r.Err.String() != "" {
		t.Errorf("%v: %s%s", err, r.Out, r.Err)
	}
}

// What is not known of a node is said once, however often it was listed.
func TestNoteLacking(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	v := &View{Run: r.Run, Parts: parts(members...), said: make(map[string]bool), bus: &target.Bus{}}
	held := func(how string) *state.Node {
		return &state.Node{Node: "pbx1", Parts: map[string]string{"queues": how, "members": how}}
	}
	for range 2 {
		v.NoteLacking(held(state.Followed))
		v.NoteLacking(held(state.Absent))
	}
	if got := strings.Count(r.Err.String(), "\n"); got > 1 {
		t.Errorf("it says %q", r.Err)
	}
	v.noteEmpty()
	v.Where, _ = ParseWhere("name=x", v.Parts...)
	v.noteEmpty()
	if want := "amictl: no queues, no members\namictl: no queues, no members that meet --where\n"; !strings.HasSuffix(r.Err.String(), want) {
		t.Errorf("it says %q", r.Err)
	}
}

func TestConditionsOnObjects(t *testing.T) {
	now := time.Now()
	queue := &state.Queue{Node: "pbx1", Name: "sales"}
	for text, want := range map[string]bool{"name=sales": true, "name=x": false, "node=pbx1": true, "node=pbx2": false} {
		where, err := ParseWhere(text, parts(state.KindQueue)...)
		if err != nil {
			t.Fatal(err)
		}
		if got := Meets(where, "pbx1", queue, now); got != want {
			t.Errorf("%s: %t", text, got)
		}
		p := objects.PartOf(state.KindQueue)
		if got := (&View{Where: where}).Meets(p, "pbx1", p.Record(queue), now); got != want {
			t.Errorf("%s: %t of a view", text, got)
		}
	}
	p := objects.PartOf(state.KindQueue)
	if !(&View{}).Meets(p, "pbx1", p.Record(queue), now) {
		t.Error("without a condition all meet it")
	}
	where, _ := ParseWhere("name=sales", parts(state.KindQueue)...)
	if Meets(where, "pbx1", &state.Record{}, now) {
		t.Error("a record of a call is of no part")
	}
	for _, text := range []string{"name", "uniqueid=1"} {
		if _, err := ParseWhere(text, parts(state.KindQueue)...); fail.Classify(err).Code != fail.CodeUsage {
			t.Errorf("%s: %v", text, err)
		}
	}
}
