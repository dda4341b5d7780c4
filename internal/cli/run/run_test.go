package run

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v3"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/pkg/output"
)

// A memoryRun is a run with streams in memory.
type memoryRun struct {
	*Run
	out, err bytes.Buffer
}

// newRun returns a run with these variables and no others, but for HOME, and with the global flags as args say.
func newRun(t *testing.T, vars map[string]string, args ...string) *memoryRun {
	t.Helper()
	home := t.TempDir()
	m := &memoryRun{}
	m.Run = New(args, strings.NewReader(""), &m.out, &m.err, func(name string) (string, bool) {
		if value, ok := vars[name]; ok || name != "HOME" {
			return value, ok
		}
		return home, true
	})
	c := &cli.Command{Name: "amictl", Flags: m.GlobalFlagList(), Action: func(context.Context, *cli.Command) error { return nil }}
	if err := c.Run(t.Context(), append([]string{"amictl"}, args...)); err != nil {
		t.Fatal(err)
	}
	return m
}

// resolved is newRun with its settings, without a configuration.
func resolved(t *testing.T, vars map[string]string, args ...string) *memoryRun {
	t.Helper()
	m := newRun(t, vars, args...)
	s, err := m.ResolveSettings(configMustBeRight)
	if err != nil {
		t.Fatal(err)
	}
	m.Settings = s
	return m
}

// refused wants an error of a kind that has all these texts in its message or hint.
func refused(t *testing.T, err error, code fail.Code, texts ...string) {
	t.Helper()
	f := fail.Classify(err)
	if f.Code != code {
		t.Errorf("the error is %q: %q; want %q", f.Code, f.Message, code)
	}
	for _, text := range texts {
		if !strings.Contains(f.Message+"\n"+f.Hint, text) {
			t.Errorf("%q with the hint %q has no %q", f.Message, f.Hint, text)
		}
	}
}

// writeFile writes a file of the test's own and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestArgumentsAreCutAtTheFirstDashes(t *testing.T) {
	for _, tt := range []struct {
		args, before, behind []string
		found                bool
	}{
		{nil, nil, nil, false},
		{[]string{"ping", "-n", "a"}, []string{"ping", "-n", "a"}, nil, false},
		{[]string{"sim", "--", "make", "test"}, []string{"sim"}, []string{"make", "test"}, true},
		{[]string{"sim", "--", "sh", "--", "x"}, []string{"sim"}, []string{"sh", "--", "x"}, true},
		{[]string{"--", "x"}, []string{}, []string{"x"}, true},
		{[]string{"sim", "--"}, []string{"sim"}, []string{}, true},
	} {
		r := New(tt.args, nil, nil, nil, nil)
		if diff := cmp.Diff([]any{tt.before, tt.behind, tt.found}, []any{r.Args, r.Rest, r.HasTo}); diff != "" {
			t.Errorf("%q: %s", tt.args, diff)
		}
		if words := r.words(); !slices.Equal(words, tt.args) {
			t.Errorf("%q became %q for another program", tt.args, words)
		}
	}
}

// The status that means that nothing was sent is out of the question from the first action on, whoever has taken it.
func TestSent(t *testing.T) {
	r := New(nil, nil, nil, nil, nil)
	if r.NoteSent(0); r.Sent() {
		t.Error("no action was sent, and it says that one was")
	}
	var first, second uint64
	r.CountSent(func() uint64 { return first })
	r.CountSent(func() uint64 { return second })
	if r.Sent() {
		t.Error("no session has taken an action, and it says that one has")
	}
	second = 1
	if !r.Sent() {
		t.Error("the second session has taken an action")
	}
	if second = 0; !r.Sent() {
		t.Error("what was sent is not taken back")
	}
	r = New(nil, nil, nil, nil, nil)
	if r.NoteSent(1); !r.Sent() {
		t.Error("an action was sent")
	}
}

func TestComplaints(t *testing.T) {
	m := newRun(t, nil)
	m.Complain(fail.Failure{Message: "it \x1b[2Jfailed"})
	m.Complain(fail.Failure{Message: "so did this", Hint: "try\ragain"})
	text := m.err.String()
	if lines := strings.Count(text, "\n"); lines != 3 || strings.ContainsAny(text, "\x1b\r") || m.out.Len() > 0 {
		t.Errorf("it said %q, and on standard output %q", text, m.out.String())
	}
	if !strings.HasPrefix(text, "amictl: it ") || !strings.Contains(text, "\namictl: so did this\nhint: try") {
		t.Errorf("it said %q", text)
	}
	m.err.Reset()
	m.ComplainAll([]fail.Failure{{Message: "a", Hint: "x"}, {Message: "b", Hint: "x"}, {Message: "c", Hint: "y"}, {Message: "d"}, {Message: "e", Hint: "y"}})
	want := "amictl: a\namictl: b\nhint: x\namictl: c\nhint: y\namictl: d\namictl: e\nhint: y\n"
	if diff := cmp.Diff(want, m.err.String()); diff != "" {
		t.Error(diff)
	}
}

