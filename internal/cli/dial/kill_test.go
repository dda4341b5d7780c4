package dial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/internal/cli/call"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A world is a simulated server in virtual time, a list that is dialled on it, and the server's own book of its calls.
type world struct {
	t      *testing.T
	rand   *rand.Rand
	server *amitest.Server
	net    *amitest.Network
	list   string
	path   string // of the journal
	change func(o *options)

	watcher *ami.Conn
	watched sync.WaitGroup
	mu      sync.Mutex // guards the book
	made    map[string]string
	begun   []time.Time
	up      map[string]bool
	peak    int
}

// extensions are how calls to them end; there is none for "missing".
var extensions = map[string]string{"answers": "answer", "busy": "busy", "congested": "congestion", "silent": "noanswer", "missing": ""}

func newWorld(t *testing.T, seed uint64, numbers int, change func(o *options)) *world {
	w := &world{
		t: t, rand: rand.New(rand.NewPCG(seed, 0)), net: amitest.NewNetwork(), path: filepath.Join(t.TempDir(), "journal.csv"), change: change,
		made: make(map[string]string), up: make(map[string]bool),
	}
	w.server = amitest.NewServer(amitest.WithNetwork(w.net), amitest.WithName("pbx1"), amitest.WithCallTimes(50*time.Millisecond, 400*time.Millisecond), amitest.WithSetup(func(s *amitest.Server) {
		for exten, outcome := range extensions {
			if outcome != "" {
				s.State().AddExtension(amitest.Extension{Context: "default", Exten: exten, Outcome: outcome})
			}
		}
	}))
	var b strings.Builder
	b.WriteString("number,exten\n")
	for i := range numbers {
		var all []string
		for exten := range extensions {
			all = append(all, exten)
		}
		fmt.Fprintf(&b, "%d,%s\n", 1000+i, all[w.rand.IntN(len(all))])
	}
	w.list = b.String()
	w.watch()
	return w
}

func (w *world) config(name string) ami.Config {
	return ami.Config{
		Name: "pbx1", Addr: "pbx1:5038", Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Dial: w.net.DialContext,
		Events: "call", Labels: map[string]string{"for": name},
	}
}

