package dial

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// setup is a server with an extension for each outcome, and the options of a dial that calls them.
func setup(t *testing.T, name string, more ...amitest.Option) (*amitest.Server, *options) {
	srv := runtest.Server(t, name, append(more, amitest.WithCallTimes(time.Millisecond, time.Millisecond), amitest.WithSetup(func(s *amitest.Server) {
		for exten, outcome := range extensions {
			if outcome != "" {
				s.State().AddExtension(amitest.Extension{Context: "default", Exten: exten, Outcome: outcome})
			}
		}
	}))...)
	o := newOptions()
	o.file, o.Channel, o.Application, o.Data = "-", "Local/{exten}@default", "Wait", "0.01"
	o.Ring.Value = 50 * time.Millisecond
	return srv, o
}

const everyOutcome = "number,exten,name\n1,answers,\"Ann, \"\"the\"\" first\"\n2,busy,Bob\n3,congested,Cem\n4,silent,Dee\n5,missing,Eve\n"

// Each number gives one object with how its call ended; the values are the row's, commas and quotes included.
func TestDial(t *testing.T) {
	srv, o := setup(t, "pbx1")
	variable := ""
	c, err := ami.Dial(t.Context(), ami.Config{Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Events: "on"})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := c.Subscribe(ami.SubscribeOptions{Events: []string{"VarSet"}})
	if err != nil {
		t.Fatal(err)
	}
	o.Vars = flags.List{"NAME={name}"}
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: everyOutcome})
	if err := dial(t.Context(), r.Run, o); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(r.Out.String()) {
		o := gjson.Parse(line)
		got = append(got, strings.Join([]string{o.Get("type").Str, o.Get("number").Str, o.Get("outcome").Str, o.Get("attempts").Raw, fmt.Sprint(o.Get("talk_us").Exists())}, " "))
	}
	if diff := cmp.Diff([]string{"dialed 1 answered 1 true", "dialed 2 busy 1 false", "dialed 3 congestion 1 false", "dialed 4 no-answer 1 false", "dialed 5 failed 1 false"}, got); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	if want := "5 numbers: 1 answered, 1 busy, 1 no-answer, 1 congestion, 1 failed; 5 calls made"; !strings.Contains(r.Err.String(), want) {
		t.Errorf("the summary is %q", r.Err)
	}
	_ = c.Close()
	for ev, err := range sub.All(t.Context()) {
		if err != nil {
			break
		}
		if ev.Get("Variable") == "NAME" && variable == "" {
			variable = ev.Get("Value")
		}
	}
	if variable != `Ann, \"the\" first` { // as VarSet escapes it
		t.Errorf("the variable is %q", variable)
	}
}

// What a session would refuse each time is not tried for ever. That it was not refused before is a bug.
func TestDialGivesUp(t *testing.T) {
	srv, o := setup(t, "pbx1")
	o.fields = []string{"Codecs=ulaw"}
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: everyOutcome})
	p, err := prepare(r.Run, o)
	if err != nil {
		t.Fatal(err)
	}
	p.templates[len(p.templates)-1], _ = parseTemplate("Codecs=u\nlaw")
	nodes, err := aim(r.Run, o)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := r.Printer(run.Records, false, true)
	d := newDialer(r.Run, o, p, nil, out)
	d.resume(nil, nil, nodes)
	runtest.Refused(t, d.run(t.Context(), nodes), fail.CodeInput, "Codecs")
}

// A number is called again as --retry says, and no more.
func TestDialAgain(t *testing.T) {
	srv, o := setup(t, "pbx1")
	o.retry = retries{ami.OutcomeBusy: {2, time.Millisecond}}
	o.out = filepath.Join(t.TempDir(), "out.csv")
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: "number,exten\n1,busy\n2,congested\n"})
	if err := dial(t.Context(), r.Run, o); err != nil {
		t.Fatal(err)
	}
	text := r.Out.String()
	if gjson.Get(text, `..#(number=="1").attempts`).Int() != 3 || gjson.Get(text, `..#(number=="2").attempts`).Int() != 1 {
		t.Errorf("printed %s", text)
	}
	// What is done is not called again, whatever else the flags say now.
	received := srv.Ledger().ActionsReceived
	o.retry = retries{ami.OutcomeBusy: {9, time.Millisecond}, ami.OutcomeCongestion: {9, time.Millisecond}}
	r = runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: "number,exten\n1,busy\n2,congested\n"})
	if err := dial(t.Context(), r.Run, o); err != nil || r.Out.String() != "" || srv.Ledger().ActionsReceived != received {
		t.Errorf("%v: %s", err, r.Out)
	}
}

