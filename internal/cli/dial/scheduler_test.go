package dial

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata" // where there is no zone database

	"github.com/apntalk/amictl/pkg/ami"
)

// Whatever happens when, every number is called until it is done, never more are up at once than there are places, attempts
// keep their distance, none begins outside the hours, and none comes before it is due.
func TestScheduler(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		numbers, places, rate := 1+r.IntN(60), 1+r.IntN(8), r.IntN(20)
		s := newScheduler(numbers, places, rate)
		s.retry = retries{ami.OutcomeBusy: {1 + r.IntN(3), time.Duration(1+r.IntN(90)) * time.Second}, ami.OutcomeUnknown: {1, time.Minute}}
		if r.IntN(2) == 0 {
			_ = s.between.Set([]string{"09:00-18:00", "22:30-04:00", "00:00-00:01"}[r.IntN(3)])
		}
		d := &schedulerDay{
			scheduler: s, t: t, seed: seed, r: r, most: places, now: time.Date(2026, 3, 28, r.IntN(24), r.IntN(60), 0, 0, time.UTC),
			attempts: make([]int, numbers), busy: make([]int, numbers), earliest: make([]time.Time, numbers),
		}
		for step := 0; step < 100_000 && !s.done(); step++ {
			d.step()
		}
		if !s.done() {
			t.Fatalf("seed %d: it does not end", seed)
		}
		for i, n := range d.attempts {
			if n == 0 || n != s.numbers[i].attempts {
				t.Errorf("seed %d: number %d had %d attempts, %d by its own count", seed, i, n, s.numbers[i].attempts)
			}
		}
	}
}

// A schedulerDay is a scheduler, what happens to it at random, and what TestScheduler holds it to.
type schedulerDay struct {
	*scheduler
	t    *testing.T
	seed uint64
	r    *rand.Rand
	most int // calls at once
	now  time.Time

	up             []int
	last           time.Time // attempt
	attempts, busy []int     // by number, as earliest
	earliest       []time.Time
}

// step begins an attempt if there may be one, or else ends one or waits.
func (d *schedulerDay) step() {
	if i, ok := d.next(d.now); ok {
		d.attempt(i)
		return
	}
	if len(d.up) > 0 && (d.r.IntN(2) == 0 || d.wake(d.now).IsZero()) {
		d.end()
		return
	}
	wake := d.wake(d.now)
	if wake.IsZero() || wake.Before(d.now) {
		d.t.Fatalf("seed %d: nothing is up, and it wakes at %v", d.seed, wake)
	}
	d.now = wake
}

// attempt takes note of a call that begins, and checks that it may.
func (d *schedulerDay) attempt(i int) {
	switch {
	case !d.last.IsZero() && d.now.Sub(d.last) < d.spacing:
		d.t.Fatalf("seed %d: attempts %v apart, want %v", d.seed, d.now.Sub(d.last), d.spacing)
	case d.now.Before(d.earliest[i]):
		d.t.Fatalf("seed %d: number %d is called %v too early", d.seed, i, d.earliest[i].Sub(d.now))
	case d.between.given && !d.between.holds(d.now):
		d.t.Fatalf("seed %d: called at %v, and not %s", d.seed, d.now, d.between.text)
	}
	d.last = d.now
	d.attempts[i]++
	if d.up = append(d.up, i); len(d.up) > d.most {
		d.t.Fatalf("seed %d: %d calls at once in %d places", d.seed, len(d.up), d.most)
	}
}

// end ends one of the calls that are up, somehow, a moment later.
func (d *schedulerDay) end() {
	at := d.r.IntN(len(d.up))
	i := d.up[at]
	d.up = append(d.up[:at], d.up[at+1:]...)
	d.now = d.now.Add(time.Duration(d.r.IntN(2000)) * time.Millisecond)
	if d.r.IntN(10) == 0 {
		d.unsent(i, d.now)
		d.attempts[i]--
		return
	}
	o := outcomes[d.r.IntN(len(outcomes))]
	again := d.ended(i, o, d.now)
	if o == ami.OutcomeBusy {
		d.busy[i]++
		if want := d.busy[i] <= d.retry[o].times; again != want {
			d.t.Fatalf("seed %d: called again behind busy number %d: %v", d.seed, d.busy[i], again)
		}
	}
	if again {
		d.earliest[i] = d.now.Add(d.retry[o].after)
	}
}