// watch keeps the server's book, on a session of its own.
func (w *world) watch() {
	var err error
	if w.watcher, err = ami.Dial(w.t.Context(), w.config("watch")); err != nil {
		w.t.Fatal(err)
	}
	sub, err := w.watcher.Subscribe(ami.SubscribeOptions{Events: []string{"Newchannel", "Hangup"}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.watched.Go(func() {
		for ev, err := range sub.All(context.Background()) {
			if err != nil {
				return
			}
			w.book(&ev)
		}
	})
}

func (w *world) book(ev *ami.Event) {
	id, number := ev.Get("Uniqueid"), ev.Get("AccountCode")
	if !strings.HasPrefix(id, "amictl-") {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if ev.Name() == "Hangup" {
		delete(w.up, id)
		return
	}
	if w.made[id] != "" {
		w.t.Errorf("two channels are %s", id)
	}
	w.made[id], w.up[id] = number, true
	w.begun = append(w.begun, ev.Received)
	w.peak = max(w.peak, len(w.up))
}

// close ends the world, once its calls are over.
func (w *world) close() {
	time.Sleep(time.Hour)
	_ = w.watcher.Close()
	w.watched.Wait()
	w.server.Close()
}

// start makes a dialer that goes on where the journal ends.
func (w *world) start(r *runtest.Run) *dialer {
	o := newOptions()
	o.file, o.Channel, o.Application, o.Data, o.Account = "-", "Local/{exten}@default", "Wait", "0.4", "{number}"
	o.Ring = flags.Duration{Value: 300 * time.Millisecond}
	w.change(o)
	p, err := prepare(r.Run, o)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := r.Printer(run.Records, false, true)
	if err != nil {
		w.t.Fatal(err)
	}
	j, steps, err := openJournal(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	d := newDialer(r.Run, o, p, j, out)
	d.resume(steps, nil, []ami.Config{w.config("dial")})
	return d
}

// dial dials the list until ctx is done.
func (w *world) dial(ctx context.Context) error {
	d := w.start(runtest.New(w.t, runtest.Setup{Stdin: w.list}))
	return errors.Join(d.run(ctx, []ami.Config{w.config("dial")}), d.journal.close())
}

// tear adds what a kill leaves of a row that was being written.
func (w *world) tear() {
	f, err := os.OpenFile(w.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	row := "2026-11-28T06:47:25.787531Z,1003,calling,1,pbx1,amictl-0000000000000000"
	_, err = f.WriteString(row[:w.rand.IntN(len(row))])
	if err = errors.Join(err, f.Close()); err != nil {
		w.t.Fatal(err)
	}
}

// killedBeforeSending adds the row of a call that was about to be sent, if there was a place for it.
func (w *world) killedBeforeSending(places int) {
	steps := w.steps()
	book, up := readBook(steps), 0
	for _, e := range book {
		if e.up() {
			up++
		}
	}
	for line := range strings.Lines(w.list) {
		number, _, _ := strings.Cut(line, ",")
		if book[number] != nil || number == numberColumn || up >= places {
			continue
		}
		j, _, err := openJournal(w.path)
		if err == nil {
			err = errors.Join(j.write(true, step{at: time.Now(), number: number, state: stepCalling, attempt: 1, node: "pbx1", id: call.ChannelID(), ring: unmeasured, talk: unmeasured}), j.close())
		}
		if err != nil {
			w.t.Fatal(err)
		}
		return
	}
}

// steps are the rows of the journal.
func (w *world) steps() []step {
	w.t.Helper()
	j, steps, err := openJournal(w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = j.close()
	return steps
}

// judge holds the journal to the server's book: every call of the server is in the journal, and neither too many were up nor
// did they begin too fast.
func (w *world) judge(o *options, numbers, mostUnknown int) {
	w.t.Helper()
	called := w.judgeJournal(o, numbers, mostUnknown)
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, number := range w.made {
		if called[id] != number {
			w.t.Errorf("the server had a call %s to %s, and the journal to %q", id, number, called[id])
		}
	}
	if w.peak > o.concurrency.Value {
		w.t.Errorf("%d calls were up at once, want %d at most", w.peak, o.concurrency.Value)
	}
	if o.rate.Given {
		for i := 1; i < len(w.begun); i++ {
			if gap := w.begun[i].Sub(w.begun[i-1]); gap < time.Second/time.Duration(o.rate.Value) {
				w.t.Errorf("two calls began %v apart, at %d a second", gap, o.rate.Value)
			}
		}
	}
}

// judgeJournal wants one final row of each number, or that it is unknown, and no call of one that is not to be called. It
// returns the numbers of the calls that were sent.
func (w *world) judgeJournal(o *options, numbers, mostUnknown int) (called map[string]string) {
	w.t.Helper()
	finals, last := make(map[string]int), make(map[string]step)
	called = make(map[string]string)
	for _, s := range w.steps() {
		switch s.state {
		case stepFinal:
			finals[s.number]++
		case stepCalling:
			if before := last[s.number]; before.state == stepFinal || before.state == stepCalling || before.state == stepAnswered || o.retry[before.outcome].times == 0 && before.state == stepAgain {
				w.t.Errorf("%s is called again behind %v", s.number, &before)
			}
			called[s.id] = s.number
		case stepUnsent:
			delete(called, s.id)
		}
		if s.state != stepUnsent {
			last[s.number] = s
		} else {
			delete(last, s.number)
		}
	}
	unknown := 0
	for i := range numbers {
		number := fmt.Sprint(1000 + i)
		switch n := finals[number]; {
		case n > 1:
			w.t.Errorf("%s has %d final rows", number, n)
		case n == 1 && last[number].state == stepFinal:
		case last[number].state == stepUnknown:
			unknown++
		default:
			s := last[number]
			w.t.Errorf("%s ends with %v", number, &s)
		}
	}
	if unknown > mostUnknown {
		w.t.Errorf("%d are unknown, want %d at most", unknown, mostUnknown)
	}
	return called
}

// Whenever it is killed, nobody is called twice, and every number has one outcome in the end, or is unknown: no more of these
// a kill than calls may be up. What the server had and what the journal says agree, and neither the rate nor the
// concurrency is exceeded, calls of dead runs included.
func TestKills(t *testing.T) {
	seeds := uint64(12)
	if os.Getenv("AMICTL_PROVE") != "" {
		seeds = 200
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { killOften(t, seed) })
		})
	}
}

func killOften(t *testing.T, seed uint64) {
	const numbers = 40
	o := newOptions()
	late := seed%3 == 2
	change := func(to *options) {
		to.concurrency, to.rate = flags.Count{Value: 4, Given: true}, flags.Count{Value: 10, Given: true}
		if late {
			to.concurrency, to.rate = flags.Count{Value: 2, Given: true}, flags.Count{}
		}
		to.retry = retries{ami.OutcomeBusy: {1, time.Second}, ami.OutcomeCongestion: {2, 500 * time.Millisecond}}
	}
	change(o)
	w := newWorld(t, seed, numbers, change)
	defer w.close()
	w.net.SetLink("pbx1", amitest.Link{Latency: time.Duration(w.rand.IntN(30)) * time.Millisecond})
	if late { // an Originate becomes a channel when whoever sent it may be gone
		w.server.Inject(amitest.Fault{Kind: "slow", Action: "Originate", Fixed: 700 * time.Millisecond})
	}
	kills := 1 + w.rand.IntN(6)
	for range kills {
		ctx, kill := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Duration(w.rand.Int64N(int64(2 * time.Second))))
			kill()
		}()
		_ = w.dial(ctx)
		kill()
		switch w.rand.IntN(3) {
		case 0:
			w.tear()
		case 1:
			w.killedBeforeSending(o.concurrency.Value)
		}
		if w.rand.IntN(2) == 0 {
			time.Sleep(time.Duration(w.rand.Int64N(int64(time.Second))))
		}
	}
	if err := w.dial(t.Context()); err != nil && !strings.HasSuffix(err.Error(), " is unknown") {
		t.Error(err)
	}
	w.judge(o, numbers, kills*o.concurrency.Value)
}

// A session that is lost in the middle of calls costs no number its outcome but those whose end nobody can have seen.
func TestLostSessions(t *testing.T) {
	for seed := range uint64(6) {
		synctest.Test(t, func(t *testing.T) {
			const numbers = 30
			o := newOptions()
			change := func(to *options) { to.concurrency = flags.Count{Value: 3, Given: true} }
			change(o)
			w := newWorld(t, seed, numbers, change)
			defer w.close()
			over := make(chan struct{})
			kicks := 0
			go func() {
				defer close(over)
				for range 4 {
					time.Sleep(time.Duration(w.rand.Int64N(int64(time.Second))))
					w.server.Inject(amitest.Fault{Kind: "fin", Action: "Originate"})
					kicks++
				}
			}()
			if err := w.dial(t.Context()); err != nil && !strings.HasSuffix(err.Error(), " is unknown") {
				t.Error(err)
			}
			<-over
			w.judge(o, numbers, kicks*o.concurrency.Value)
		})
	}
}
