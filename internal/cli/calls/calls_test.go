package calls

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A running is a run of calls that goes on.
type running struct {
	*runtest.Run
	t    *testing.T
	end  chan error
	stop context.CancelFunc
}

func begin(t *testing.T, output string, o options, servers ...*amitest.Server) *running {
	ctx, cancel := context.WithCancel(t.Context())
	f := &running{t: t, Run: runtest.New(t, runtest.Setup{Servers: servers, Flags: run.Globals{Output: output}}), end: make(chan error, 1), stop: cancel}
	go func() { f.end <- calls(ctx, f.Run.Run, &o) }()
	t.Cleanup(cancel)
	return f
}

// until waits for a text on standard output, or error.
func (f *running) until(text string) {
	f.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(f.Out.String()+f.Err.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("%q never came: %s%s", text, f.Out, f.Err)
		}
	}
}

// ended waits for the end by itself.
func (f *running) ended() {
	f.t.Helper()
	if err := <-f.end; err != nil {
		f.t.Errorf("it ended with %v", err)
	}
}

// talk lets two talk, and returns their channels.
func talk(srv *amitest.Server, from, to string) (caller, callee amitest.Channel) {
	a := srv.Dial("", amitest.Channel{Name: "PJSIP/" + from, CallerIDNum: "20", CallerIDName: from})
	b := srv.Dial(a.Uniqueid, amitest.Channel{Name: "PJSIP/" + to, CallerIDNum: "10", CallerIDName: to})
	srv.Answer(b.Uniqueid)
	return a, b
}

// ready waits until the server was logged in to and has answered what it was asked for: channels, bridges, queues. What happens then
// comes behind these lists.
func ready(t *testing.T, srv *amitest.Server) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); srv.Ledger().RepliesSent < 4; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody asked for the lists")
		}
	}
	time.Sleep(begun)
}

// begun is a time in which this side surely follows what happens, which nothing tells.
const begun = 300 * time.Millisecond

func TestCallsThatEnd(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	talk(srv, "zoe", "yan") // up before, and for ever
	f := begin(t, "jsonl", options{where: flags.List{"callee.name!=carol"}, count: flags.Count{Value: 2, Given: true}}, srv)
	ready(t, srv)
	a, b := talk(srv, "bob", "alice")
	srv.Hangup(a.Uniqueid, 16)
	srv.Hangup(b.Uniqueid, 16)
	a, b = talk(srv, "bob", "carol")
	srv.Hangup(b.Uniqueid, 16)
	srv.Hangup(a.Uniqueid, 16)
	c := srv.Dial("", amitest.Channel{Name: "PJSIP/dave", Exten: "999"})
	srv.Hangup(c.Uniqueid, 1)
	f.ended()
	want := `[["answered","caller","bob","alice",2],["unavailable","caller",1]]`
	if diff := cmp.Diff(want, gjson.Get(f.Out.String(), "..#.[outcome,by,caller.name,callee.name,legs.#]").String()); diff != "" {
		t.Errorf("-want +got:\n%s\nof %s", diff, f.Out)
	}
}

