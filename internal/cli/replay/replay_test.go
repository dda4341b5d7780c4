package replay

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
)

// Texts of files, which the tests put together.
const (
	packets = "Event: A\r\nN: 1\r\n\r\nResponse: Success\r\nMessage: x\r\n\r\nEvent: B\r\nN: 2\r\nTimestamp: 1795435200.250000\r\n\r\n"
	lines   = `{"type":"event","node":"pbx","time":"2026-11-23T12:00:00.000000Z","event":"C","fields":{"N":"3"}}
{"type":"reply","node":"pbx"}
{"type":"event","node":"pbx","time":"2026-11-23T12:00:02.000000Z","event":"D","fields":{"N":"4"}}
`
	damaged = "Event: E\r\nN: 5\r\nAsterisk Call Manager/11.0.0\r\n\r\n"
)

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// files writes texts to files, and returns their names.
func files(t *testing.T, texts ...string) (names []string) {
	t.Helper()
	dir := t.TempDir()
	for i, text := range texts {
		name := filepath.Join(dir, "file"+string(rune('1'+i)))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// seen has what was taken of events: their names and numbers.
type seen struct{ events []string }

func (s *seen) take(_ context.Context, ev *ami.Event) error {
	if ev.Gap != nil {
		s.events = append(s.events, "gap")
		return nil
	}
	s.events = append(s.events, ev.Name()+" "+ev.Get("N"))
	return nil
}

// What is read of files of all kinds, one after the other, and what is said of them in the end.
func TestReplay(t *testing.T) {
	torn := packed(t, packets+strings.Repeat("Event: A\r\nN: 9\r\n\r\n", 1000))
	for name, test := range map[string]struct {
		texts []string
		wants string // the only event's name
		want  []string
		code  fail.Code
		says  string
	}{
		"a capture":             {texts: []string{packets}, want: []string{"A 1", "B 2"}},
		"a record":              {texts: []string{lines}, want: []string{"C 3", "D 4"}},
		"both":                  {texts: []string{packets, lines, packets}, want: []string{"A 1", "B 2", "C 3", "D 4", "A 1", "B 2"}},
		"with room in front":    {texts: []string{" \r\n\t" + lines, "\n\n" + packets}, want: []string{"C 3", "D 4", "A 1", "B 2"}},
		"packed":                {texts: []string{packed(t, lines), packed(t, packets)}, want: []string{"C 3", "D 4", "A 1", "B 2"}},
		"over two files":        {texts: []string{"Event: A\r\nN:", " 1\r\n\r\n"}, want: []string{"A 1"}},
		"but not over a record": {texts: []string{packets + "Event: F\r\nN: 7\r\n", lines, packets}, want: []string{"A 1", "B 2", "C 3", "D 4", "A 1", "B 2"}, code: fail.CodeGap, says: "1 packet is lost"},
		"by name":               {texts: []string{packets, lines}, wants: "B", want: []string{"B 2"}},
		"by name of a record":   {texts: []string{packets, lines}, wants: "D", want: []string{"D 4"}},
		"empty":                 {texts: []string{""}},
		"blank":                 {texts: []string{" \n\n"}},
		"empty and not":         {texts: []string{"", packets}, want: []string{"A 1", "B 2"}},
		"some lost":             {texts: []string{damaged + packets}, want: []string{"A 1", "B 2"}, code: fail.CodeGap, says: "1 packet is lost, at line 1 of "},
		"all lost":              {texts: []string{"Event: E\r\nN: 5\r\n"}, code: fail.CodeInput, says: "nothing could be read: 1 packet is lost"},
		"lost beside a record":  {texts: []string{damaged, lines}, want: []string{"C 3", "D 4"}, code: fail.CodeGap, says: "1 packet is lost"},
		"no capture":            {texts: []string{"a letter to Bob\n"}, code: fail.CodeInput, says: "file1 is neither a record nor a capture"},
		"no captures":           {texts: []string{"a letter\n", "to Bob\n"}, code: fail.CodeInput, says: "none of the files is a record or a capture"},
		"a letter beside":       {texts: []string{"a letter\n", packets}, want: []string{"A 1", "B 2"}},
		"a letter and a record": {texts: []string{"a letter\n", lines}, want: []string{"C 3", "D 4"}},
		"a torn archive":        {texts: []string{torn[:len(torn)-12], lines}, want: []string{"C 3", "D 4"}, code: fail.CodeGap, says: "file1: "},
		"only a torn archive":   {texts: []string{torn[:11]}, code: fail.CodeInput, says: "file1: "},
		"another program's":     {texts: []string{"{}\n[1]\n"}, code: fail.CodeInput, says: "neither a record nor a capture"},
	} {
		t.Run(name, func(t *testing.T) {
			r := runtest.New(t, runtest.Setup{})
			var got seen
			o := Options{Command: "tail", Names: files(t, test.texts...), Take: got.take}
			if test.wants != "" {
				o.WantsName = func(name string) bool { return name == test.wants }
			}
			p, err := New(r.Run, o)
			if err != nil {
				t.Fatal(err)
			}
			if err = p.Play(t.Context()); err == nil {
				err = p.Verdict()
			}
			got.events = slices.DeleteFunc(got.events, func(e string) bool { return e == "A 9" })
			if name == "a torn archive" && len(got.events) >= 2 && got.events[0] == "A 1" { // as much as was read of it
				got.events = got.events[2:]
			}
			if diff := cmp.Diff(test.want, got.events); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if f := fail.Classify(err); f.Code != test.code || !strings.Contains(f.Message, test.says) {
				t.Errorf("%q, %q; want %q with %q", f.Code, f.Message, test.code, test.says)
			}
		})
	}
}

// What is lost is told beside another error too, and damage beside what is lost.
func TestReplayTellsOfTwoFaults(t *testing.T) {
	text := packed(t, damaged+strings.Repeat(packets, 2000))
	r := runtest.New(t, runtest.Setup{})
	var got seen
	p, err := New(r.Run, Options{Command: "tail", Names: files(t, damaged+packets, text[:len(text)-12]), Take: got.take})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Play(t.Context()); err != nil {
		t.Fatal(err)
	}
	runtest.Refused(t, p.Verdict(), fail.CodeGap, "file2: ")
	if !strings.HasPrefix(r.Err.String(), "amictl: --from: ") || !strings.Contains(r.Err.String(), "lost") {
		t.Errorf("it said %q", r.Err)
	}
}

// Lines of a record that cannot be read are left out and told of, and it goes on.
func TestReplayOfABadLine(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Stdin: lines + `{"type":"event","event":` + "\n" + lines})
	var got seen
	p, err := New(r.Run, Options{Command: "tail", Names: []string{"-"}, Take: got.take})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Play(t.Context()), p.Verdict()); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"C 3", "D 4", "C 3", "D 4"}, got.events); diff != "" || strings.Count(r.Err.String(), "it is left out\n") != 1 {
		t.Errorf("said %q; -want +got:\n%s", r.Err, diff)
	}
}

