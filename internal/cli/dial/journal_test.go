package dial

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
)

var someSteps = []step{
	{time.Date(2026, 11, 28, 6, 47, 25, 787531000, time.UTC), "100", stepCalling, 1, "pbx1", "amictl-1", ami.OutcomeUnknown, "", unmeasured, unmeasured},
	{time.Date(2026, 11, 28, 6, 47, 26, 0, time.UTC), "100", stepAgain, 1, "pbx1", "amictl-1", ami.OutcomeBusy, "17", 1500 * time.Microsecond, unmeasured},
	{time.Date(2026, 11, 28, 6, 48, 26, 0, time.UTC), `1,"00`, stepFinal, 2, "pbx 2", "amictl-2", ami.OutcomeAnswered, "16", 2 * time.Second, 3 * time.Second},
	{time.Date(2026, 11, 28, 6, 49, 26, 0, time.UTC), "200", stepUnknown, 1, "pbx1", "amictl-3", ami.OutcomeUnknown, "", unmeasured, unmeasured},
}

// What is written is what is read again, however much of a row a kill left behind it.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.csv")
	j, steps, err := openJournal(path)
	if err != nil || len(steps) > 0 {
		t.Fatalf("%v, %d steps", err, len(steps))
	}
	for i := range someSteps {
		if err := j.write(i%2 == 0, someSteps[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(path, append(whole[:cut:cut], "\x00\x00"[:r.IntN(3)]...), 0o600); err != nil {
			t.Fatal(err)
		}
		j, got, err := openJournal(path)
		lines := strings.Count(string(whole[:cut]), "\n")
		if cut < len(strings.Join(journalHeader, ","))+1 && err != nil && lines == 0 && cut > 0 { // half a header and junk is no journal
			continue
		}
		if err != nil {
			if cut == 0 {
				continue
			}
			t.Fatalf("%d bytes: %v", cut, err)
		}
		want := someSteps[:max(lines-1, 0)]
		if diff := cmp.Diff(append([]step{}, want...), append([]step{}, got...), cmp.AllowUnexported(step{})); diff != "" {
			t.Fatalf("%d bytes (-want +got):\n%s", cut, diff)
		}
		if err := j.write(false, someSteps[0]); err != nil {
			t.Fatal(err)
		}
		_ = j.close()
		if _, got, err = openAndClose(path); err != nil || len(got) != len(want)+1 {
			t.Fatalf("%d bytes, and a row: %v, %d steps", cut, err, len(got))
		}
	}
}

func openAndClose(path string) (*journal, []step, error) {
	j, steps, err := openJournal(path)
	if err == nil {
		err = j.close()
	}
	return j, steps, err
}

// What is not ours is left as it is.
func TestJournalRefuses(t *testing.T) {
	head := strings.Join(journalHeader, ",") + "\n"
	for name, test := range map[string]struct{ text, want string }{
		"another CSV":        {"number,outcome\n100,busy\n", "holds something else"},
		"text without lines": {"x", "holds something else"},
		"a longer header":    {strings.Join(journalHeader, ",") + ",more\n", "holds something else"},
		"no row":             {head + "100\n", "line 2 is no row of a journal"},
		"another state":      {head + "2026-11-28T06:47:25Z,100,dialing,1,a,b,,,,\n", "line 2 is no row"},
		"another outcome":    {head + "2026-11-28T06:47:25Z,100,final,1,a,b,good,,,\n", "line 2 is no row"},
		"another time":       {head + "2026-11-28T06:47:25Z,100,final,1,a,b,busy,,,\n28.11.2026,100,final,1,a,b,busy,,,\n", "line 3 is no row"},
		"a quote":            {head + "2026-11-28T06:47:25Z,1\"00,final,1,a,b,busy,,,\n", "line 2 is no row"},
	} {
		path := filepath.Join(t.TempDir(), "out.csv")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := openJournal(path)
		runtest.Refused(t, err, fail.CodeUsage, test.want)
		if got, err := os.ReadFile(path); err != nil || string(got) != test.text {
			t.Errorf("%s: it became %q, %v", name, got, err)
		}
	}
}

// Two dials never write one journal.
func TestJournalIsLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.csv")
	j, _, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = openJournal(path)
	runtest.Refused(t, err, fail.CodeUsage, "another dial writes")
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openAndClose(path); err != nil {
		t.Error(err)
	}
}

// What a journal tells of a number.
func TestReadBook(t *testing.T) {
	steps := func(states ...string) (all []step) {
		for _, s := range states {
			state, outcome, _ := strings.Cut(s, " ")
			o, _ := outcomeOf(outcome)
			attempt := 0
			for _, before := range all {
				if before.state == stepCalling {
					attempt++
				} else if before.state == stepUnsent {
					attempt--
				}
			}
			if stepState(state) == stepCalling {
				attempt++
			}
			all = append(all, step{number: "1", state: stepState(state), attempt: attempt, outcome: o})
		}
		return all
	}
	for name, test := range map[string]struct {
		steps    []step
		attempts int
		busy     int // attempts that followed one
		up       bool
	}{
		"in the middle":         {steps("calling"), 1, 0, true},
		"answered":              {steps("calling", "answered answered"), 1, 0, true},
		"done":                  {steps("calling", "answered answered", "final answered"), 1, 0, false},
		"to be called again":    {steps("calling", "again busy"), 1, 0, false},
		"called again":          {steps("calling", "again busy", "calling"), 2, 1, true},
		"unsent":                {steps("calling", "unsent"), 0, 0, false},
		"unsent again":          {steps("calling", "again busy", "calling", "unsent"), 1, 0, false},
		"unsent, sent":          {steps("calling", "again busy", "calling", "unsent", "calling"), 2, 1, true},
		"unknown":               {steps("calling", "unknown unknown"), 1, 0, false},
		"unknown, called again": {steps("calling", "unknown unknown", "calling", "again busy", "calling", "final busy"), 3, 1, false},
	} {
		e := readBook(test.steps)["1"]
		if after := e.after(); len(e.ends) != test.attempts || after[ami.OutcomeBusy] != test.busy || e.up() != test.up {
			t.Errorf("%s: %d attempts, %v after, up %v", name, len(e.ends), after, e.up())
		}
	}
}