// A user who may not originate is told so with 4; one who sees no events is not let on to call everybody.
func TestDialWithoutRights(t *testing.T) {
	user := func(read, write string) amitest.Option {
		return amitest.WithUsers(amitest.User{Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Read: amitest.ParseClass(read), Write: amitest.ParseClass(write)})
	}
	t.Run("to originate", func(t *testing.T) {
		srv, o := setup(t, "pbx1", user("call", "reporting"))
		o.out = filepath.Join(t.TempDir(), "out.csv")
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: everyOutcome})
		runtest.Refused(t, dial(t.Context(), r.Run, o), fail.CodePermission, "Permission denied")
		if _, steps, err := openAndClose(o.out); err != nil || steps[len(steps)-1].state != stepUnsent {
			t.Errorf("%v: the journal ends with %v", err, steps)
		}
	})
	t.Run("to originate on the second server", func(t *testing.T) {
		first, o := setup(t, "pbx1")
		second, _ := setup(t, "pbx2", user("call", "reporting"))
		o.Route = "round-robin"
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{first, second}, Stdin: everyOutcome})
		runtest.Refused(t, dial(t.Context(), r.Run, o), fail.CodeLost, "Permission denied")
	})
	t.Run("to see calls", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, 0, func(*options) {})
			w.list = everyOutcome
			blind := amitest.NewServer(amitest.WithNetwork(w.net), amitest.WithName("blind"), user("system", "originate,reporting"))
			defer blind.Close()
			o := newOptions()
			r := runtest.New(t, runtest.Setup{Stdin: everyOutcome})
			o.file, o.Channel, o.Application, o.Data = "-", "Local/{exten}@default", "Wait", "0.1"
			p, err := prepare(r.Run, o)
			if err != nil {
				t.Fatal(err)
			}
			out, _ := r.Printer(run.Records, false, true)
			node := w.config("dial")
			node.Name, node.Addr = "blind", "blind:5038"
			d := newDialer(r.Run, o, p, nil, out)
			d.resume(nil, nil, []ami.Config{node})
			err = d.run(t.Context(), []ami.Config{node})
			runtest.Refused(t, err, fail.CodeLost, "no event reported it")
			if d.score.calls != 1 {
				t.Errorf("%d calls were made", d.score.calls)
			}
			w.close()
		})
	})
}

// A journal that cannot be written any more stops new calls; those that are up have their end. All that was sent is in it.
func TestDialFullDisk(t *testing.T) {
	srv, o := setup(t, "pbx1")
	if _, err := os.Stat("/dev/full"); err == nil {
		o.out = "/dev/full"
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: everyOutcome})
		if f := fail.Classify(dial(t.Context(), r.Run, o)); f.Exit != fail.ExitLost || !strings.Contains(f.Message, "/dev/full cannot be written") {
			t.Errorf("status %d: %s", f.Exit, f.Message)
		}
		if n := srv.Ledger().Accepted; n != 0 {
			t.Errorf("the server was dialled %d times", n)
		}
	}
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: everyOutcome})
	o.concurrency.Value = 2
	p, err := prepare(r.Run, o)
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := aim(r.Run, o)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := r.Printer(run.Records, false, true)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	rows := make(chan []string, 1)
	go func() { // a few rows can be written, and no more
		defer func() { _ = read.Close() }()
		in := bufio.NewScanner(read)
		var all []string
		for in.Scan() {
			if all = append(all, in.Text()); len(all) == 5 {
				_ = write.SetWriteDeadline(time.Unix(1, 0))
			}
		}
		rows <- all
	}()
	d := newDialer(r.Run, o, p, &journal{path: "out.csv", file: write, device: true}, out)
	d.resume(nil, nil, nodes)
	d.sched.retry = retries{ami.OutcomeBusy: {1000, time.Millisecond}}
	f := fail.Classify(d.run(t.Context(), nodes))
	_ = write.Close()
	if f.Exit != fail.ExitLost || d.broken == nil {
		t.Errorf("status %d: %s", f.Exit, f.Message)
	}
	if len(d.attempts) > 0 || d.score.left() == 0 {
		t.Errorf("%d calls are up, %d left", len(d.attempts), d.score.left())
	}
	if all := <-rows; d.score.calls > strings.Count(strings.Join(all, "\n"), ",calling,") {
		t.Errorf("%d calls were made, and the journal had %q", d.score.calls, all)
	}
}

