package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/flags"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/output"
)

var (
	given = flags.Count{Value: 2, Given: true}
	pause = flags.Duration{Value: 10 * time.Second, Given: true}
)

// Several nodes need a word that says what to do with them, and words that mean nothing are refused.
func TestFanoutThatIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		flags Fanout
		nodes int
		wrong string
	}{
		"one node":               {Fanout{}, 1, ""},
		"two nodes":              {Fanout{}, 2, "2 nodes are selected; nothing was sent"},
		"all":                    {Fanout{All: true}, 2, ""},
		"all of one":             {Fanout{All: true}, 1, ""},
		"a route":                {Fanout{Route: "failover"}, 2, ""},
		"another route":          {Fanout{Route: "round-robin"}, 1, ""},
		"the third route":        {Fanout{Route: "least-pending"}, 3, ""},
		"no route":               {Fanout{Route: "random"}, 2, `--route "random" is not one of the choices`},
		"all and a route":        {Fanout{All: true, Route: "failover"}, 2, "--all and --route do not go together"},
		"batches":                {Fanout{All: true, Batch: given, Pause: pause, MaxFail: given}, 2, ""},
		"batches of not all":     {Fanout{Batch: given}, 1, "--batch goes with --all"},
		"a pause of no batches":  {Fanout{All: true, Pause: pause}, 2, "--pause and --max-fail go with --batch"},
		"failures of no batches": {Fanout{All: true, MaxFail: given}, 2, "--pause and --max-fail go with --batch"},
	} {
		err := tt.flags.Check(tt.nodes)
		if tt.wrong != "" {
			runtest.Refused(t, err, fail.CodeUsage, tt.wrong)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// nodes are nodes that nobody dials.
func nodes(n int) (all []ami.Config) {
	for i := range n {
		all = append(all, ami.Config{Name: fmt.Sprintf("n%d", i)})
	}
	return all
}

// An order is how a rolling action went: which nodes were asked together, when, and how those ended that were not asked.
type order struct {
	Asked   []string // "AT NODE NODE"
	Refused []string // "NODE: why"
	Shown   int
}

// roll runs an action that takes a second over n nodes; those that fail do so.
func roll(t *testing.T, r *run.Run, ctx func(context.Context) (context.Context, context.CancelFunc), f Fanout, n int, fails ...string) (o order) {
	synctest.Test(t, func(t *testing.T) {
		began, asked := time.Now(), make(map[time.Duration][]string)
		var mu sync.Mutex
		ask := func(ctx context.Context, n ami.Config) Ending {
			mu.Lock()
			at := time.Since(began)
			asked[at] = append(asked[at], n.Name)
			mu.Unlock()
			run.Pause(ctx, time.Second)
			if slices.Contains(fails, n.Name) || ctx.Err() != nil {
				return Ending{Node: n.Name, Err: errors.New("failed")}
			}
			return Ending{Node: n.Name}
		}
		limited, cancel := ctx(t.Context())
		defer cancel()
		InTurns(limited, r, nodes(n), &f, ask, func(e Ending) {
			o.Shown++
			if own := (*fail.Error)(nil); errors.As(e.Err, &own) {
				if own.Code != fail.CodeUnsent || own.Sent != "no" || own.Hint == "" {
					t.Errorf("%+v does not say that nothing was sent", own)
				}
				o.Refused = append(o.Refused, own.Message)
			}
		})
		for at, names := range asked {
			slices.Sort(names)
			o.Asked = append(o.Asked, at.String()+" "+strings.Join(names, " "))
		}
		slices.Sort(o.Asked)
	})
	return o
}

func TestBatches(t *testing.T) {
	forever := func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithCancel(ctx) }
	deadline := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, d) }
	}
	stopped := func(d time.Duration) func(context.Context) (context.Context, context.CancelFunc) {
		return func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			timer := time.AfterFunc(d, func() { cancel(&run.SignalError{Signal: syscall.SIGINT}) })
			return ctx, func() { timer.Stop(); cancel(nil) }
		}
	}
	batch := func(n int) flags.Count { return flags.Count{Value: n, Given: true} }
	late := ": not asked: the --deadline has passed"
	for name, tt := range map[string]struct {
		ctx   func(context.Context) (context.Context, context.CancelFunc)
		flags Fanout
		nodes int
		fails []string
		want  order
		notes string
	}{
		"all at once":        {forever, Fanout{All: true}, 3, nil, order{[]string{"0s n0 n1 n2"}, nil, 3}, ""},
		"in turns":           {forever, Fanout{All: true, Batch: batch(2)}, 5, nil, order{[]string{"0s n0 n1", "1s n2 n3", "2s n4"}, nil, 5}, ""},
		"a batch of more":    {forever, Fanout{All: true, Batch: batch(9)}, 2, nil, order{[]string{"0s n0 n1"}, nil, 2}, ""},
		"one after another":  {forever, Fanout{All: true, Batch: batch(1)}, 2, nil, order{[]string{"0s n0", "1s n1"}, nil, 2}, ""},
		"with a pause":       {forever, Fanout{All: true, Batch: batch(2), Pause: pause}, 4, []string{"n1"}, order{[]string{"0s n0 n1", "11s n2 n3"}, nil, 4}, "amictl: 2 of 4 nodes done, 1 failed; next in 10s\n"},
		"enough have failed": {forever, Fanout{All: true, Batch: batch(1), MaxFail: batch(2)}, 4, []string{"n0", "n1"}, order{[]string{"0s n0", "1s n1"}, []string{"n2: not asked: 2 nodes had failed before (--max-fail)", "n3: not asked: 2 nodes had failed before (--max-fail)"}, 4}, ""},
		"not enough":         {forever, Fanout{All: true, Batch: batch(1), MaxFail: batch(2)}, 3, []string{"n0", "n2"}, order{[]string{"0s n0", "1s n1", "2s n2"}, nil, 3}, ""},
		"the first is one":   {forever, Fanout{All: true, Batch: batch(1), MaxFail: batch(1)}, 2, []string{"n0"}, order{[]string{"0s n0"}, []string{"n1: not asked: 1 node had failed before (--max-fail)"}, 2}, ""},
		"no limit":           {forever, Fanout{All: true, Batch: batch(1)}, 2, []string{"n0"}, order{[]string{"0s n0", "1s n1"}, nil, 2}, ""},
		"the deadline":       {deadline(1500 * time.Millisecond), Fanout{All: true, Batch: batch(1)}, 4, nil, order{[]string{"0s n0", "1s n1"}, []string{"n2" + late, "n3" + late}, 4}, ""},
		"in the pause":       {deadline(1500 * time.Millisecond), Fanout{All: true, Batch: batch(1), Pause: pause}, 2, nil, order{[]string{"0s n0"}, []string{"n1" + late}, 2}, "amictl: 1 of 2 nodes done, 0 failed; next in 10s\n"},
		"a signal":           {stopped(1500 * time.Millisecond), Fanout{All: true, Batch: batch(1)}, 4, nil, order{[]string{"0s n0", "1s n1"}, nil, 1}, ""},
		"a signal in it":     {stopped(1500 * time.Millisecond), Fanout{All: true, Batch: batch(1), Pause: pause}, 2, nil, order{[]string{"0s n0"}, nil, 1}, "amictl: 1 of 2 nodes done, 0 failed; next in 10s\n"},
		// The first batch fails by itself, so that a run that is over from the start has a word of each node.
		"over at the start": {deadline(-1), Fanout{All: true, Batch: batch(2)}, 3, nil, order{[]string{"0s n0 n1"}, []string{"n2" + late}, 3}, ""},
	} {
		r := runtest.New(t, runtest.Setup{})
		if diff := cmp.Diff(tt.want, roll(t, r.Run, tt.ctx, tt.flags, tt.nodes, tt.fails...)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if r.Err.String() != tt.notes {
			t.Errorf("%s: it says %q", name, r.Err)
		}
	}
}

