package originate

import (
	"context"
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

// originate waits as far as it was asked to: for the queue, the answer, or the end.
func TestOriginateWaits(t *testing.T) {
	srv := pbx(t)
	for name, test := range map[string]struct {
		change  func(o *options)
		channel string
		want    []string // type and outcome of what is printed
		code    fail.Code
	}{
		"for the queue":        {func(o *options) { o.Async = true }, "Local/100@default", []string{"reply "}, ""},
		"whatever comes of it": {func(o *options) { o.Async = true }, "Local/300@default", []string{"reply "}, ""},
		"for an answer":        {func(*options) {}, "Local/100@default", []string{"reply answered"}, ""},
		"for the end":          {func(o *options) { o.Wait = "hangup" }, "Local/100@default", []string{"reply answered", "call answered"}, ""},
		"for no end":           {func(o *options) { o.Wait = "hangup" }, "Local/300@default", []string{"reply busy"}, fail.CodeCall},
		"shown":                {func(o *options) { o.DryRun = true }, "Local/100@default", []string{"dry-run "}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: "jsonl"}})
			o := newOptions()
			o.Channel, o.Application = test.channel, "Echo"
			test.change(o)
			err := originate(t.Context(), r.Run, o)
			var got []string
			for line := range strings.Lines(r.Out.String()) {
				got = append(got, gjson.Get(line, "type").Str+" "+gjson.Get(line, "outcome").Str)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if f := fail.Classify(err); f.Code != test.code {
				t.Errorf("%q, want %q: %s", f.Code, test.code, f.Message)
			}
		})
	}
}

// What is sent is what the flags say, in the words of the action.
func TestOriginateSends(t *testing.T) {
	srv := pbx(t)
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: "jsonl"}})
	err := Command(r.Run).Run(t.Context(), strings.Fields("originate --dry-run -c Local/100@default -e 200@in --priority 2 --caller-id 7 --account a --var X=1,2 --ring 5s ChannelId=mine"))
	want := []string{
		"Channel: Local/100@default", "Exten: 200", "Context: in", "Priority: 2", "CallerID: 7", "Account: a", "Timeout: 5000", "Async: true", `Variable: X=1\,2`, "ChannelId: mine",
	}
	var got []string
	for line := range strings.Lines(gjson.Get(r.Out.String(), "packet").Str) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "Action") {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v; -want +got:\n%s", err, diff)
	}
	if n := srv.Ledger().Accepted; n != 0 {
		t.Errorf("the server was dialled %d times", n)
	}
}

// What does not go together is refused, as what nothing can be done with.
func TestOriginateRefusesMore(t *testing.T) {
	srv, other := pbx(t), runtest.Server(t, "pbx2")
	for name, test := range map[string]struct {
		change  func(o *options)
		servers []*amitest.Server
		code    fail.Code
		want    string
	}{
		"both ends":         {func(o *options) { o.Application = "Echo" }, nil, fail.CodeUsage, "--exten and --application do not go together"},
		"no technology":     {func(o *options) { o.Channel = "100" }, nil, fail.CodeUsage, "--channel 100 names no technology"},
		"data of no one":    {func(o *options) { o.Data = "x" }, nil, fail.CodeUsage, "--data is for --application"},
		"an end, and none":  {func(o *options) { o.Wait, o.Async = "hangup", true }, nil, fail.CodeUsage, "--wait hangup and --async do not go together"},
		"a word":            {func(o *options) { o.fields = []string{"x"} }, nil, fail.CodeUsage, `"x" is not Key=Value`},
		"a reserved header": {func(o *options) { o.fields = []string{"ActionID=1"} }, nil, fail.CodeInput, "ActionID"},
		"one for two":       {func(*options) {}, []*amitest.Server{srv, other}, fail.CodeUsage, "2 nodes are selected"},
	} {
		t.Run(name, func(t *testing.T) {
			servers := test.servers
			if servers == nil {
				servers = []*amitest.Server{srv}
			}
			r := runtest.New(t, runtest.Setup{Servers: servers})
			o := newOptions()
			o.Channel, o.Exten = "Local/100@default", "100"
			test.change(o)
			runtest.Refused(t, originate(t.Context(), r.Run, o), test.code, test.want)
			if n := srv.Ledger().Accepted; n != 0 {
				t.Errorf("the server was dialled %d times", n)
			}
		})
	}
}

// Over a bus a call's answer is waited for, and its end is not.
func TestOriginateOverABus(t *testing.T) {
	srv := pbx(t)
	for wait, want := range map[string]string{"answer": "", "hangup": "--wait hangup needs a session with events"} {
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Flags: run.Globals{Output: "jsonl"}})
		r.BusActor = func(context.Context, run.BusQuery, time.Duration) ([]ami.Config, error) {
			return []ami.Config{{Name: "pbx1", Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)}}, nil
		}
		err := Command(r.Run).Run(t.Context(), []string{"originate", "--nats", "nats://127.0.0.1:4222", "--cluster", "c", "-c", "Local/100@default", "--application", "Echo", "--wait", wait})
		if want != "" {
			runtest.Refused(t, err, fail.CodeUsage, want)
		} else if got := gjson.Get(r.Out.String(), "outcome").Str; err != nil || got != "answered" {
			t.Errorf("%v, the outcome is %q", err, got)
		}
	}
}

// Several servers each make the call; how they differ is told of each, and by the status.
func TestOriginateOnSeveral(t *testing.T) {
	other := runtest.Server(t, "pbx2", amitest.WithCallTimes(time.Millisecond, time.Millisecond), amitest.WithSetup(func(s *amitest.Server) {
		s.State().AddExtension(amitest.Extension{Context: "default", Exten: "100", Outcome: "congestion"})
	}))
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{pbx(t), other}, Flags: run.Globals{Output: "jsonl"}})
	o := newOptions()
	o.Channel, o.Application, o.Fanout, o.Ring = "Local/100@default", "Echo", target.Fanout{All: true}, flags.Duration{Value: time.Second}
	err := originate(t.Context(), r.Run, o)
	got := map[string]string{}
	for line := range strings.Lines(r.Out.String()) {
		got[gjson.Get(line, "node").Str] = gjson.Get(line, "outcome").Str
	}
	if diff := cmp.Diff(map[string]string{"pbx1": "answered", "pbx2": "congestion"}, got); diff != "" || fail.Classify(err).Exit != fail.ExitMixed {
		t.Errorf("%v; -want +got:\n%s", err, diff)
	}
}