// A signal lets calls end, a second one hangs them up, and nobody else is called.
func TestDialInterrupted(t *testing.T) {
	for signals, want := range map[int]string{1: "answered", 2: "answered"} {
		t.Run(fmt.Sprint(signals), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, 0, func(o *options) { o.concurrency.Value, o.Data = 2, "60" })
				defer w.close()
				w.list = "number,exten\n1,answers\n2,answers\n3,answers\n"
				ctx, end := context.WithCancel(t.Context())
				defer end()
				r := runtest.New(t, runtest.Setup{Stdin: w.list})
				d := w.start(r)
				go func() {
					for range signals {
						time.Sleep(10 * time.Second)
						if !d.interrupt(syscall.SIGINT, end) {
							t.Error("the signal was not taken")
						}
					}
				}()
				began := time.Now()
				_ = d.run(ctx, []ami.Config{w.config("dial")})
				took := time.Since(began)
				if ctx.Err() == nil {
					t.Error("the signal does not end the run")
				}
				if d.score.calls != 2 || d.score.left() != 1 || gjson.Get(r.Out.String(), "..0.outcome").Str != want {
					t.Errorf("%d calls, %d left: %s", d.score.calls, d.score.left(), r.Out)
				}
				if hungUp := took < 30*time.Second; hungUp != (signals == 2) {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// A server that stops is left alone until it is back; nobody is called twice for that.
func TestDialWhileItRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const numbers = 30
		o := newOptions()
		change := func(to *options) {
			to.concurrency, to.rate = flags.Count{Value: 4, Given: true}, flags.Count{Value: 10, Given: true}
		}
		change(o)
		w := newWorld(t, 3, numbers, change)
		defer w.close()
		go func() {
			time.Sleep(800 * time.Millisecond)
			_, _ = w.watcher.Do(context.Background(), ami.NewAction("Command", "Command", "core restart gracefully"))
		}()
		if err := w.dial(t.Context()); err != nil && !strings.HasSuffix(err.Error(), " is unknown") {
			t.Error(err)
		}
		w.judgeJournal(o, numbers, o.concurrency.Value)
	})
}

// Several servers share the calls as --route says.
func TestDialRoutes(t *testing.T) {
	for route, want := range map[string][2]bool{"round-robin": {true, true}, "failover": {true, false}, "least-pending": {true, true}} {
		one, o := setup(t, "pbx1")
		two, _ := setup(t, "pbx2")
		o.Route, o.concurrency.Value, o.Data = route, 4, "0.1"
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{one, two}, Stdin: "number,exten\n1,answers\n2,answers\n3,answers\n4,answers\n"})
		if err := dial(t.Context(), r.Run, o); err != nil {
			t.Fatal(err)
		}
		got := [2]bool{strings.Contains(r.Out.String(), `"node":"pbx1"`), strings.Contains(r.Out.String(), `"node":"pbx2"`)}
		if got != want {
			t.Errorf("%s: %v: %s", route, got, r.Out)
		}
	}
}

// A dry run prints each call with its line, and touches neither a server nor the journal.
func TestDialDry(t *testing.T) {
	srv, o := setup(t, "pbx1")
	o.DryRun, o.out = true, filepath.Join(t.TempDir(), "out.csv")
	o.skip = filepath.Join(t.TempDir(), "skip")
	if err := os.WriteFile(o.skip, []byte("2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: everyOutcome, Flags: run.Globals{Query: "[line,packet]"}})
	if err := dial(t.Context(), r.Run, o); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(r.Out.String(), "Action: Originate"); n != 4 || !strings.Contains(r.Out.String(), `[4,"Action: Originate`) || strings.Contains(r.Out.String(), "Local/busy@default") {
		t.Errorf("printed %s", r.Out)
	}
	if _, err := os.Stat(o.out); err == nil || srv.Ledger().Accepted != 0 {
		t.Errorf("there is a journal, or the server was dialled %d times", srv.Ledger().Accepted)
	}
	// With a journal it is what is left. That stays as it is, also where a kill cut a row off.
	journal := strings.Join(journalHeader, ",") + "\n2026-11-28T06:47:25Z,1,final,1,a,b,busy,,,\n2026-11-28T06:47:25Z,3,calling,1,a,b,,,,\n2026-11-28T06:47:25Z,4,cal"
	if err := os.WriteFile(o.out, []byte(journal), 0o600); err != nil {
		t.Fatal(err)
	}
	r = runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: everyOutcome, Flags: run.Globals{Query: "line"}})
	if err := dial(t.Context(), r.Run, o); err != nil || r.Out.String() != "5\n6\n" {
		t.Errorf("%v: printed %q", err, r.Out)
	}
	if got, err := os.ReadFile(o.out); err != nil || string(got) != journal {
		t.Errorf("%v: the journal became %q", err, got)
	}
}