// No more than 64 connections are opened at once, and every node ends.
func TestTogetherIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		now, most, ended := 0, 0, 0
		began := time.Now()
		together(t.Context(), nodes(150), func(context.Context, ami.Config) Ending {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			now--
			mu.Unlock()
			return Ending{}
		}, func(Ending) { ended++ })
		if most != MostDials || ended != 150 || time.Since(began) != 3*time.Second {
			t.Errorf("%d at once, %d ended, in %v", most, ended, time.Since(began))
		}
	})
}

// ping asks for a Ping.
func ping(ctx context.Context, c *ami.Conn) (*ami.Reply, error) {
	return c.Do(ctx, ami.NewAction("Ping"))
}

// endings are the nodes that Each shows, sorted, with the code of what went wrong.
func endings(t *testing.T, r *runtest.Run, nodes []ami.Config, f Fanout, try attempt) (all []string) {
	t.Helper()
	Each(t.Context(), r.Run, nodes, &f, try, func(e Ending) {
		all = append(all, strings.TrimSpace(e.Node+" "+string(fail.Classify(e.Err).Code)))
	})
	slices.Sort(all)
	return all
}

func TestEach(t *testing.T) {
	away, one, two := runtest.Server(t, "away"), runtest.Server(t, "one"), runtest.Server(t, "two")
	away.SetDown(true)
	refuse := func(s *amitest.Server) {
		s.Handle("Ping", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("no") })
	}
	stern := runtest.Server(t, "stern", amitest.WithSetup(refuse))
	for name, tt := range map[string]struct {
		servers []*amitest.Server
		flags   Fanout
		want    []string
		sent    bool
	}{
		"one":                       {[]*amitest.Server{one}, Fanout{}, []string{"one"}, true},
		"all":                       {[]*amitest.Server{one, two, away}, Fanout{All: true}, []string{"away banner", "one", "two"}, true},
		"the first":                 {[]*amitest.Server{one, two}, Fanout{Route: "failover"}, []string{"one"}, true},
		"another where nobody is":   {[]*amitest.Server{away, two}, Fanout{Route: "failover"}, []string{"two"}, true},
		"no other where it refuses": {[]*amitest.Server{stern, two}, Fanout{Route: "failover"}, []string{"stern refused"}, true},
		"nobody":                    {[]*amitest.Server{away}, Fanout{Route: "failover"}, []string{"away banner"}, false},
	} {
		r, nodes := of(t, tt.servers...)
		if diff := cmp.Diff(tt.want, endings(t, r, nodes, tt.flags, ping)); diff != "" || r.Sent() != tt.sent {
			t.Errorf("%s: sent is %t: %s", name, r.Sent(), diff)
		}
		if r.Err.String() != "" {
			t.Errorf("%s: it says %q", name, r.Err)
		}
	}
	// By chance, so that many runs spread evenly; a node that is away is passed over.
	seen := make(map[string]bool)
	r, nodes := of(t, one, two, away)
	for range 60 {
		for _, e := range endings(t, r, nodes, Fanout{Route: "round-robin"}, ping) {
			seen[e] = true
		}
	}
	if !seen["one"] || !seen["two"] || len(seen) != 2 {
		t.Errorf("of 60 runs the nodes are %v", seen)
	}
}

