package act

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
)

func inAFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "value")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// Words become an action as they stand: the first = splits, and only a name with an @ means a file.
func TestParseAction(t *testing.T) {
	for name, test := range map[string]struct {
		words []string
		stdin string
		want  []string // fields
	}{
		"a name alone":        {words: []string{"Ping"}},
		"in order, repeated":  {words: []string{"Ping", "B=1", "A=2", "B=3"}, want: []string{"B: 1", "A: 2", "B: 3"}},
		"the first = splits":  {words: []string{"Setvar", "Variable=x", "Value=a=b=c"}, want: []string{"Variable: x", "Value: a=b=c"}},
		"an empty value":      {words: []string{"Setvar", "Value="}, want: []string{"Value: "}},
		"an @ in a value":     {words: []string{"Ping", "A=b@c"}, want: []string{"A: b@c"}},
		"a file":              {words: []string{"DBPut", "Val@=" + inAFile(t, "text\n")}, want: []string{"Val: text"}},
		"a file of DOS":       {words: []string{"DBPut", "Val@=" + inAFile(t, "text\r\n")}, want: []string{"Val: text"}},
		"a file without end":  {words: []string{"DBPut", "Val@=" + inAFile(t, "text")}, want: []string{"Val: text"}},
		"standard input":      {words: []string{"DBPut", "Val@=-"}, stdin: "typed\n", want: []string{"Val: typed"}},
		"no parameter of its": {words: []string{"Ping", "Nosuch=1"}, want: []string{"Nosuch: 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{Stdin: test.stdin})
			r.Settings.Timeout = 7 * time.Second
			action, err := ParseAction(r.Run, test.words)
			var got []string
			for _, f := range action.Fields {
				got = append(got, f.Name+": "+f.Value)
			}
			if diff := cmp.Diff(test.want, got); err != nil || action.Name != test.words[0] || action.Timeout != 7*time.Second || diff != "" {
				t.Errorf("%s within %v, %v; fields (-want +got):\n%s", action.Name, action.Timeout, err, diff)
			}
		})
	}
}

// What is no action is refused with the line that was meant, if the words tell.
func TestParseActionRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		words      []string
		code       fail.Code
		want, hint string
	}{
		"nothing":                {nil, fail.CodeUsage, "an action's name is missing", "amictl send CoreStatus"},
		"a pair first":           {[]string{"Channel=x"}, fail.CodeUsage, "the first argument is the action's name", "amictl send Getvar"},
		"a header":               {[]string{"Action: Ping"}, fail.CodeUsage, "the first argument is the action's name", "amictl send Getvar"},
		"a word":                 {[]string{"QueuePause", "PJSIP/1", "true"}, fail.CodeUsage, `"PJSIP/1" is not Key=Value`, "`amictl send QueuePause Interface=PJSIP/1 Paused=true`"},
		"names and words":        {[]string{"QueuePause", "Paused", "true", "Interface:", "PJSIP/1"}, fail.CodeUsage, "is not Key=Value", "`amictl send QueuePause Paused=true Interface=PJSIP/1`"},
		"what is left of them":   {[]string{"QueuePause", "Paused=true", "PJSIP/1"}, fail.CodeUsage, "is not Key=Value", "`amictl send QueuePause Paused=true Interface=PJSIP/1`"},
		"a name alone":           {[]string{"QueuePause", "Queue"}, fail.CodeUsage, `"Queue" is not Key=Value`, "an empty value is written Queue="},
		"too many":               {[]string{"QueueReset", "a", "b", "c", "d"}, fail.CodeUsage, "is not Key=Value", "an empty value is written a="},
		"a command":              {[]string{"core", "show", "channels"}, fail.CodeUsage, "is not Key=Value", "`amictl command core show channels`"},
		"a command with a pair":  {[]string{"core", "show", "a=b"}, fail.CodeUsage, "is not Key=Value", "an empty value is written show="},
		"no such file":           {[]string{"DBPut", "Val@=/nosuch/file"}, fail.CodeUsage, "Val@=/nosuch/file: ", ""},
		"a folder":               {[]string{"DBPut", "Val@=/"}, fail.CodeUsage, "Val@=/: ", ""},
		"a line break in a file": {[]string{"DBPut", "Val@=" + inAFile(t, "a\nb\n")}, fail.CodeInput, "Val", ""},
		"a long file":            {[]string{"DBPut", "Val@=" + inAFile(t, strings.Repeat("x", 2*maxValue))}, fail.CodeInput, "Val", ""},
		"our own":                {[]string{"Logoff"}, fail.CodeInput, "cannot be sent", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseAction(runtest.New(t, runtest.Setup{}).Run, test.words)
			runtest.Refused(t, err, test.code, test.want)
			if f := fail.Classify(err); !strings.Contains(f.Hint, test.hint) {
				t.Errorf("hint %q, want %q", f.Hint, test.hint)
			}
		})
	}
}

