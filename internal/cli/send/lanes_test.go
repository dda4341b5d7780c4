package send

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami"
)

// slowServer takes its time for each action.
type slowServer struct {
	takes time.Duration
	begin time.Time

	mu    sync.Mutex
	asked []string // when, what, and how much time it had
}

func (d *slowServer) Do(_ context.Context, a ami.Action) (*ami.Reply, error) {
	d.mu.Lock()
	d.asked = append(d.asked, fmt.Sprintf("%.1fs %s for %v", time.Since(d.begin).Seconds(), a.Name, a.Timeout))
	d.mu.Unlock()
	time.Sleep(d.takes)
	if d.takes > a.Timeout {
		return nil, &ami.OpError{Op: ami.OpDo, Node: "a", Action: a.Name, Sent: ami.SentYes, Err: ami.ErrTimeout}
	}
	return &ami.Reply{Node: "a"}, nil
}

// laneLine is a line that a lane is offered.
type laneLine struct {
	bytes   int
	timeout time.Duration
}

// laneRun offers lines to a lane, all at once as far as it lets the reader, and returns what the server was asked and what
// became of lines that it was not.
func laneRun(t *testing.T, ctx context.Context, d *slowServer, most int, sole bool, lines []laneLine) (asked, refused []string) {
	t.Helper()
	r := runtest.New(t, runtest.Setup{Flags: run.Globals{Output: "jsonl"}})
	p, err := r.Printer(run.ManyAnswers, true, true)
	if err != nil {
		t.Fatal(err)
	}
	s := &lineSender{run: r.Run, options: &options{keepGoing: true}, out: p, stop: func() {}}
	d.begin = time.Now()
	l := s.addLane("a", d, most, sole)
	var driver sync.WaitGroup
	driver.Go(func() { s.drive(ctx, l) })
	done, submitted := context.WithCancel(ctx)
	go func() {
		for i, line := range lines {
			s.offer(ctx, l, lineRequest{line: i + 1, bytes: line.bytes, action: ami.Action{Name: fmt.Sprint(i + 1), Timeout: line.timeout}})
		}
		s.close(l)
		driver.Wait()
		submitted()
	}()
	if err := s.collect(ctx, done); err != nil {
		s.printing.Lock()
		s.giveUp()
		s.printing.Unlock()
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(r.Out.String()) {
		if o := gjson.Parse(text); o.Get("type").Str == "error" {
			at, _ := time.Parse(time.RFC3339Nano, o.Get("time").Str)
			refused = append(refused, fmt.Sprintf("%v line %d %s, sent %s: %s", at.Sub(d.begin), o.Get("line").Int(), o.Get("code").Str, o.Get("sent").Str, o.Get("message").Str))
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.Sort(d.asked) // by time; those of one instant are asked side by side
	return d.asked, refused
}

const (
	lateText = "a: %d: timed out"
	fullText = "not sent: a answers nothing, and 8 MiB of lines wait for it"
)

// What a lane sends when, and which lines it gives up: those whose time is over, and those for a silent server while too much
// waits for it. A lane beside others never holds up the reader for longer than that, the only one waits for room.
func TestLane(t *testing.T) {
	const ten = 10 * time.Second
	short := func(n int) []laneLine { return slices.Repeat([]laneLine{{600, ten}}, n) }
	big := laneLine{3 << 20, ten}
	late := func(line int) string { return fmt.Sprintf("line %d unsent, sent no: "+lateText, line, line) }
	for name, test := range map[string]struct {
		takes   time.Duration
		most    int
		sole    bool
		lines   []laneLine
		asked   []string
		refused []string
	}{
		"two at a time": {time.Second, 2, false, short(5), []string{"0.0s 1 for 10s", "0.0s 2 for 10s", "1.0s 3 for 9s", "1.0s 4 for 9s", "2.0s 5 for 8s"}, nil},
		"the only lane": {time.Second, 2, true, short(5), []string{"0.0s 1 for 10s", "0.0s 2 for 10s", "1.0s 3 for 9s", "1.0s 4 for 10s", "2.0s 5 for 9s"}, nil},
		"late": {
			5 * time.Second, 1, false,
			[]laneLine{{600, ten}, {600, 3 * time.Second}, {600, ten}, {600, 2 * time.Second}},
			[]string{"0.0s 1 for 10s", "5.0s 3 for 5s"},
			[]string{"2s " + late(4), "3s " + late(2)},
		},
		"late in the only lane": {
			5 * time.Second, 1, true,
			[]laneLine{{600, ten}, {600, 3 * time.Second}, {600, ten}},
			[]string{"0.0s 1 for 10s", "5.0s 3 for 8s"},
			[]string{"3s " + late(2)},
		},
		"room comes": {
			800 * time.Millisecond, 1, false,
			[]laneLine{big, big, big, big, big, big},
			[]string{"0.0s 1 for 10s", "0.8s 2 for 9.2s", "1.6s 3 for 8.4s", "2.4s 4 for 7.6s", "3.2s 5 for 7.6s", "4.0s 6 for 7.6s"},
			nil,
		},
		"silent": {
			6 * time.Second, 1, false,
			[]laneLine{big, {3 << 20, 20 * time.Second}, big, big, big, {600, ten}},
			[]string{"0.0s 1 for 10s", "6.0s 2 for 14s"},
			[]string{"1s line 4 unsent, sent no: line 4: " + fullText, "1s line 5 unsent, sent no: line 5: " + fullText, "10s " + late(3), "11s " + late(6)},
		},
		"no time for silence": {
			6 * time.Second, 1, false,
			[]laneLine{big, {3 << 20, 20 * time.Second}, big, {3 << 20, 300 * time.Millisecond}},
			[]string{"0.0s 1 for 10s", "6.0s 2 for 14s"},
			[]string{"300ms line 4 unsent, sent no: line 4: " + fullText, "10s " + late(3)},
		},
		"larger than all": {
			800 * time.Millisecond, 1, false,
			[]laneLine{{600, ten}, {9 << 20, ten}, {600, ten}},
			[]string{"0.0s 1 for 10s", "0.8s 2 for 9.2s", "1.6s 3 for 9.2s"},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked, refused := laneRun(t, t.Context(), &slowServer{takes: test.takes}, test.most, test.sole, test.lines)
				if diff := cmp.Diff(test.asked, asked); diff != "" {
					t.Errorf("what was asked, -want +got:\n%s", diff)
				}
				if diff := cmp.Diff(test.refused, refused); diff != "" {
					t.Errorf("what was refused, -want +got:\n%s", diff)
				}
			})
		})
	}
}