// What may have been sent is not sent to another node.
func TestRouteSendsOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		tries int
	}{
		"nothing was sent": {&ami.OpError{Op: ami.OpDo, Err: ami.ErrBusy, Sent: ami.SentNo}, 2},
		"it may have been": {&ami.OpError{Op: ami.OpDo, Err: ami.ErrDisconnected, Sent: ami.SentMaybe}, 1},
		"it was":           {&ami.OpError{Op: ami.OpDo, Err: ami.ErrTimeout, Sent: ami.SentYes}, 1},
	} {
		r, nodes := of(t, runtest.Server(t, "one"), runtest.Server(t, "two"))
		tries := 0
		endings(t, r, nodes, Fanout{Route: "failover"}, func(context.Context, *ami.Conn) (*ami.Reply, error) {
			tries++
			return nil, tt.err
		})
		if tries != tt.tries {
			t.Errorf("%s: %d tries, want %d", name, tries, tt.tries)
		}
	}
	r, nodes := of(t, runtest.Server(t, "one"), runtest.Server(t, "two"))
	ctx, cancel := context.WithCancel(t.Context())
	tries := 0
	Each(ctx, r.Run, nodes, &Fanout{Route: "failover"}, func(context.Context, *ami.Conn) (*ami.Reply, error) {
		tries++
		cancel()
		return nil, &ami.OpError{Op: ami.OpDo, Err: ami.ErrBusy}
	}, func(Ending) {})
	if tries != 1 {
		t.Errorf("a run that is over tries %d nodes", tries)
	}
}

