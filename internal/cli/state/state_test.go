package state

import (
	"context"
	"io/fs"
	"regexp"
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
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// busy is a server with something of each part.
func busy(t *testing.T, name string, opts ...amitest.Option) *amitest.Server {
	t.Helper()
	srv := runtest.Server(t, name, opts...)
	st := srv.State()
	st.AddQueue(amitest.Queue{Name: "sales", Members: []amitest.QueueMember{{Name: "Alice", Interface: "PJSIP/alice"}}})
	st.AddEndpoint(amitest.Endpoint{Name: "alice", Contact: "sip:alice@192.0.2.1:5060"})
	st.AddExtension(amitest.Extension{Context: "default", Exten: "100", Hint: "PJSIP/alice"})
	srv.SetRegistration("trunk", "sip:me@example.com", "sip:example.com", "Registered")
	talk(srv, "bob", "alice")
	for channel, put := range map[string]func(channel string){
		"PJSIP/carol": func(c string) { srv.JoinQueue("sales", c) },
		"PJSIP/dave":  func(c string) { srv.JoinConference("7000", c) },
		"PJSIP/erin":  func(c string) { srv.Park(c) },
	} {
		c := srv.Dial("", amitest.Channel{Name: channel})
		srv.Answer(c.Uniqueid)
		put(c.Uniqueid)
	}
	return srv
}

// talk lets two talk, and returns their channels.
func talk(srv *amitest.Server, from, to string) (caller, callee string) {
	a := srv.Dial("", amitest.Channel{Name: "PJSIP/" + from, CallerIDNum: "20", CallerIDName: from})
	b := srv.Dial(a.Uniqueid, amitest.Channel{Name: "PJSIP/" + to, CallerIDNum: "10", CallerIDName: to})
	srv.Answer(b.Uniqueid)
	return a.Uniqueid, b.Uniqueid
}

// serial is what makes a channel's name unique.
var serial = regexp.MustCompile(`-[0-9a-f]{8}`)

func TestSnapshot(t *testing.T) {
	pbx1, pbx2 := busy(t, "pbx1"), busy(t, "pbx2")
	down := runtest.Server(t, "down")
	down.SetDown(true)
	one, two := []*amitest.Server{pbx1}, []*amitest.Server{pbx1, pbx2}
	for name, test := range map[string]struct {
		servers    []*amitest.Server
		options    options
		path, want string
		exit       int
	}{
		"a part":              {one, options{parts: []string{"queues"}}, "..#.[type,node,name,callers]", `[["queue","pbx1","sales",1]]`, fail.ExitOK},
		"two, as they come":   {one, options{parts: []string{"parked", "callers"}}, "..#.[type,channel]", `[["caller","PJSIP/carol"],["parked-call","PJSIP/erin"]]`, fail.ExitOK},
		"a condition":         {one, options{parts: []string{"calls"}, where: flags.List{"caller.number=20"}}, "..#.[state,callee.name]", `[["talking","alice"]]`, fail.ExitOK},
		"a number":            {one, options{parts: []string{"bridges"}, where: flags.List{"count>1"}}, "..#.count", `[2]`, fail.ExitOK},
		"of several values":   {one, options{parts: []string{"endpoints"}, where: flags.List{"contacts=~192.0.2"}}, "..#.name", `["PJSIP/alice"]`, fail.ExitOK},
		"a flag":              {one, options{parts: []string{"members"}, where: flags.List{"paused=true"}}, "..#", "0", fail.ExitOK},
		"how a part is known": {one, options{parts: []string{"nodes"}, where: flags.List{"parts.queues=followed"}}, "..#.[node,stale]", `[["pbx1",false]]`, fail.ExitOK},
		"two nodes":           {two, options{parts: []string{"conferences"}}, "..#.[node,name]", `[["pbx1","7000"],["pbx2","7000"]]`, fail.ExitOK},
		"one of two away":     {[]*amitest.Server{pbx1, down}, options{parts: []string{"registrations"}}, "..#.[type,node]", `[["registration","pbx1"],["error","down"]]`, fail.ExitMixed},
		"it is stale":         {[]*amitest.Server{pbx1, down}, options{parts: []string{"nodes"}, where: flags.List{"stale=true"}}, "..0.node", "down", fail.ExitMixed},
		"nobody there":        {[]*amitest.Server{down}, options{parts: []string{"queues"}}, "..#", "0", fail.ExitConnect},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers, Flags: run.Globals{Output: "jsonl"}})
			err := show(t.Context(), r.Run, &test.options)
			if got := fail.Classify(err).Exit; got != test.exit {
				t.Errorf("status %d, want %d: %v", got, test.exit, err)
			}
			got := serial.ReplaceAllString(gjson.Get(r.Out.String(), test.path).String(), "")
			if got != test.want {
				t.Errorf("%s is %s, want %s, of %s", test.path, got, test.want, r.Out)
			}
		})
	}
}

