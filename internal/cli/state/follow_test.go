package state

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

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

// A following reads what a state --follow prints, until the test ends.
type following struct {
	t    *testing.T
	r    *runtest.Run
	read int // lines
	end  chan error
	stop context.CancelFunc
}

func begin(t *testing.T, output string, o options, servers ...*amitest.Server) *following {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &following{t: t, r: runtest.New(t, runtest.Setup{Servers: servers, Flags: run.Globals{Output: output}}), end: make(chan error, 1), stop: cancel}
	o.follow = true
	go func() { f.end <- show(ctx, f.r.Run, &o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-f.end; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	})
	return f
}

// until returns what path finds in each new line up to the first in which the condition, a gjson query, holds.
func (f *following) until(condition, path string) (found []string) {
	f.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		lines := strings.SplitAfter(f.r.Out.String(), "\n")
		for _, line := range lines[f.read : len(lines)-1] {
			f.read++
			if text := gjson.Get(line, path); text.Exists() {
				found = append(found, serial.ReplaceAllString(text.String(), ""))
			}
			if gjson.Get("["+line+"]", "#("+condition+")").Exists() {
				return found
			}
		}
	}
	f.t.Fatalf("nothing came with %s: %s%s", condition, f.r.Out, f.r.Err)
	return nil
}

func TestFollow(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	f := begin(t, "jsonl", options{parts: []string{"calls"}}, srv)
	f.until(`type="synced"`, "type")
	caller, callee := talk(srv, "bob", "alice")
	const brief = `[op,state,changed]`
	if got := f.until(`state="talking"`, brief); len(got) < 2 || !strings.HasPrefix(got[0], `["add"`) || !strings.HasPrefix(got[len(got)-1], `["change","talking",[`) {
		t.Errorf("the call came as %s", got)
	}
	srv.Hangup(caller, 16)
	srv.Hangup(callee, 16)
	got := f.until(`op="remove"`, "type")
	if diff := cmp.Diff("live-call", got[len(got)-1]); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A node that is lost is stale until it is synced again, and what ended meanwhile is removed before that. Its own object comes
// though nobody asked for nodes, and though it does not meet the condition.
func TestFollowOverALostConnection(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	caller, _ := talk(srv, "bob", "alice")
	f := begin(t, "jsonl", options{parts: []string{"channels"}, where: flags.List{"endpoint=PJSIP/bob"}}, srv)
	if got := f.until(`type="synced"`, `[op,endpoint]`); !strings.Contains(strings.Join(got, " "), `["add","PJSIP/bob"]`) || strings.Contains(strings.Join(got, " "), "alice") {
		t.Errorf("there is %s", got)
	}
	srv.SetDown(true)
	srv.Kick()
	if got := f.until(`stale=true`, `[type,op,stale]`); got[len(got)-1] != `["node","change",true]` {
		t.Errorf("the loss is %s", got)
	}
	srv.Hangup(caller, 16)
	srv.SetDown(false)
	got := strings.Join(f.until(`type="synced"`, `[type,op]`), " ")
	if want := `["channel","remove"]`; !strings.Contains(got, want) {
		t.Errorf("%s is not in %s", want, got)
	}
}

// Who asks for a condition is told of what comes to meet it, and of what meets it no more.
func TestFollowACondition(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	srv.State().AddQueue(amitest.Queue{Name: "sales", Members: []amitest.QueueMember{{Name: "Alice", Interface: "PJSIP/alice"}, {Name: "Bob", Interface: "PJSIP/bob"}}})
	f := begin(t, "jsonl", options{parts: []string{"members"}, where: flags.List{"paused=true"}}, srv)
	f.until(`type="synced"`, "type")
	for _, step := range []struct {
		status int
		paused bool
		want   string
	}{
		{1, true, `["add","not-in-use"]`},
		{2, true, `["change","in-use",["state"]]`},
		{2, false, `["remove","in-use"]`},
		{1, true, `["add","not-in-use"]`},
	} {
		srv.SetMember("sales", "PJSIP/bob", step.status, false, "")
		srv.SetMember("sales", "PJSIP/alice", step.status, step.paused, "")
		got := f.until(`type="member"`, `[op,state,changed]`)
		if diff := cmp.Diff(step.want, got[len(got)-1]); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// People get a line a change.
func TestFollowAsLines(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: "table"}})
	talk(srv, "bob", "alice")
	o := &options{parts: []string{"channels"}, follow: true, length: flags.Duration{Value: 300 * time.Millisecond, Given: true}}
	if err := show(t.Context(), r.Run, o); err != nil {
		t.Fatal(err)
	}
	got := serial.ReplaceAllString(r.Out.String(), "")
	for _, want := range []string{"  add     channel  pbx1  PJSIP/alice  state=up  caller_number=10", "  synced  pbx1\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in:\n%s", want, got)
		}
	}
}

func TestFollowOfNobody(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	srv.SetDown(true)
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	err := show(t.Context(), r.Run, &options{follow: true})
	if got := fail.Classify(err).Exit; got != fail.ExitConnect || r.Out.String() != "" {
		t.Errorf("status %d, printed %s: %v", got, r.Out, err)
	}
}

// Who was too slow is told that all he has is void; what meets the condition comes as an add again.
func TestFollowTooSlow(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{runtest.Server(t, "pbx1")}, Flags: run.Globals{Output: "jsonl"}})
	view, err := held.NewView(t.Context(), r.Run, []*objects.Part{objects.PartOf(state.KindQueue)}, flags.List{"callers>0"}, run.Endless, &target.Bus{})
	if err != nil {
		t.Fatal(err)
	}
	v := newFollow(view)
	queue := &state.Queue{Node: "pbx1", Name: "sales", Callers: 1}
	for _, ch := range []state.Change{
		{Op: state.OpAdd, Node: "pbx1", Object: queue},
		{Op: state.OpReset, Lost: 3},
		{Op: state.OpAdd, Node: "pbx1", Object: queue},
		{Op: state.OpChange, Node: "pbx1", Object: queue, Changed: []string{"members"}},
		{Op: state.OpRemove, Node: "pbx1", Object: queue},
		{Op: state.OpRemove, Node: "pbx1", Object: queue},
	} {
		if err := v.take(&ch); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Out.Close(); err != nil {
		t.Fatal(err)
	}
	if got := gjson.Get(r.Out.String(), "..#.op").Raw; got != `["add","add","change","remove"]` {
		t.Errorf("the queue came as %s", got)
	}
	if got := gjson.Get(r.Out.String(), "..1|[@this].#.[type,reason,dropped]").Raw; got != `[["gap","overflow",3]]` {
		t.Errorf("the loss is %s", got)
	}
}
