//go:build linux

package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A callBook is what a server had of calls whose channels have an id of dial's: the account of each is the number.
type callBook struct {
	t       *testing.T
	watcher *ami.Conn
	over    sync.WaitGroup

	mu      sync.Mutex        // guards the rest
	numbers map[string]string // by the channel's id
	up      map[string]bool
	peak    int
}

func newCallBook(t *testing.T, srv *amitest.Server) *callBook {
	t.Helper()
	b := &callBook{t: t, numbers: make(map[string]string), up: make(map[string]bool)}
	var err error
	b.watcher, err = ami.Dial(t.Context(), ami.Config{Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Events: "call"})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := b.watcher.Subscribe(ami.SubscribeOptions{Events: []string{"Newchannel", "Hangup"}, RingEvents: 1 << 20, RingBytes: 512 << 20})
	if err != nil {
		t.Fatal(err)
	}
	b.over.Go(func() {
		for ev, err := range sub.All(context.Background()) {
			if err != nil {
				return
			}
			b.take(&ev)
		}
	})
	return b
}

func (b *callBook) take(ev *ami.Event) {
	id := ev.Get("Uniqueid")
	if ev.Gap != nil || !strings.HasPrefix(id, "amictl-") {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if ev.Name() == "Hangup" {
		delete(b.up, id)
		return
	}
	if b.numbers[id] != "" {
		b.t.Errorf("there are two channels %s", id)
	}
	b.numbers[id], b.up[id] = ev.Get("AccountCode"), true
	b.peak = max(b.peak, len(b.up))
}

// close ends the watch once every call is over.
func (b *callBook) close() {
	for range 1000 {
		b.mu.Lock()
		n := len(b.up)
		b.mu.Unlock()
		if n == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = b.watcher.Close()
	b.over.Wait()
}

// kill -9 at random instants, and the same line again: every number has one final outcome, or is unknown, of which there are
// no more a kill than calls may be up; nobody is called twice; what the server had is what the journal says; and calls never
// begin faster, and never more of them are up, than was allowed, those of the killed runs included.
func TestDialKilled(t *testing.T) {
	numbers, kills := 300, 4
	if os.Getenv("AMICTL_PROVE") != "" {
		numbers, kills = 2000, 10
	}
	const concurrency, rate = 20, 200
	p := newProcess(t, "Slow")
	book := newCallBook(t, p.server)
	var b strings.Builder
	b.WriteString("number,exten\n")
	extens := []string{"100", "100", "300", "301", "999"}
	for i := range numbers {
		fmt.Fprintf(&b, "%d,%s\n", 10_000+i, extens[rand.IntN(len(extens))])
	}
	p.file("list.csv", b.String())
	args := strings.Fields(fmt.Sprintf("dial list.csv -q -o none --channel Local/{exten}@default --application Wait --data 0.3 --account {number} --concurrency %d --rate %d --out journal.csv", concurrency, rate))
	span := time.Duration(numbers) * time.Second / rate / time.Duration(kills)
	for range kills {
		c := p.command(append([]string{"amictl"}, args...)...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(span) + 1)))
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	last := p.prepare(strings.Join(args, " "))
	if err := last.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- last.Wait() }()
	select {
	case <-ended:
	case <-ctx.Done():
		_ = last.Process.Kill()
		t.Fatalf("the last run does not end: %s", last.stderr.String())
	}
	book.close()
	unknown := judgeDialJournal(t, filepath.Join(p.home, "journal.csv"), numbers, rate, book)
	if unknown > kills*concurrency {
		t.Errorf("%d numbers are unknown after %d kills of %d calls", unknown, kills, concurrency)
	}
	if book.peak > concurrency {
		t.Errorf("%d calls were up at once, want %d at most", book.peak, concurrency)
	}
	if status, want := last.ProcessState.ExitCode(), map[bool]int{false: 0, true: 7}[unknown > 0]; status != want {
		t.Errorf("status %d with %d unknown: %s", status, unknown, last.stderr.String())
	}
	t.Logf("FIGURES %d numbers, %d kills: %d unknown, %d calls on the server, %d up at most", numbers, kills, unknown, len(book.numbers), book.peak)
}

// A dialJournal is what a journal says.
type dialJournal struct {
	states  map[string][]string // by number
	called  map[string]string   // the number, by id
	reached map[string]string   // the outcome of calls that had a channel, by id
	begun   []time.Time
}

func readDialJournal(t *testing.T, path string) *dialJournal {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	j := &dialJournal{states: make(map[string][]string), called: make(map[string]string), reached: make(map[string]string)}
	for _, row := range rows[1:] {
		at, number, state, id := row[0], row[1], row[2], row[5]
		j.states[number] = append(j.states[number], state)
		switch state {
		case "calling":
			moment, err := time.Parse(time.RFC3339Nano, at)
			if err != nil {
				t.Fatal(err)
			}
			j.begun = append(j.begun, moment)
			j.called[id] = number
		case "unsent":
			delete(j.called, id)
		case "final":
			if outcome := row[6]; outcome != "failed" {
				j.reached[id] = outcome
			}
		}
	}
	return j
}

// judgeDialJournal holds a journal to the server's book, and returns how many numbers are unknown.
func judgeDialJournal(t *testing.T, path string, numbers, rate int, book *callBook) (unknown int) {
	t.Helper()
	j := readDialJournal(t, path)
	for number, all := range j.states {
		made := len(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s != "calling" }))
		unsent := len(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s != "unsent" }))
		finals := len(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s != "final" }))
		switch end := all[len(all)-1]; {
		case made-unsent != 1:
			t.Errorf("%s was called %d times: %q", number, made-unsent, all)
		case end == "unknown" && finals == 0:
			unknown++
		case end != "final" || finals != 1:
			t.Errorf("%s has no end, or several: %q", number, all)
		}
	}
	if len(j.states) != numbers {
		t.Errorf("the journal has %d numbers, want %d", len(j.states), numbers)
	}
	for i := 1; i < len(j.begun); i++ {
		if gap := j.begun[i].Sub(j.begun[i-1]); gap < time.Second/time.Duration(rate)-time.Microsecond {
			t.Errorf("two calls began %v apart, at %d a second", gap, rate)
		}
	}
	book.holds(t, j)
	return unknown
}

// holds compares the calls that the server had with a journal's: the same ones, and none of a number twice.
func (book *callBook) holds(t *testing.T, j *dialJournal) {
	t.Helper()
	book.mu.Lock()
	defer book.mu.Unlock()
	for id, outcome := range j.reached {
		if book.numbers[id] == "" {
			t.Errorf("the journal says that %s was %s, and the server had no such call", id, outcome)
		}
	}
	twice := make(map[string]int)
	for id, number := range book.numbers {
		if j.called[id] != number {
			t.Errorf("the server had the call %s of %s, and the journal has it for %q", id, number, j.called[id])
		}
		twice[number]++
	}
	for _, number := range slices.Sorted(maps.Keys(twice)) {
		if twice[number] > 1 {
			t.Errorf("the server had %d calls of %s", twice[number], number)
		}
	}
}