// A dry run prints the numbers that the run would call: a --retry of now decides about what was to be called again, or is not known.
func TestDialDryAgain(t *testing.T) {
	journal := strings.Join(journalHeader, ",") + "\n2026-11-28T06:47:25Z,1,calling,1,a,b,,,,\n2026-11-28T06:47:26Z,1,again,1,a,b,busy,,,\n" +
		"2026-11-28T06:47:25Z,2,calling,1,a,c,,,,\n2026-11-28T06:47:26Z,2,unknown,1,a,c,unknown,,,\n"
	for retry, want := range map[string]string{"": "4\n5\n6\n", "busy:1@1m": "2\n4\n5\n6\n", "unknown:1@1m": "3\n4\n5\n6\n", "no-answer:1@1m": "4\n5\n6\n"} {
		srv, o := setup(t, "pbx1")
		o.DryRun, o.out = true, filepath.Join(t.TempDir(), "out.csv")
		if err := os.WriteFile(o.out, []byte(journal), 0o600); err != nil {
			t.Fatal(err)
		}
		if retry != "" {
			if err := o.retry.Set(retry); err != nil {
				t.Fatal(err)
			}
		}
		r := runtest.New(t, runtest.Setup{Servers: []*amitest.Server{srv}, Stdin: everyOutcome, Flags: run.Globals{Query: "line"}})
		if err := dial(t.Context(), r.Run, o); err != nil || r.Out.String() != want {
			t.Errorf("--retry %q: %v: printed %q, want %q", retry, err, r.Out, want)
		}
	}
}

// A call that a list lacks is believed to be gone only if the list is so much younger than the Originate that this has become
// a channel; a list that was asked for before there was a doubt says nothing, nor does one that is not whole.
func TestListIsBelievedLater(t *testing.T) {
	r := runtest.New(t, runtest.Setup{Stdin: "number\n100\n"})
	o := newOptions()
	o.file, o.Channel, o.Application = "-", "Local/{number}@default", "Wait"
	p, err := prepare(r.Run, o)
	if err != nil {
		t.Fatal(err)
	}
	out, _ := r.Printer(run.Records, false, true)
	d := newDialer(r.Run, o, p, nil, out)
	s := &server{name: "pbx1"}
	d.servers = []*server{s}
	began := time.Now()
	if _, ok := d.sched.next(began); !ok {
		t.Fatal("nobody is called")
	}
	a := &attempt{server: s, nodeName: s.name, id: "amictl-1", sent: began, ring: unmeasured, talk: unmeasured, missed: true}
	d.hold(a)
	d.doubt(a, began.Add(500*time.Millisecond))
	for _, step := range []struct {
		asked time.Duration
		whole bool
		up    int
	}{{400 * time.Millisecond, true, 1}, {time.Second, true, 1}, {settling - 1, true, 1}, {settling, false, 1}, {settling, true, 0}} {
		d.listed(&listing{server: s, asked: began.Add(step.asked), reply: &ami.Reply{Incomplete: !step.whole}}, began.Add(step.asked))
		if len(d.attempts) != step.up {
			t.Fatalf("asked %v after it was sent: %d calls are up, want %d", step.asked, len(d.attempts), step.up)
		}
	}
	if err := d.out.Flush(); err != nil || gjson.Get(r.Out.String(), "outcome").Str != "unknown" {
		t.Errorf("%v: %s", err, r.Out)
	}
}
