package tail

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// The events that an action makes are seen from the first one on, because the action is sent behind the subscription.
func TestTail(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	for name, test := range map[string]struct {
		options    options
		path, want string
	}{
		"an event":        {options{names: []string{"UserEvent"}, count: flags.Count{Value: 1, Given: true}}, `..#(type="event").fields.UserEvent`, "mine"},
		"and the answer":  {options{names: []string{"UserEvent"}, count: flags.Count{Value: 1, Given: true}}, `..#(type="reply").response`, "Success"},
		"only counts":     {options{names: []string{"UserEvent"}, count: flags.Count{Value: 1, Given: true}, stats: true}, `..#(event="UserEvent").count`, "1"},
		"ends after time": {options{names: []string{"Nosuch*"}, length: flags.Duration{Value: 50 * time.Millisecond, Given: true}}, `..#(type="event")#|#`, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Rest: []string{"UserEvent", "UserEvent=mine"}})
			if err := tail(t.Context(), r.Run, &test.options); err != nil {
				t.Fatal(err)
			}
			if got := gjson.Get(r.Out.String(), test.path).String(); got != test.want {
				t.Errorf("%s is %q, want %q, of %s", test.path, got, test.want, r.Out)
			}
		})
	}
}

func TestTailRefuses(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	record := filepath.Join(t.TempDir(), "record")
	for name, test := range map[string]struct {
		options options
		rest    []string
		code    fail.Code
		want    string
	}{
		"a condition":           {options{where: flags.List{"Cause"}}, nil, fail.CodeUsage, "Cause"},
		"a dry run of nothing":  {options{Fanout: target.Fanout{DryRun: true}}, nil, fail.CodeUsage, "--dry-run shows the action after"},
		"a past of servers":     {options{since: "10m"}, nil, fail.CodeUsage, "--since and --speed are for --from"},
		"an end that was":       {options{until: "10m"}, nil, fail.CodeUsage, "has passed already"},
		"an action of a record": {options{from: flags.List{record}}, []string{"Ping"}, fail.CodeUsage, "do not go together"},
		"nodes of a record":     {options{from: flags.List{record}, require: "all"}, nil, fail.CodeUsage, "--from reads a file"},
		"more than there are":   {options{require: "2"}, nil, fail.CodeUsage, `--require "2"`},
		"no record":             {options{record: "-"}, nil, fail.CodeUsage, "--record writes to a file"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Rest: test.rest})
			runtest.Refused(t, tail(t.Context(), r.Run, &test.options), test.code, test.want)
			if r.Out.String() != "" {
				t.Errorf("printed %s", r.Out)
			}
		})
	}
}

// What was dropped had been asked for: a tail that waited for as many again might never end.
func TestTailCountsWhatWasDropped(t *testing.T) {
	event, lost := &ami.Event{Node: "a"}, &ami.Event{Node: "a", Gap: &ami.Gap{Reason: ami.GapOverflow, Dropped: 3}}
	away := &ami.Event{Node: "a", Gap: &ami.Gap{Reason: ami.GapDisconnect}}
	for name, test := range map[string]struct {
		options options
		wait    bool
		takes   []*ami.Event
		enough  int // of them end it; 0: none does
	}{
		"none was":            {options{count: flags.Count{Value: 2, Given: true}}, false, []*ami.Event{event, event}, 2},
		"in the middle":       {options{count: flags.Count{Value: 5, Given: true}}, false, []*ami.Event{event, lost, event}, 3},
		"the last ones":       {options{count: flags.Count{Value: 4, Given: true}}, false, []*ami.Event{event, lost}, 2},
		"more than are asked": {options{count: flags.Count{Value: 1, Given: true}}, false, []*ami.Event{lost}, 1},
		"away":                {options{count: flags.Count{Value: 2, Given: true}}, false, []*ami.Event{event, away, event}, 3},
		"no end":              {options{}, false, []*ami.Event{event, lost, event}, 0},
		"a wait shows one":    {options{count: flags.Count{Value: 1, Given: true}}, true, []*ami.Event{lost, event}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{runtest.Server(t, "a")}})
			tailer, err := newTailer(r.Run, &test.options, run.Endless)
			if err != nil {
				t.Fatal(err)
			}
			tailer.quietReply = test.wait
			ended := 0
			for i, ev := range test.takes {
				if err := tailer.take(ev); errors.Is(err, errEnough) {
					ended = i + 1
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if ended != test.enough {
				t.Errorf("%d items were enough, want %d", ended, test.enough)
			}
		})
	}
}