// Without a part there is something of every one, each in the order of its schema.
func TestEveryPart(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{busy(t, "pbx1")}})
	if err := show(t.Context(), r.Run, &options{}); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for i := range objects.Parts {
		want = append(want, string(objects.Parts[i].Kind))
	}
	for _, typ := range gjson.Get(r.Out.String(), "..#.type").Array() {
		if len(got) == 0 || got[len(got)-1] != typ.String() {
			got = append(got, typ.String())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	if errs := r.Err.String(); errs != "" {
		t.Errorf("said: %s", errs)
	}
}

func TestShowRefuses(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	for name, test := range map[string]struct {
		options options
		output  string
		want    string
	}{
		"no part":             {options{parts: []string{"channel"}}, "", `no part "channel"`},
		"no key":              {options{parts: []string{"queues"}, where: flags.List{"stat=up"}}, "", "has a key stat"},
		"another part's key":  {options{parts: []string{"queues"}, where: flags.List{"uniqueid=1"}}, "", "has a key uniqueid"},
		"no condition":        {options{where: flags.List{"state"}}, "", "state"},
		"a time of nothing":   {options{length: flags.Duration{Value: time.Second, Given: true}}, "", "--for goes with --follow"},
		"a document for ever": {options{follow: true}, "json", "one document"},
		"a server's bytes":    {options{follow: true}, "raw", "-o raw"},
		"CSV of changes":      {options{follow: true}, "csv", "--fields"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: test.output}})
			runtest.Refused(t, show(t.Context(), r.Run, &test.options), fail.CodeUsage, test.want)
			if n := srv.Ledger().Accepted; n != 0 {
				t.Errorf("the server was dialled %d times", n)
			}
		})
	}
}

// A queue's figures are printed until somebody stops it, or they cannot be.
func TestStatsOfABrokenOutput(t *testing.T) {
	srv := runtest.Server(t, "pbx1", amitest.WithSetup(func(s *amitest.Server) { s.State().AddQueue(amitest.Queue{Name: "support"}) }))
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	r.Stdout = broken{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := show(ctx, r.Run, &options{parts: []string{"queues"}, stats: true, follow: true})
	if f := fail.Classify(err); f.Exit != fail.ExitLost || !strings.Contains(f.Message, "cannot be written") {
		t.Errorf("it ended with %v", err)
	}
}

// broken is an output that cannot be written.
type broken struct{}

func (broken) Write([]byte) (int, error) {
	return 0, &fs.PathError{Op: "write", Path: "out", Err: syscall.ENOSPC}
}

// Figures of queues that the user may not list lack those without calls: that is said.
func TestStatsWithoutRights(t *testing.T) {
	srv := runtest.Server(t, "pbx1", amitest.WithUsers(amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Read: amitest.ParseClass("agent,call"), Write: amitest.ParseClass("originate")}))
	srv.HandleClass("QueueStatus", amitest.ParseClass("reporting"), func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Ack("never") })
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
	o := &options{parts: []string{"queues"}, stats: true, length: flags.Duration{Value: 300 * time.Millisecond, Given: true}}
	if err := show(t.Context(), r.Run, o); err != nil || !strings.Contains(r.Err.String(), "the user may not list queues") {
		t.Errorf("%v: it said %q", err, r.Err)
	}
}

// A user who may not read events of queues counts nothing, and is told what may be why.
func TestStatsOfWhatMayNotBeRead(t *testing.T) {
	srv := runtest.Server(t, "pbx1", amitest.WithUsers(amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Read: amitest.ParseClass("call"), Write: amitest.ClassAll}))
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: "jsonl"}})
	if err := show(t.Context(), r.Run, &options{parts: []string{"queues"}, stats: true, length: flags.Duration{Value: 100 * time.Millisecond, Given: true}}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.Err.String(), "the user's read= in manager.conf must allow agent") {
		t.Errorf("it said %q", r.Err)
	}
}
