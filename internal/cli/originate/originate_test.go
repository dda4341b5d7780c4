package originate

import (
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// pbx is a server with an extension for each outcome of a call, which ring and last no time.
func pbx(t *testing.T) *amitest.Server {
	return runtest.Server(t, "pbx1", amitest.WithCallTimes(time.Millisecond, time.Millisecond), amitest.WithSetup(func(s *amitest.Server) {
		for exten, outcome := range map[string]string{"100": "answer", "300": "busy", "302": "noanswer"} {
			s.State().AddExtension(amitest.Extension{Context: "default", Exten: exten, Outcome: outcome})
		}
	}))
}

func TestOriginate(t *testing.T) {
	srv := pbx(t)
	for channel, test := range map[string]struct {
		outcome string
		exit    int
	}{
		"Local/100@default": {"answered", fail.ExitOK},
		"Local/300@default": {"busy", fail.ExitFailed},
		"Local/302@default": {"no-answer", fail.ExitFailed},
	} {
		t.Run(test.outcome, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
			o := newOptions()
			o.Channel, o.Exten, o.Ring.Value = channel, "100@default", 100*time.Millisecond
			err := originate(t.Context(), r.Run, o)
			if got := fail.Classify(err).Exit; got != test.exit {
				t.Errorf("status %d, want %d: %v", got, test.exit, err)
			}
			if got := gjson.Get(r.Out.String(), "outcome").Str; got != test.outcome {
				t.Errorf("the outcome is %q, want %q, of %s", got, test.outcome, r.Out)
			}
		})
	}
}

func TestOriginateRefuses(t *testing.T) {
	srv := pbx(t)
	for name, test := range map[string]struct {
		change func(o *options)
		code   fail.Code
		want   string
	}{
		"no channel":         {func(o *options) { o.Channel = "" }, fail.CodeUsage, "--channel is missing"},
		"nowhere to go":      {func(o *options) { o.Exten = "" }, fail.CodeUsage, "where should the call go"},
		"a context twice":    {func(o *options) { o.Exten, o.Context = "100@default", "x" }, fail.CodeUsage, "both name a context"},
		"a context of ours":  {func(o *options) { o.Context = runtest.Context }, fail.CodeUsage, "may be a context of amictl or of the dialplan"},
		"a wait for nothing": {func(o *options) { o.Wait = "ring" }, fail.CodeUsage, `--wait "ring"`},
		"no KEY=VALUE":       {func(o *options) { o.Vars = flags.List{"X"} }, fail.CodeUsage, `--var "X"`},
		"a line break":       {func(o *options) { o.CallerID = "a\r\nAction: Logoff" }, fail.CodeInput, "CallerID"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}})
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

// A protected context wants --yes where there is nobody to ask.
func TestOriginateAsks(t *testing.T) {
	srv := pbx(t)
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Config: "protect = true"})
	o := newOptions()
	o.Channel, o.Exten = "Local/100@default", "100"
	runtest.Refused(t, originate(t.Context(), r.Run, o), fail.CodeUsage, "is protected")
	o.Yes = true
	if err := originate(t.Context(), r.Run, o); err != nil {
		t.Error(err)
	}
}