// A record is replayed without any server: names and conditions choose in it as they choose live.
func TestTailFromRecord(t *testing.T) {
	const record = `{"type":"event","event":"Hangup","node":"a","time":"2026-01-01T10:00:00.000000Z","fields":{"Cause":"16"}}
{"type":"event","event":"Hangup","node":"b","time":"2026-01-01T10:00:01.000000Z","fields":{"Cause":"17"}}
{"type":"event","event":"Newchannel","node":"a","time":"2026-01-01T10:00:02.000000Z","fields":{}}
`
	path := filepath.Join(t.TempDir(), "record.jsonl")
	if err := os.WriteFile(path, []byte(record), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		options options
		want    string
	}{
		"all":       {options{}, "Hangup\nHangup\nNewchannel\n"},
		"by name":   {options{names: []string{"New*"}}, "Newchannel\n"},
		"by where":  {options{where: flags.List{"Cause=17"}}, "Hangup\n"},
		"by time":   {options{since: "2026-01-01T10:00:01Z"}, "Hangup\nNewchannel\n"},
		"the first": {options{count: flags.Count{Value: 1, Given: true}}, "Hangup\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Flags: run.Globals{Query: "event"}})
			test.options.from = flags.List{path}
			if err := tail(t.Context(), r.Run, &test.options); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, r.Out.String()); diff != "" {
				t.Errorf("printed (-want +got):\n%s", diff)
			}
		})
	}
}

// deaf is a server whose user may send, and read no events of calls.
func deaf(t *testing.T) *amitest.Server {
	return runtest.Server(t, "pbx1", amitest.WithUsers(amitest.User{
		Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Read: amitest.ParseClass("system"), Write: amitest.ClassAll,
	}))
}

// A user who may not read what is asked for gets nothing, and no error. A tail and a wait say the same of it.
func TestNothingComes(t *testing.T) {
	const hint = "the user's read= in manager.conf must allow call"
	for name, test := range map[string]struct {
		server *amitest.Server
		names  []string
		rest   []string
		says   bool
	}{
		"what may not be read": {deaf(t), []string{"Hangup", "New*"}, nil, true},
		"what may be read":     {deaf(t), []string{"FullyBooted"}, nil, false},
		"what comes":           {runtest.Server(t, "pbx1"), []string{"UserEvent"}, []string{"UserEvent", "UserEvent=x"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{test.server}, Rest: test.rest})
			if err := tail(t.Context(), r.Run, &options{names: test.names, where: flags.List{"Cause=99"}, length: flags.Duration{Value: 100 * time.Millisecond, Given: true}}); err != nil {
				t.Fatal(err)
			}
			if said := strings.Contains(r.Err.String(), "nothing that was asked for has come; if it should have, "+hint); said != test.says {
				t.Errorf("it said %q", r.Err)
			}
		})
	}
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{deaf(t)}, Flags: run.Globals{Timeout: flags.Duration{Value: 100 * time.Millisecond, Given: true}}})
	o := newWaitOptions()
	o.names = []string{"Hangup"}
	if f := fail.Classify(wait(t.Context(), r.Run, o)); !strings.HasSuffix(f.Hint, hint) || r.Err.String() != "" {
		t.Errorf("hint: %s, said: %s", f.Hint, r.Err)
	}
}

// --timeout ends no tail: who gives it means something else. The action of a tail has one.
func TestTailTakesNoTimeout(t *testing.T) {
	srv := runtest.Server(t, "pbx1")
	timeout := run.Globals{Timeout: flags.Duration{Value: 10 * time.Second, Given: true}}
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: timeout})
	err := tail(t.Context(), r.Run, &options{})
	runtest.Refused(t, err, fail.CodeUsage, "--timeout is for an action or a wait")
	if hint := fail.Classify(err).Hint; hint != "you may mean --for 10s" {
		t.Errorf("hint: %s", hint)
	}
	r = runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: timeout, Rest: []string{"UserEvent", "UserEvent=x"}})
	if err := tail(t.Context(), r.Run, &options{names: []string{"UserEvent"}, count: flags.Count{Value: 1, Given: true}}); err != nil {
		t.Error(err)
	}
}

// --count and --for both end a tail, whichever comes first, and neither end is a failure.
func TestTailEndsAtCountOrFor(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{runtest.Server(t, "pbx1")}})
	if err := tail(t.Context(), r.Run, &options{names: []string{"Hangup"}, count: flags.Count{Value: 1, Given: true}, length: flags.Duration{Value: time.Millisecond, Given: true}}); err != nil {
		t.Error(err)
	}
}