// When the run's time is over each line that has no answer is told of, with whether it was sent.
func TestLaneAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		line := laneLine{600, time.Minute}
		asked, refused := laneRun(t, ctx, &slowServer{takes: 5 * time.Second}, 1, false, []laneLine{line, line, line})
		time.Sleep(10 * time.Second) // the server is done
		if diff := cmp.Diff([]string{"0.0s 1 for 1m0s"}, asked); diff != "" {
			t.Errorf("what was asked, -want +got:\n%s", diff)
		}
		if diff := cmp.Diff([]string{
			"1s line 1 timeout, sent maybe: line 1: no answer before the --deadline passed",
			"1s line 2 unsent, sent no: line 2: not sent before the --deadline passed",
			"1s line 3 unsent, sent no: line 3: not sent before the --deadline passed",
		}, refused); diff != "" {
			t.Errorf("what was refused, -want +got:\n%s", diff)
		}
	})
}

// The error of a line that came too late says what is known of its server, and nothing where nothing is.
func TestLateLine(t *testing.T) {
	c := ami.NewCluster(ami.ClusterConfig{})
	defer c.Close()
	node, err := c.Add(ami.Config{Name: "a", Addr: "127.0.0.1:1", Username: "u", Secret: ami.StaticSecret("s")})
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Connect(t.Context()); err == nil {
		t.Fatal("there is a server on port 1")
	}
	away := (&lane{node: "a", to: node}).lateError(&lineRequest{action: ami.Action{Name: "Ping"}})
	if !errors.Is(away, ami.ErrNotReady) || !errors.Is(away, ami.ErrTimeout) || fail.Classify(away).Exit != fail.ExitConnect || !strings.Contains(away.Error(), "refused") {
		t.Errorf("of a server that is away: %v", away)
	}
	busy := (&lane{node: "a", to: &slowServer{}}).lateError(&lineRequest{action: ami.Action{Name: "Ping"}})
	if errors.Is(busy, ami.ErrNotReady) || !errors.Is(busy, ami.ErrTimeout) {
		t.Errorf("of any other one: %v", busy)
	}
	if got := nodeOf(busy, "b") + nodeOf(errors.New("x"), "c") + nodeOf(&ami.OpError{}, "d"); got != "acd" {
		t.Errorf("the errors are about %s", got)
	}
	full := fail.Classify((&lane{}).fullError(&lineRequest{line: 3}))
	if want := "line 3: not sent: the route answers nothing, and 8 MiB of lines wait for it"; full.Message != want {
		t.Errorf("%q, want %q", full.Message, want)
	}
}