func TestTally(t *testing.T) {
	for _, tt := range []struct {
		statuses []int
		exit     int
	}{
		{nil, 0},
		{[]int{0}, 0},
		{[]int{0, 0}, 0},
		{[]int{3}, 3},
		{[]int{3, 3}, 3},
		{[]int{0, 3}, fail.ExitMixed},
		{[]int{3, 0}, fail.ExitMixed},
		{[]int{3, 0, 0}, fail.ExitMixed},
		{[]int{3, 4, 3}, fail.ExitMixed},
	} {
		var tally Tally
		for _, s := range tt.statuses {
			tally.Add(s)
		}
		f := fail.Classify(tally.Err())
		if f.Exit != tt.exit || tally.Ended != len(tt.statuses) || (f.Exit != 0) != f.Silent {
			t.Errorf("%v: %+v", tt.statuses, f)
		}
	}
}

// A reply is data. A failure is told on standard error; with several nodes it is an object among theirs too.
func TestReport(t *testing.T) {
	srv := runtest.Server(t, "pbx1", amitest.WithSetup(func(s *amitest.Server) {
		s.Handle("Things", things("cancelled", 1))
		s.Handle("Few", things("Complete", 2))
		s.Handle("Refused", func(_ *amitest.Request, w *amitest.ResponseWriter) { w.Error("never") })
	}))
	for name, tt := range map[string]struct {
		action     string
		err        error
		several    bool
		code       fail.Code
		types      []string // of the objects on standard output
		complained bool
	}{
		"a reply":            {"Ping", nil, false, "", []string{"reply"}, false},
		"a reply of several": {"Ping", nil, true, "", []string{"reply"}, false},
		"a refusal":          {"Refused", nil, false, fail.CodeRefused, nil, false},
		"one of several":     {"Refused", nil, true, "", []string{"error"}, true},
		"a condition":        {"Ping", &fail.Error{Code: fail.CodeCondition, Message: "it is not"}, false, fail.CodeCondition, []string{"reply"}, false},
		"of several":         {"Ping", &fail.Error{Code: fail.CodeCondition, Message: "it is not"}, true, "", []string{"reply", "error"}, true},
		"a cancelled list":   {"Things", nil, false, fail.CodeRefused, []string{"reply"}, false},
		"of several nodes":   {"Things", nil, true, "", []string{"reply", "error"}, true},
		"a short list":       {"Few", nil, false, "", []string{"reply"}, true}, // a note
		"another failure":    {"Ping", &fail.Error{Code: fail.CodeInput, Message: "it is wrong"}, false, fail.CodeInput, nil, false},
	} {
		r, nodes := of(t, srv)
		r.Settings.Output = run.OutputJSONLines
		p, err := r.Printer(run.Answers, tt.several, tt.several)
		if err != nil {
			t.Fatal(err)
		}
		e := Once(t.Context(), r.Run, nodes[0], func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) { return c.Do(ctx, ami.NewAction(tt.action)) })
		if tt.err != nil {
			e.Err = tt.err
		}
		var tally Tally
		err = Report(r.Run, p, e, output.Origin{Action: tt.action}, tt.several, &tally)
		var types []string
		for line := range strings.Lines(r.Out.String()) {
			_, rest, _ := strings.Cut(line, `"type":"`)
			typ, _, _ := strings.Cut(rest, `"`)
			types = append(types, typ)
		}
		if diff := cmp.Diff(tt.types, types); diff != "" || fail.Classify(err).Code != tt.code || (r.Err.String() != "") != tt.complained {
			t.Errorf("%s: %v, it says %q: %s", name, err, r.Err, diff)
		}
		if ok := tt.code == "" && len(tt.types) == 1 && tt.types[0] == "reply"; tally.Ended != 1 || (tally.Status == 0) != ok {
			t.Errorf("%s: %+v", name, tally)
		}
	}
}