// What is due while the window is shut, or was so by a journal, wakes nobody before it opens, by the clock of here.
func TestSchedulerWakes(t *testing.T) {
	east := time.FixedZone("", 3*60*60)
	at := func(hour, minute int) time.Time { return time.Date(2026, 11, 28, hour, minute, 0, 0, east) }
	for name, test := range map[string]struct{ due, now, want time.Time }{
		"due before it shut":     {at(17, 55), at(18, 5), at(24+9, 0)},
		"due when it is shut":    {at(19, 0), at(18, 5), at(24+9, 0)},
		"due in time":            {at(17, 55), at(17, 0), at(17, 55)},
		"late":                   {at(17, 0), at(17, 55), at(17, 55)},
		"of a journal, in time":  {at(10, 0).UTC(), at(9, 30), at(10, 0)},
		"of a journal, too late": {at(19, 0).UTC(), at(9, 30), at(24+9, 0)},
	} {
		s := newScheduler(1, 1, 0)
		s.retry = retries{ami.OutcomeBusy: {1, time.Hour}}
		if err := s.between.Set("09:00-18:00"); err != nil {
			t.Fatal(err)
		}
		s.resume(0, 1, [len(outcomes)]int{}, ami.OutcomeBusy, test.due.Add(-time.Hour))
		if got := s.wake(test.now); !got.Equal(test.want) {
			t.Errorf("%s: it wakes at %v, want %v", name, got.In(east), test.want)
		}
		if _, ok := s.next(test.want); !ok {
			t.Errorf("%s: it wakes for nothing", name)
		}
	}
}

// The clock on the wall decides, on the days when it is changed, too.
func TestWindowOpens(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := func(s string) time.Time {
		moment, err := time.ParseInLocation("2006-01-02 15:04", s, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return moment
	}
	for _, test := range []struct{ window, now, want string }{
		{"09:00-18:00", "2026-11-28 08:59", "2026-11-28 09:00"},
		{"09:00-18:00", "2026-11-28 09:00", "2026-11-28 09:00"},
		{"09:00-18:00", "2026-11-28 17:59", "2026-11-28 17:59"},
		{"09:00-18:00", "2026-11-28 18:00", "2026-11-29 09:00"},
		{"22:00-06:00", "2026-11-28 05:59", "2026-11-28 05:59"},
		{"22:00-06:00", "2026-11-28 06:00", "2026-11-28 22:00"},
		{"22:00-06:00", "2026-12-31 23:00", "2026-12-31 23:00"},
		{"09:00-18:00", "2026-03-28 19:00", "2026-03-29 09:00"}, // an hour less in between
		{"09:00-18:00", "2026-10-24 19:00", "2026-10-25 09:00"}, // an hour more
		{"09:00-24:00", "2026-11-28 23:59", "2026-11-28 23:59"},
	} {
		var w window
		if err := w.Set(test.window); err != nil {
			t.Fatal(err)
		}
		if got := w.opens(at(test.now)); !got.Equal(at(test.want)) {
			t.Errorf("%s at %s opens at %v, want %s", test.window, test.now, got, test.want)
		}
	}
	for _, wrong := range []string{"", "9", "09:00", "09:00-", "09:00-09:00", "25:00-26:00", "morning-evening", "09:00-18:00-20:00"} {
		if err := new(window).Set(wrong); err == nil {
			t.Errorf("--between %q is taken", wrong)
		}
	}
}

func TestRetries(t *testing.T) {
	var r retries
	for _, s := range []string{"busy:2@5m", "no-answer:1@1h", "unknown:3@1s"} {
		if err := r.Set(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	if got, want := r.String(), "unknown:3@1s busy:2@5m0s no-answer:1@1h0m0s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, wrong := range []string{"", "busy", "busy:2", "busy:0@1m", "busy:x@1m", "busy:2@5", "busy:2@0s", "answered:1@1m", "bussy:1@1m", "failed:1@-1m", "busy:1@1m"} {
		if err := r.Set(wrong); err == nil {
			t.Errorf("--retry %q is taken", wrong)
		}
	}
}

func TestTemplate(t *testing.T) {
	row := func(column string) string { return "<" + column + ">" }
	for text, want := range map[string]string{
		"":                     "",
		"plain":                "plain",
		"PJSIP/{number}@trunk": "PJSIP/<number>@trunk",
		"{a}{b}":               "<a><b>",
		"{{a}":                 "{a}",
		"{{{a}":                "{<a>",
		"${EPOCH}":             "${EPOCH}",
		"${CUT({a},,1)}":       "${CUT(<a>,,1)}",
		"$5 {a}":               "$5 <a>",
		"a } b":                "a } b",
		"{ñ}":                  "<ñ>",
	} {
		tm, err := parseTemplate(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := tm.fill(row); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	for _, wrong := range []string{"{", "a{number", "{a}{"} {
		if _, err := parseTemplate(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
