package tail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// recorded has the names of the events in a record, and whatever else is a line of it.
func recorded(t *testing.T, path string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if event := gjson.Get(line, "event").Str; event != "" && strings.HasSuffix(line, "}\n") {
			line = event
		}
		all = append(all, line)
	}
	return all
}

// A record grows by what is shown, counted or printed; what was there stays, and a line that was cut off stays a line of its own.
func TestRecordGrows(t *testing.T) {
	dir := t.TempDir()
	from := filepath.Join(dir, "from")
	write(t, from, `{"type":"event","event":"Hangup","fields":{"Cause":"16"}}`+"\n"+`{"type":"event","event":"Hold","fields":{}}`+"\n")
	for name, test := range map[string]struct {
		before  string // "-": there is no file
		options options
		want    []string
	}{
		"a new file":       {"-", options{}, []string{"Hangup", "Hold"}},
		"an empty file":    {"", options{}, []string{"Hangup", "Hold"}},
		"more of a record": {"before\n", options{appends: true}, []string{"before\n", "Hangup", "Hold"}},
		"a torn line":      {"before\ntor", options{appends: true}, []string{"before\n", "tor\n", "Hangup", "Hold"}},
		"one byte":         {"x", options{appends: true}, []string{"x\n", "Hangup", "Hold"}},
		"a new, to append": {"-", options{appends: true}, []string{"Hangup", "Hold"}},
		"what is asked":    {"-", options{names: []string{"Hold"}}, []string{"Hold"}},
		"what is counted":  {"-", options{stats: true}, []string{"Hangup", "Hold"}},
	} {
		t.Run(name, func(t *testing.T) {
			test.options.from, test.options.record = flags.List{from}, filepath.Join(t.TempDir(), "record")
			if test.before != "-" {
				write(t, test.options.record, test.before)
			}
			r := runtest.New(t, runtest.Setup{})
			if err := tail(t.Context(), r.Run, &test.options); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, recorded(t, test.options.record)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got := gjson.Get(r.Out.String(), `..#(type="stats")#|#`).Int(); (got > 0) != test.options.stats {
				t.Errorf("%d counts are printed", got)
			}
		})
	}
}

// Nothing is overwritten, nor read and written at once.
func TestRecordRefuses(t *testing.T) {
	dir := t.TempDir()
	from, full := filepath.Join(dir, "from"), filepath.Join(dir, "full")
	const text = `{"type":"event","event":"Hangup","fields":{}}` + "\n"
	write(t, from, text)
	write(t, full, text)
	for name, test := range map[string]struct {
		options options
		want    string
	}{
		"standard output": {options{record: "-"}, "--record writes to a file"},
		"what is there":   {options{record: full}, "full is not empty"},
		"what is read":    {options{record: from, appends: true}, "--record would add to " + from},
		"a folder":        {options{record: dir}, "--record: "},
		"no record":       {options{appends: true}, "--append goes with --record"},
	} {
		t.Run(name, func(t *testing.T) {
			test.options.from = flags.List{from}
			runtest.Refused(t, tail(t.Context(), runtest.New(t, runtest.Setup{}).Run, &test.options), fail.CodeUsage, test.want)
		})
	}
	for _, path := range []string{from, full} {
		if diff := cmp.Diff([]string{"Hangup"}, recorded(t, path)); diff != "" {
			t.Errorf("%s changed (-want +got):\n%s", path, diff)
		}
	}
}

// After a SIGHUP a record goes on in a new file of its name, with whatever was not written yet in the old one. Where there can be
// no new one, and in what is no file, it goes on where it is.
func TestRecordIsOpenedAnew(t *testing.T) {
	event := func(name string) *ami.Event {
		m, ok := decodeOne("Event: " + name + "\r\n\r\n")
		if !ok {
			t.Fatal("it does not decode")
		}
		return &ami.Event{Message: m}
	}
	dir := filepath.Join(t.TempDir(), "dir")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path, from := filepath.Join(dir, "record"), filepath.Join(t.TempDir(), "from")
	write(t, from, "")
	r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "none"}})
	tailer, err := newTailer(r.Run, &options{record: path, from: flags.List{from}}, run.Endless)
	if err != nil {
		t.Fatal(err)
	}
	nudged := 0
	nudge := func() { nudged++ }
	tailer.nudge.Store(&nudge)
	step := func(name string, do func() error) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	step("an event", func() error { return tailer.show(event("One")) })
	step("a new name", func() error { return os.Rename(path, path+".1") })
	tailer.askToReopen()
	if nudged != 1 {
		t.Errorf("who waits was woken %d times", nudged)
	}
	step("another event", func() error { return tailer.show(event("Two")) })
	step("a flush", tailer.flush)
	if diff := cmp.Diff([][]string{{"One"}, {"Two"}}, [][]string{recorded(t, path+".1"), recorded(t, path)}); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	away := dir + ".1"
	step("a folder that is gone", func() error { return os.Rename(dir, away) })
	tailer.askToReopen()
	step("an event", func() error { return tailer.show(event("Three")) })
	step("the end", tailer.closeRecord)
	if diff := cmp.Diff([]string{"Two", "Three"}, recorded(t, filepath.Join(away, "record"))); diff != "" || !strings.Contains(r.Err.String(), "it continues in the old file") {
		t.Errorf("said %q, -want +got:\n%s", r.Err, diff)
	}
}

// A record may go to what is no file of its own, such as a device, which has nothing to append to and is never opened anew.
func TestRecordToADevice(t *testing.T) {
	from := filepath.Join(t.TempDir(), "from")
	write(t, from, `{"type":"event","event":"Hangup","fields":{}}`+"\n")
	r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "none"}})
	tailer, err := newTailer(r.Run, &options{record: os.DevNull, from: flags.List{from}}, run.Endless)
	if err != nil {
		t.Fatal(err)
	}
	file := tailer.file
	tailer.askToReopen() // nobody waits
	for _, do := range []func() error{tailer.beginRecord, tailer.reopenRecord, tailer.closeRecord} {
		if err := do(); err != nil {
			t.Error(err)
		}
	}
	if tailer.file != file || tailer.reopen.Load() {
		t.Error("it was opened anew, or still is to be")
	}
}
