package send

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// dialplan is a server whose extensions stand for what becomes of a call: it rings for no time, and talks for talk.
func dialplan(t *testing.T, name string, talk time.Duration) *amitest.Server {
	return runtest.Server(t, name, amitest.WithCallTimes(time.Millisecond, talk), amitest.WithSetup(func(s *amitest.Server) {
		for exten, outcome := range map[string]string{"100": "answer", "300": "busy"} {
			s.State().AddExtension(amitest.Extension{Context: "default", Exten: exten, Outcome: outcome})
		}
	}))
}

// An Originate that is waited for is asynchronous, and where its call is followed its channel has an id that is known.
func TestAwaitCall(t *testing.T) {
	for name, test := range map[string]struct {
		action, wait string
		fields       []string
		want         []string // of the fields, ChannelId=* for one that was made up
		await        bool
		refusal      string
	}{
		"nothing said":     {action: "Originate", fields: []string{"Channel=a", "Async=false"}, want: []string{"Channel=a", "Async=false"}},
		"not waited for":   {action: "Originate", wait: "no", fields: []string{"Async=false"}, want: []string{"Async=false"}},
		"no call, no wait": {action: "Ping", wait: "no"},
		"no call":          {action: "Ping", wait: "answer", refusal: "wait is for Originate, and Ping makes no call"},
		"an answer":        {action: "Originate", wait: "answer", fields: []string{"Channel=a"}, want: []string{"Channel=a", "Async=true"}, await: true},
		"in any case":      {action: "originate", wait: "answer", fields: []string{"ASYNC=no", "Channel=a"}, want: []string{"Channel=a", "Async=true"}, await: true},
		"an answer and id": {action: "Originate", wait: "answer", fields: []string{"ChannelId=7"}, want: []string{"ChannelId=7", "Async=true"}, await: true},
		"an end":           {action: "Originate", wait: "hangup", fields: []string{"Channel=a"}, want: []string{"Channel=a", "Async=true", "ChannelId=*"}, await: true},
		"an end and id":    {action: "Originate", wait: "hangup", fields: []string{"channelid=7", "Channel=a"}, want: []string{"channelid=7", "Channel=a", "Async=true"}, await: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := ami.Action{Name: test.action}
			for _, f := range test.fields {
				key, value, _ := strings.Cut(f, "=")
				a.Fields = append(a.Fields, ami.Field{Name: key, Value: value})
			}
			shared := a.Fields
			err := awaitCall(&a, test.wait)
			if test.refusal != "" {
				if err == nil || err.Error() != test.refusal {
					t.Errorf("the error is %v, want %q", err, test.refusal)
				}
				return
			}
			var got []string
			for _, f := range a.Fields {
				if f.Name == "ChannelId" && strings.HasPrefix(f.Value, "amictl-") {
					f.Value = "*"
				}
				got = append(got, f.Name+"="+f.Value)
			}
			if diff := cmp.Diff(test.want, got); err != nil || a.AwaitOriginate != test.await || diff != "" {
				t.Errorf("%v, awaited %v, fields (-want +got):\n%s", err, a.AwaitOriginate, diff)
			}
			for i, f := range shared { // those of a line may be another line's too
				if f.Name+"="+f.Value != test.fields[i] {
					t.Errorf("the caller's field %s became %v", test.fields[i], f)
				}
			}
		})
	}
}

func TestSendWaitsForCalls(t *testing.T) {
	a := dialplan(t, "a", time.Millisecond)
	for name, test := range map[string]struct {
		wait, exten string
		want        string // of the objects printed: type and outcome
		code        fail.Code
	}{
		"queued":        {"no", "300", "reply ", ""},
		"nothing said":  {"", "300", "reply ", ""},
		"an answer":     {"answer", "100", "reply answered", ""},
		"a busy one":    {"answer", "300", "reply busy", fail.CodeCall},
		"an end":        {"hangup", "100", "reply answered; call answered", ""},
		"none to end":   {"hangup", "300", "reply busy", fail.CodeCall},
		"not a choice":  {"forever", "100", "", fail.CodeUsage},
		"half a choice": {"answer hangup", "100", "", fail.CodeUsage},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{a}})
			o := &options{args: []string{"Originate", "Channel=Local/" + test.exten + "@default", "Application=Echo", "Async=true"}, wait: test.wait}
			err := send(t.Context(), r.Run, o)
			var got []string
			for line := range strings.Lines(r.Out.String()) {
				got = append(got, gjson.Get(line, "type").Str+" "+gjson.Get(line, "outcome").Str)
			}
			if f := fail.Classify(err); f.Code != test.code || strings.Join(got, "; ") != test.want {
				t.Errorf("%q, want %q; code %q, want %q: %v", got, test.want, f.Code, test.code, err)
			}
		})
	}
}