// --quiet silences notes, and no complaint.
func TestNotes(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "amictl: 3 of a\n"},
		{[]string{"--quiet"}, ""},
		{[]string{"-q"}, ""},
	} {
		m := newRun(t, nil, tt.args...)
		m.Note("%d of %s", 3, "a")
		if m.err.String() != tt.want || m.out.Len() > 0 {
			t.Errorf("%q: %q, want %q", tt.args, m.err.String(), tt.want)
		}
		m.Complain(fail.Failure{Message: "x"})
		if !strings.HasSuffix(m.err.String(), "amictl: x\n") {
			t.Errorf("%q: no complaint in %q", tt.args, m.err.String())
		}
	}
}

// Notes are kept off a terminal alone: a file is not drawn on.
func TestMuteLeavesFilesAlone(t *testing.T) {
	m := newRun(t, nil)
	unmute := m.Mute()
	m.Note("one")
	m.Complain(fail.Failure{Message: "two"})
	unmute()
	if m.err.String() != "amictl: one\namictl: two\n" {
		t.Errorf("it said %q", m.err.String())
	}
}

func TestWhatSubcommandsTell(t *testing.T) {
	r := New(nil, nil, nil, nil, nil)
	one, two, silent := &cli.Command{Name: "one"}, &cli.Command{Name: "two"}, &cli.Command{Name: "silent"}
	if got := r.Tell(one, About{Config: ConfigMayBeNew}); got != one {
		t.Error("Tell returned another command")
	}
	r.Tell(two, About{Daemon: true})
	if r.About(one).Config != ConfigMayBeNew || r.About(one).Daemon || !r.About(two).Daemon {
		t.Errorf("one: %+v, two: %+v", r.About(one), r.About(two))
	}
	if a := r.About(silent); a.Config != configMustBeRight || a.Args.Kind != NoWords || a.Daemon || a.Prints {
		t.Errorf("one that told nothing: %+v", a)
	}
}

// What the configuration hides is hidden in what --verbose tells, and so are secrets.
func TestLogHidesWhatItMust(t *testing.T) {
	m := newRun(t, nil, "--config", writeFile(t, "c.toml", "redact = ['\\+49[0-9]{6,}']\n"))
	var err error
	if m.Settings, err = m.ResolveSettings(configMustBeRight); err != nil {
		t.Fatal(err)
	}
	m.Logger().Info("calls", "number", "+491234567", "secret", "canary", "node", "pbx1")
	if log, hide := m.Logger(), m.Redactor(); m.Logger() != log || m.Redactor() != hide {
		t.Error("there are two of them in one run")
	}
	if text := m.err.String(); strings.Contains(text, "1234567") || strings.Contains(text, "canary") || !strings.Contains(text, "node=pbx1") {
		t.Errorf("it said %q", text)
	}
	// A run that has no settings yet may log as well.
	early := newRun(t, nil)
	if early.Logger().Info("x", "number", "+491234567"); !strings.Contains(early.err.String(), "1234567") {
		t.Errorf("it said %q", early.err.String())
	}
}

func TestTextsOfRecords(t *testing.T) {
	if Yes(true) != "yes" || Yes(false) != "no" {
		t.Errorf("%q, %q", Yes(true), Yes(false))
	}
	if OrAbsent("") != nil || OrAbsent("x") != "x" {
		t.Errorf("%v, %v", OrAbsent(""), OrAbsent("x"))
	}
	if GoodIf(true) != output.Good || GoodIf(false) != output.Bad {
		t.Errorf("%v, %v", GoodIf(true), GoodIf(false))
	}
	if Span(0) != "" || Span(-1) != "" || Span(1500e6) != output.Duration(1500e6) || Span(1) == "" {
		t.Errorf("%q, %q, %q, %q", Span(0), Span(-1), Span(1500e6), Span(1))
	}
}

// A sheet is drawn over what it drew before, and over nothing else.
func TestSheet(t *testing.T) {
	var b bytes.Buffer
	s := NewSheet(&b)
	s.Clear()
	s.Draw([]byte("one\ntwo\n"))
	s.Draw([]byte("three\n"))
	s.Clear()
	s.Clear()
	s.Draw([]byte("four\n"))
	want := "one\ntwo\n" + "\x1b[2A\r\x1b[J" + "three\n" + "\x1b[1A\r\x1b[J" + "four\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}