// broken is an output that takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, os.ErrClosed }

// What comes of a condition that is false is written at once, and that it cannot be is an error.
func TestReportOnABrokenOutput(t *testing.T) {
	r, nodes := of(t, runtest.Server(t, "pbx1"))
	e := Once(t.Context(), r.Run, nodes[0], ping)
	p := output.NewPrinter(broken{}, output.Options{})
	if err := Report(r.Run, p, e, output.Origin{}, false, &Tally{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("it says %v", err)
	}
}

// things answers a list of one item that ends so, and announces so many items.
func things(end string, announced int) amitest.HandlerFunc {
	return func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.ListStart("follows")
		w.Item("Thing", "Name", "x")
		w.Item("ThingsComplete", "EventList", end, "ListItems", strconv.Itoa(announced))
	}
}

// What a server counts wrongly is told; what it cancelled is an error.
func TestIncomplete(t *testing.T) {
	for name, tt := range map[string]struct {
		end       string
		announced int
		note      string
		wrong     string
	}{
		"whole":          {"Complete", 1, "", ""},
		"more than said": {"Complete", 0, "", ""},
		"short":          {"Complete", 3, "pbx1: Things: 1 item came, but the server announced 3", ""},
		"cancelled":      {"Cancelled", 1, "", "pbx1: Things: the server cancelled the list after 1 item"},
		"otherwise":      {"cancel", 1, "", "the server cancelled the list"},
		"both":           {"Cancelled", 3, "", "the server cancelled the list"},
	} {
		r, nodes := of(t, runtest.Server(t, "pbx1", amitest.WithSetup(func(s *amitest.Server) { s.Handle("Things", things(tt.end, tt.announced)) })))
		e := Once(t.Context(), r.Run, nodes[0], func(ctx context.Context, c *ami.Conn) (*ami.Reply, error) { return c.Do(ctx, ami.NewAction("Things")) })
		note, err := Incomplete(e.Reply, "Things")
		if note != tt.note || tt.wrong == "" && err != nil || e.Err != nil {
			t.Errorf("%s: %q, %v, %v", name, note, err, e.Err)
		}
		if tt.wrong != "" {
			runtest.Refused(t, err, fail.CodeRefused, tt.wrong)
		}
	}
	if note, err := Incomplete(nil, "Things"); note != "" || err != nil {
		t.Errorf("no reply: %q, %v", note, err)
	}
	note, err := Incomplete(&ami.Reply{Node: "pbx1", Fenced: true, Incomplete: true}, "Things")
	if want := "pbx1: the answer to Things names no action; this is what came before the next answer"; note != want || err != nil {
		t.Errorf("a fenced reply: %q, %v", note, err)
	}
}