// Each line's call is told of at its own end, with what names the line.
func TestSendLinesFollowsCalls(t *testing.T) {
	const lines = `{"action":"Originate","fields":{"Channel":"Local/100@default","Application":"Echo"},"id":"up"}
{"action":"Originate","fields":{"Channel":"Local/300@default","Application":"Echo"},"id":"busy"}

{"action":"Originate","fields":{"Channel":"Local/300@default","Application":"Echo","Async":"true"},"id":"queued","wait":"no"}
{"action":"Ping","id":"ping","wait":"no"}
{"action":"Originate","fields":{"Channel":"Local/100@default","Application":"Echo"}}
{"action":"Originate","fields":{"Channel":"Local/100@default","Application":"Echo"},"id":"answer","wait":"answer"}
{"action":"Ping","id":"no call"}
`
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{dialplan(t, "a", time.Millisecond)}, Stdin: lines})
	err := send(t.Context(), r.Run, &options{args: []string{"-"}, wait: "hangup", keepGoing: true})
	if got := fail.Classify(err).Exit; got != fail.ExitMixed {
		t.Errorf("status %d: %v", got, err)
	}
	got := map[string][]string{}
	for line := range strings.Lines(r.Out.String()) {
		object := gjson.Parse(line)
		id := object.Get("line").Raw + " " + object.Get("id").String()
		got[id] = append(got[id], object.Get("type").Str+" "+object.Get("outcome").Str+object.Get("code").Str)
		if object.Get("type").Str == "call" && object.Get("id").Exists() != (object.Get("line").Int() != 6) {
			t.Errorf("an id is said of a line that has none, or not of one that has: %s", line)
		}
	}
	if diff := cmp.Diff(map[string][]string{
		"1 up":      {"reply answered", "call answered"},
		"2 busy":    {"error call-failed"},
		"4 queued":  {"reply "},
		"5 ping":    {"reply "},
		"6 ":        {"reply answered", "call answered"},
		"7 answer":  {"reply answered"},
		"8 no call": {"error input"},
	}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A call whose end was missed with the connection is not waited for, and it is said that it may go on. One that has not been
// answered ends as an action does.
func TestSendLinesLosesCalls(t *testing.T) {
	srv := dialplan(t, "a", time.Hour)
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: `{"action":"Originate","fields":{"Channel":"Local/100@default","Application":"Echo"},"id":"up"}` + "\n"})
	end := make(chan error, 1)
	go func() { end <- send(t.Context(), r.Run, &options{args: []string{"-"}, wait: "hangup"}) }()
	runtest.Eventually(t, r.Out, `"outcome":"answered"`)
	srv.Kick()
	if f := fail.Classify(<-end); f.Exit != fail.ExitMixed {
		t.Errorf("status %d: %s", f.Exit, f.Message)
	}
	var last string
	for line := range strings.Lines(r.Out.String()) {
		last = line
	}
	if e := gjson.Parse(last); e.Get("code").Str != string(fail.CodeGap) || e.Get("sent").Str != "yes" || e.Get("id").Str != "up" || !strings.Contains(e.Get("message").Str, "the call's end may be one of them") {
		t.Errorf("what was said of the call: %s", r.Out)
	}
}