func TestKeyed(t *testing.T) {
	for name, test := range map[string]struct {
		action, words, want string
	}{
		"values, required first":  {"QueuePause", "PJSIP/1 true support", "Interface=PJSIP/1 Paused=true Queue=support"},
		"pairs":                   {"queuepause", "queue support PAUSED: true", "Queue=support Paused=true"},
		"one pair":                {"QueuePause", "Queue support", "Queue=support"},
		"not all pairs":           {"QueuePause", "Queue support Nosuch 1", "Interface=Queue Paused=support Queue=Nosuch Reason=1"},
		"an odd number":           {"QueuePause", "Queue support x", "Interface=Queue Paused=support Queue=x"},
		"some are given":          {"QueuePause", "interface=PJSIP/1 true", "interface=PJSIP/1 Paused=true"},
		"a name alone":            {"QueuePause", "Queue", "Queue"},
		"a value alone":           {"QueuePause", "support", "Interface=support"},
		"one too many":            {"QueuePause", "1 2 3 4 5", "Interface=1 Paused=2 Queue=3 Reason=4 5"},
		"nobody knows the action": {"Nosuch", "a b", "a b"},
		"nothing":                 {"QueuePause", "", ""},
	} {
		if got := strings.Join(Keyed(test.action, strings.Fields(test.words)), " "); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// A header that the catalogue lacks is told of, with the one that may be meant; many have no names that are fixed.
func TestWarnUnknown(t *testing.T) {
	for name, test := range map[string]struct {
		action ami.Action
		quiet  bool
		want   string
	}{
		"known":            {ami.NewAction("QueuePause", "interface", "x", "Reason", "y"), false, ""},
		"a typing error":   {ami.NewAction("queuepause", "Intreface", "x"), false, "amictl: QueuePause has no parameter Intreface in the catalogue; did you mean Interface?\n"},
		"far from all":     {ami.NewAction("QueuePause", "Xyz", "x"), false, "amictl: QueuePause has no parameter Xyz in the catalogue\n"},
		"two":              {ami.NewAction("QueuePause", "Xyz", "x", "Queue", "q", "Zyx", "x"), false, "amictl: QueuePause has no parameter Xyz in the catalogue\namictl: QueuePause has no parameter Zyx in the catalogue\n"},
		"counted":          {ami.NewAction("UpdateConfig", "Action-000007", "x"), false, ""},
		"a variable":       {ami.NewAction("QueuePause", "variable", "a=b", "ChanVariable", "a=b"), false, ""},
		"free":             {ami.NewAction("UserEvent", "Xyz", "x"), false, ""},
		"unknown action":   {ami.NewAction("Nosuch", "Xyz", "x"), false, ""},
		"nobody is to see": {ami.NewAction("QueuePause", "Xyz", "x"), true, ""},
	} {
		r := runtest.New(t, runtest.Setup{Flags: run.Globals{Quiet: test.quiet}})
		if WarnUnknown(r.Run, &test.action); r.Err.String() != test.want {
			t.Errorf("%s: %q, want %q", name, r.Err, test.want)
		}
	}
}

func TestCheckEvents(t *testing.T) {
	for name, test := range map[string]struct {
		names            []string
		refusal, hint, s string
	}{
		"known":           {names: []string{"Hangup", "hANGUP"}},
		"globs":           {names: []string{"Queue*", "New?xten", "Hangpu*"}},
		"a typing error":  {names: []string{"Hangup", "Hangpu"}, s: "amictl: there is no event Hangpu in the catalogue; did you mean Hangup?\n"},
		"far from all":    {names: []string{"Xyzzyx"}},
		"a condition":     {names: []string{"Cause=16"}, refusal: `"Cause=16" is no event's name`, hint: "a condition is --where Cause=16"},
		"another one":     {names: []string{"Hangup", "Cause<16"}, refusal: "is no event's name", hint: "--where Cause\\<16"},
		"with a comma":    {names: []string{"Hangup,Hold"}, refusal: "is no event's name", hint: "names stand apart: Hangup Hold"},
		"with spaces":     {names: []string{"Hangup  Hold"}, refusal: "is no event's name", hint: "names stand apart: Hangup Hold"},
		"after a mistake": {names: []string{"Hangpu", "a=b"}, refusal: `"a=b"`, s: "did you mean Hangup?"},
		"none":            {},
	} {
		r := runtest.New(t, runtest.Setup{})
		err := CheckEvents(r.Run, test.names)
		if test.refusal == "" && err != nil || test.refusal != "" && (err == nil || !strings.Contains(err.Error(), test.refusal) || !strings.Contains(fail.Classify(err).Hint, test.hint)) {
			t.Errorf("%s: %v, hint %q", name, err, fail.Classify(err).Hint)
		}
		if got := r.Err.String(); !strings.Contains(got, test.s) || test.s == "" && got != "" {
			t.Errorf("%s: it said %q, want %q", name, got, test.s)
		}
	}
}

// Several conditions must all hold, and what looks like a mistake, or cannot be, is told of.
func TestConditions(t *testing.T) {
	r := runtest.New(t, runtest.Setup{})
	where, err := ParseWhere(r.Run, nil)
	if where != nil || err != nil {
		t.Errorf("no conditions are %v, %v", where, err)
	}
	if _, err := ParseWhere(r.Run, []string{"A=1", "B"}); err == nil {
		t.Error("a field alone is a condition")
	}
	where, err = ParseWhere(r.Run, []string{"Cause=16", "Channel=~^PJSIP"})
	if err != nil || r.Err.String() != "" {
		t.Fatalf("%v, said %q", err, r.Err)
	}
	for name, test := range map[string]struct {
		text   string
		events []string
		quiet  bool
		want   string
	}{
		"it may be":      {"Cause=16", []string{"Hangup"}, false, ""},
		"in any case":    {"cause=16", []string{"hangup"}, false, ""},
		"one cannot":     {"Cuase=16", []string{"Hangup"}, false, "amictl: Hangup has no header Cuase in the catalogue; did you mean Cause?\n"},
		"none can":       {"Xyz=16", []string{"Hangup", "Hold"}, false, "amictl: none of Hangup, Hold has a header Xyz in the catalogue\n"},
		"one of them":    {"Cause=16", []string{"Hangup", "Hold"}, false, ""},
		"any may":        {"Xyz=16", []string{"UserEvent"}, false, ""},
		"nobody knows":   {"Xyz=16", []string{"Nosuch"}, false, ""},
		"of all":         {"Xyz=16", nil, false, ""},
		"nobody listens": {"Xyz=16", []string{"Hangup"}, true, ""},
		"no condition":   {"", []string{"Hangup"}, false, ""},
	} {
		r := runtest.New(t, runtest.Setup{Flags: run.Globals{Quiet: test.quiet}})
		var where *ami.Where
		if test.text != "" {
			if where, err = ParseWhere(r.Run, []string{test.text}); err != nil {
				t.Fatal(err)
			}
		}
		if WarnLacking(r.Run, where, test.events); r.Err.String() != test.want {
			t.Errorf("%s: %q, want %q", name, r.Err, test.want)
		}
	}
	if NoteMissing(r.Run, where); strings.Contains(r.Err.String(), "Cause") {
		t.Errorf("before anything came it said %q", r.Err)
	}
}

func TestLiveClasses(t *testing.T) {
	for text, want := range map[string][]string{
		"Hangup a channel  (Priv: system,call,all)": {"system", "call"},
		"Ping (Priv: <none>)":                       {},
		"Something (Priv: all)":                     {},
		"without":                                   {},
		"x (Priv: call,all) ":                       {"call"},
	} {
		if diff := cmp.Diff(want, LiveClasses(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}