// People get a line a call, and are told where some may be missing.
func TestCallsAsLines(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	f := begin(t, "table", options{}, srv)
	ready(t, srv)
	a, b := talk(srv, "bob", "alice")
	srv.Hold(b.Uniqueid, true)
	srv.BlindTransfer(b.Uniqueid, "302") // where it rings
	srv.Hangup(a.Uniqueid, 17)
	f.until("ended by")
	if want := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  answered     20 bob → 10 alice  .*blind by 10 to 302  ended by caller  User busy$`); !want.MatchString(f.Out.String()) {
		t.Errorf("printed %s", f.Out)
	}
	srv.Kick()
	f.until("events until it is back are missing")
	f.until("the connection was lost; trying to get it back")
	f.stop()
	if err := <-f.end; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func TestLive(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	talk(srv, "bob", "alice")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: "jsonl"}})
	if err := calls(t.Context(), r.Run, &options{live: true, where: flags.List{"state=talking"}}); err != nil {
		t.Fatal(err)
	}
	if got := gjson.Get(r.Out.String(), "..#.[type,caller.name,callee.name]").String(); got != `[["live-call","bob","alice"]]` {
		t.Errorf("printed %s", r.Out)
	}
}

// recorded writes events to a file, a second apart.
func recorded(t *testing.T, events ...string) string {
	var b strings.Builder
	for i, e := range events {
		name, rest, _ := strings.Cut(e, " ")
		fmt.Fprintf(&b, "Event: %s\r\nPrivilege: call,all\r\nTimestamp: %d.000000\r\n", name, 1_795_435_200+i)
		for kv := range strings.SplitSeq(rest, ";") {
			b.WriteString(strings.Replace(kv, "=", ": ", 1) + "\r\n")
		}
		b.WriteString("\r\n")
	}
	path := filepath.Join(t.TempDir(), "capture.txt")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// twoCalls are two calls that an attended transfer joins, and one that has nothing to do with them and does not end.
var twoCalls = []string{
	"Newchannel Channel=PJSIP/bob-1;ChannelState=4;Uniqueid=1;Linkedid=1;Exten=100;Context=in;CallerIDNum=20",
	"Newchannel Channel=PJSIP/alice-2;ChannelState=0;Uniqueid=2;Linkedid=1",
	"DialBegin Channel=PJSIP/bob-1;Uniqueid=1;Linkedid=1;DestChannel=PJSIP/alice-2;DestUniqueid=2;DestLinkedid=1",
	"VarSet Channel=PJSIP/bob-1;Uniqueid=1;Linkedid=1;Variable=X;Value=1",
	"Newchannel Channel=PJSIP/dave-9;ChannelState=4;Uniqueid=9;Linkedid=9",
	"Newstate Channel=PJSIP/alice-2;ChannelState=6;ChannelStateDesc=Up;Uniqueid=2;Linkedid=1",
	"BridgeEnter BridgeUniqueid=b1;BridgeType=basic;Channel=PJSIP/alice-2;ChannelState=6;Uniqueid=2;Linkedid=1",
	"BridgeEnter BridgeUniqueid=b1;BridgeType=basic;Channel=PJSIP/bob-1;ChannelState=6;Uniqueid=1;Linkedid=1",
	"Newchannel Channel=PJSIP/alice-3;ChannelState=4;Uniqueid=3;Linkedid=3",
	"Newchannel Channel=PJSIP/carol-4;ChannelState=6;Uniqueid=4;Linkedid=3",
	"BridgeEnter BridgeUniqueid=b1;BridgeType=basic;Channel=PJSIP/carol-4;ChannelState=6;Uniqueid=4;Linkedid=1",
	"Hangup Channel=PJSIP/alice-2;ChannelState=6;Uniqueid=2;Linkedid=1;Cause=16;Cause-txt=Normal Clearing",
	"Hangup Channel=PJSIP/alice-3;ChannelState=6;Uniqueid=3;Linkedid=3;Cause=16;Cause-txt=Normal Clearing",
	"Hangup Channel=PJSIP/carol-4;ChannelState=6;Uniqueid=4;Linkedid=1;Cause=16;Cause-txt=Normal Clearing",
	"Hangup Channel=PJSIP/bob-1;ChannelState=6;Uniqueid=1;Linkedid=1;Cause=16;Cause-txt=Normal Clearing",
}

func TestFrom(t *testing.T) {
	path := recorded(t, twoCalls...)
	for name, test := range map[string]struct {
		options    options
		path, want string
		notes      string
	}{
		"calls that ended":  {options{}, "..#.[type,linkedid,talk_us]", `[["call-record","3",0],["call-record","1",6000000]]`, "1 call was still up"},
		"a cause":           {options{where: flags.List{"legs.cause=16", "legs.channel=~carol"}}, "..#.linkedid", `["1"]`, "still up"},
		"enough":            {options{count: flags.Count{Value: 1, Given: true}}, "..#.linkedid", `["3"]`, ""},
		"those that are up": {options{live: true}, "..#.[type,linkedid]", `[["live-call","9"]]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "jsonl"}})
			test.options.from = flags.List{path}
			if err := calls(t.Context(), r.Run, &test.options); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, gjson.Get(r.Out.String(), test.path).String()); diff != "" {
				t.Errorf("-want +got:\n%s\nof %s", diff, r.Out)
			}
			if got := r.Err.String(); !strings.Contains(got, test.notes) || test.notes == "" && got != "" {
				t.Errorf("said %q, want %q", got, test.notes)
			}
		})
	}
}

func TestCallsRefuses(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	path := recorded(t, twoCalls...)
	for name, test := range map[string]struct {
		options options
		flags   run.Globals
		want    string
	}{
		"events without a timeline": {options{names: []string{"Hangup"}}, run.Globals{}, "go with --timeline"},
		"a timeline of several":     {options{timeline: "1", where: flags.List{"a=b"}}, run.Globals{}, "--timeline shows one call"},
		"a time of an instant":      {options{live: true, length: flags.Duration{Given: true}}, run.Globals{}, "--live ends by itself"},
		"servers of a file":         {options{from: flags.List{path}}, run.Globals{Nodes: flags.List{"pbx1"}}, "--from reads a file"},
		"no such key":               {options{where: flags.List{"talked=1"}}, run.Globals{}, "has a key talked"},
		"no such file":              {options{from: flags.List{path + "x"}}, run.Globals{}, "no such file"},
		"a document for ever":       {options{}, run.Globals{Output: "json"}, "one document"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: test.flags})
			runtest.Refused(t, calls(t.Context(), r.Run, &test.options), fail.CodeUsage, test.want)
			if n := srv.Ledger().Accepted; n != 0 {
				t.Errorf("the server was dialled %d times", n)
			}
		})
	}
}

// A user who may not read events of calls sees none end. --count and --for both end a run, and neither is a failure.
func TestNoCallEnds(t *testing.T) {
	for read, says := range map[string]bool{"system": true, "call": false} {
		srv := runtest.Server(t, "pbx1", amitest.WithUsers(amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Read: amitest.ParseClass(read), Write: amitest.ClassAll}))
		f := begin(t, "jsonl", options{length: flags.Duration{Value: time.Second, Given: true}, count: flags.Count{Value: 1, Given: true}}, srv)
		ready(t, srv)
		talk(srv, "bob", "alice") // it goes on
		f.ended()
		if said := strings.Contains(f.Err.String(), "nothing that was asked for has come; if it should have, the user's read= in manager.conf must allow call"); said != says {
			t.Errorf("read=%s: it said %q", read, f.Err)
		}
	}
}

// --timeout ends no run that goes on by itself.
func TestCallsTakeNoTimeout(t *testing.T) {
	for name, test := range map[string]struct {
		options options
		meant   string
	}{
		"of a server": {options{}, "--for 10s"},
		"of a record": {options{from: flags.List{"x"}}, "--deadline 10s"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{
				Servers: []*amitest.Server{runtest.Server(t, "pbx1")}, Flags: run.Globals{Timeout: flags.Duration{Value: 10 * time.Second, Given: true}},
			})
			err := calls(t.Context(), r.Run, &test.options)
			runtest.Refused(t, err, fail.CodeUsage, "--timeout is for an action or a wait")
			if hint := fail.Classify(err).Hint; hint != "you may mean "+test.meant {
				t.Errorf("hint: %s", hint)
			}
		})
	}
}