// Of the time of events is told whether they are of interest or not; in a record one out of the span is not even read.
func TestReplaySeesTimes(t *testing.T) {
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		text  string
		holds func(time.Time) bool
		wants string
		saw   []time.Duration // from then
		want  []string
	}{
		"a record":           {lines, nil, "", []time.Duration{0, 2 * time.Second}, []string{"C 3", "D 4"}},
		"some of a record":   {lines, nil, "D", []time.Duration{0, 2 * time.Second}, []string{"D 4"}},
		"a span of a record": {lines, func(t time.Time) bool { return t.After(at) }, "", []time.Duration{2 * time.Second}, []string{"D 4"}},
		"a capture":          {packets, nil, "", []time.Duration{250 * time.Millisecond}, []string{"A 1", "B 2"}},
		"some of a capture":  {packets, nil, "A", []time.Duration{250 * time.Millisecond}, []string{"A 1"}},
		"out of a span":      {packets, func(time.Time) bool { return false }, "", nil, []string{"A 1", "B 2"}}, // who takes them looks again
	} {
		t.Run(name, func(t *testing.T) {
			var got seen
			var saw []time.Duration
			o := Options{Names: files(t, test.text), Holds: test.holds, Saw: func(when time.Time) { saw = append(saw, when.Sub(at)) }, Take: got.take}
			if test.wants != "" {
				o.WantsName = func(name string) bool { return name == test.wants }
			}
			p, err := New(runtest.New(t, runtest.Setup{}).Run, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Play(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.saw, saw); diff != "" {
				t.Errorf("saw (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.want, got.events); diff != "" {
				t.Errorf("took (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever takes the events may end the replay, and so may who is told of a pause; a loop over them may just be left.
func TestReplayEnds(t *testing.T) {
	enough := errors.New("enough")
	for name, text := range map[string]string{"a record": lines, "a capture": packets} {
		r := runtest.New(t, runtest.Setup{})
		count := 0
		play := func(ctx context.Context, o Options) error {
			count = 0
			o.Names = files(t, text)
			p, err := New(r.Run, o)
			if err != nil {
				t.Fatal(err)
			}
			return p.Play(ctx)
		}
		if err := play(t.Context(), Options{Take: func(context.Context, *ami.Event) error { count++; return enough }}); !errors.Is(err, enough) || count != 1 {
			t.Errorf("%s: by its events: %v, after %d", name, err, count)
		}
		idle := func() error { return enough }
		if err := play(t.Context(), Options{Idle: idle, Take: func(context.Context, *ami.Event) error { count++; return nil }}); !errors.Is(err, enough) {
			t.Errorf("%s: by a pause: %v, after %d", name, err, count)
		}
		stopped, stop := context.WithCancel(t.Context())
		stop()
		if err := play(stopped, Options{Take: func(context.Context, *ami.Event) error { return nil }}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: by a signal: %v", name, err)
		}
		p, err := New(r.Run, Options{Names: files(t, text)})
		if err != nil {
			t.Fatal(err)
		}
		for ev, err := range p.Events(t.Context()) {
			if count++; err != nil || ev.Name() == "" {
				t.Errorf("%s: %v, %v", name, ev, err)
			}
			break
		}
		p, _ = New(r.Run, Options{Names: files(t, text, "")})
		all := 0
		for _, err := range p.Events(t.Context()) {
			if all++; err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		p, _ = New(r.Run, Options{Names: files(t, text)})
		var last error
		for _, err := range p.Events(stopped) {
			last = err
		}
		if all != 2 || !errors.Is(last, context.Canceled) {
			t.Errorf("%s: a loop has %d events, and ends with %v", name, all, last)
		}
	}
}

// A file that is followed is read on where it ends, and from its new beginning when another one has its name.
func TestReplayFollows(t *testing.T) {
	names := files(t, lines, packets)
	r := runtest.New(t, runtest.Setup{})
	var got seen
	step := 0
	idle := func() error { // nothing is at hand
		step++
		switch {
		case step < 3: // in front of the end of either file
			return nil
		case len(got.events) == 4:
			return appendTo(names[1], "Event: F\r\nN: 6\r\n\r\n")
		case len(got.events) == 5:
			return os.WriteFile(names[1], []byte("Event: G\r\nN: 7\r\n\r\n"), 0o600)
		case len(got.events) == 6:
			return context.DeadlineExceeded
		}
		return nil
	}
	p, err := New(r.Run, Options{Names: names, Follow: true, Idle: idle, Take: got.take})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Play(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"C 3", "D 4", "A 1", "B 2", "F 6", "G 7"}, got.events); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.Contains(r.Err.String(), "was emptied, and is followed from its beginning") {
		t.Errorf("it said %q", r.Err)
	}
	p, err = New(r.Run, Options{Names: files(t, "a letter\n"), Follow: true, Until: time.Now(), Take: got.take})
	if err == nil {
		err = errors.Join(p.Play(t.Context()), p.Verdict())
	}
	if err != nil {
		t.Errorf("what may become a capture yet: %v", err)
	}
}

func appendTo(name, text string) error {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// What cannot be read is refused before anything is.
func TestReplayRefuses(t *testing.T) {
	good := files(t, packets)[0]
	zipped := files(t, packed(t, packets))[0]
	foreign := files(t, "\xfd7zXZ\x00 and so on")[0]
	for name, test := range map[string]struct {
		names  []string
		follow bool
		code   fail.Code
		want   string
		late   bool // when it is read
	}{
		"no such file":         {[]string{good, good + ".not"}, false, fail.CodeUsage, "--from: ", false},
		"a folder":             {[]string{filepath.Dir(good), good}, false, fail.CodeUsage, " is a folder", false},
		"input that grows":     {[]string{good, "-"}, true, fail.CodeUsage, "--follow is for a file that grows", false},
		"a device that grows":  {[]string{good, os.DevNull}, true, fail.CodeUsage, "--follow is for a file that grows, and " + os.DevNull, false},
		"a device":             {[]string{os.DevNull, good}, true, "", "", false},
		"input twice":          {[]string{"-", "-"}, false, fail.CodeUsage, "both read standard input", true},
		"an archive, growing":  {[]string{good, zipped}, true, fail.CodeUsage, "is compressed by gzip, and such a file does not grow", true},
		"an archive before":    {[]string{zipped, good}, true, "", "", false},
		"an archive of others": {[]string{foreign}, false, fail.CodeInput, "cannot be read", true},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := New(runtest.New(t, runtest.Setup{}).Run, Options{
				Command: "tail", Names: test.names, Follow: test.follow, Until: time.Now(), Take: func(context.Context, *ami.Event) error { return nil },
			})
			if (err != nil) != (test.code != "" && !test.late) {
				t.Fatalf("it is refused at once: %v", err)
			}
			if err == nil {
				err = p.Play(t.Context())
			}
			runtest.Refused(t, err, test.code, test.want)
		})
	}
}

// Flags that choose servers choose nothing here.
func TestRefuseServers(t *testing.T) {
	for name, test := range map[string]struct {
		flags run.Globals
		want  string
	}{
		"none":            {run.Globals{}, ""},
		"--node":          {run.Globals{Nodes: flags.List{"a"}}, "--node and --local choose servers"},
		"--local":         {run.Globals{Local: true}, "--node and --local choose servers"},
		"--manager-conf":  {run.Globals{ManagerConf: "x"}, "--node and --local choose servers"},
		"--label":         {run.Globals{Labels: flags.List{"a=b"}}, "a file, which knows no labels"},
		"--timeout":       {run.Globals{Timeout: flags.Duration{Value: time.Second, Given: true}}, "--timeout"},
		"another setting": {run.Globals{Quiet: true}, ""},
	} {
		r := runtest.New(t, runtest.Setup{})
		r.Flags = test.flags
		err := RefuseServers(r.Run)
		if test.want != "" {
			runtest.Refused(t, err, fail.CodeUsage, test.want)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPacketTime(t *testing.T) {
	for text, want := range map[string]time.Time{
		"": {}, "x": {}, "0.5": {}, "-1": {}, "999999999999": {}, ".5": {},
		"1": time.Unix(1, 0), "1.5": time.Unix(1, 500_000_000), "1795435200.000250": time.Unix(1795435200, 250_000),
		"1.0000009": time.Unix(1, 0), "1.x": time.Unix(1, 0), "214748364700": time.Unix(214748364700, 0), "214748364701": {},
	} {
		if got := PacketTime(text); !got.Equal(want) {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

// An event happened when its server says, else when it came.
func TestMoment(t *testing.T) {
	var got []time.Time
	came := time.Unix(5, 0)
	p, err := New(runtest.New(t, runtest.Setup{}).Run, Options{Names: files(t, packets), Take: func(_ context.Context, ev *ami.Event) error {
		ev.Received = came
		got = append(got, Moment(ev))
		return nil
	}})
	if err == nil {
		err = p.Play(t.Context())
	}
	if want := []time.Time{came, time.Unix(1795435200, 250_000_000)}; err != nil || !slices.EqualFunc(got, want, time.Time.Equal) {
		t.Errorf("%v, want %v: %v", got, want, err)
	}
}