// A call that something ends with a cause of its own is told of, and a failure.
func TestSendLinesTellsWhyACallEnded(t *testing.T) {
	srv := dialplan(t, "a", time.Hour)
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: `{"action":"Originate","fields":{"Channel":"PJSIP/100","Application":"Echo","ChannelId":"mine"},"id":"up"}` + "\n"})
	end := make(chan error, 1)
	go func() { end <- send(t.Context(), r.Run, &options{args: []string{"-"}, wait: "hangup"}) }()
	runtest.Eventually(t, r.Out, `"outcome":"answered"`)
	if !srv.Hangup("mine", 38) {
		for _, c := range srv.State().Channels() {
			srv.Hangup(c.Name, 38)
		}
	}
	if f := fail.Classify(<-end); f.Exit != fail.ExitMixed {
		t.Errorf("status %d: %s", f.Exit, f.Message)
	}
	for path, want := range map[string]string{
		`..#(type="call").cause`:     "38",
		`..#(type="call").uniqueid`:  "mine",
		`..#(type="call").id`:        "up",
		`..#(type="error").code`:     "call-failed",
		`..#(type="error").line`:     "1",
		`..#(type="reply").response`: "Success",
	} {
		if got := gjson.Get(r.Out.String(), path).String(); got != want {
			t.Errorf("%s is %q, want %q, of %s", path, got, want, r.Out)
		}
	}
}

// What a line waits for needs events that only --wait asks for, and a call is followed on a node that is known.
func TestSendLinesRefusesWaits(t *testing.T) {
	a, b := dialplan(t, "a", time.Millisecond), dialplan(t, "b", time.Millisecond)
	line := func(more string) string {
		return `{"action":"Originate","fields":{"Channel":"Local/100@default","Application":"Echo"}` + more + "}\n"
	}
	for name, test := range map[string]struct {
		servers  []*amitest.Server
		wait     string
		route    string
		line     string
		want     string // of the message, "" for none
		notInput bool   // the run is refused, not the line
	}{
		"no events for an answer":  {servers: []*amitest.Server{a}, line: line(`,"wait":"answer"`), want: "line 1 waits for answer, but no events are asked for"},
		"no events for an end":     {servers: []*amitest.Server{a}, wait: "answer", line: line(`,"wait":"hangup"`), want: "line 1 waits for hangup, but no events are asked for"},
		"less than is followed":    {servers: []*amitest.Server{a}, wait: "hangup", line: line(`,"wait":"answer"`)},
		"no wait":                  {servers: []*amitest.Server{a}, line: line(`,"wait":"no"`)},
		"no wait where all do":     {servers: []*amitest.Server{a}, wait: "answer", line: line(`,"wait":"no"`)},
		"an end on any node":       {servers: []*amitest.Server{a, b}, wait: "hangup", route: "failover", line: line(""), want: "--wait hangup follows calls on nodes that are known", notInput: true},
		"an answer on any node":    {servers: []*amitest.Server{a, b}, wait: "answer", route: "failover", line: line("")},
		"an end on the only node":  {servers: []*amitest.Server{a}, wait: "hangup", route: "failover", line: line("")},
		"an end on the line's own": {servers: []*amitest.Server{a, b}, wait: "hangup", line: line(`,"node":"b"`)},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: test.servers, Stdin: test.line})
			err := send(t.Context(), r.Run, &options{args: []string{"-"}, wait: test.wait, Fanout: target.Fanout{Route: test.route}})
			switch {
			case test.notInput:
				runtest.Refused(t, err, fail.CodeUsage, test.want)
			case test.want == "":
				if err != nil || gjson.Get(r.Out.String(), "response").Str != "Success" {
					t.Errorf("%v, printed %s", err, r.Out)
				}
			default:
				if e := gjson.Parse(r.Out.String()); e.Get("code").Str != string(fail.CodeInput) || e.Get("message").Str != test.want {
					t.Errorf("printed %s, want %q", r.Out, test.want)
				}
			}
		})
	}
	runtest.Refused(t, send(t.Context(), runtest.New(t, runtest.Setup{Servers: []*amitest.Server{a}}).Run, &options{args: []string{"Ping"}, wait: "answer"}), fail.CodeUsage, "--wait is for Originate")
}
