package web

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/state"
)

var wantsStream = http.Header{"Accept": {"text/event-stream"}}

// The board shows what its user may see, and nothing else.
func TestBoard(t *testing.T) {
	t.Parallel()
	f := open(t, setup{nodes: 2, server: busy, users: []users.Spec{
		{Name: "all", Events: []string{"*"}}, {Name: "queues", Nodes: []string{"pbx2"}, Events: []string{"Queue*"}}, {Name: "blind"},
	}})
	for _, tt := range []struct{ user, path, want string }{
		{"all", "type", "board"},
		{"all", "nodes.all", "2"},
		{"all", "nodes.bad", "0"},
		{"all", "nodes.list.#.calls", "[4,4]"},
		{"all", "calls.all", "8"},
		{"all", "calls.states.talking", "2"},
		{"all", `calls.list.#(from=="Bob 20")#.to`, `["Alice 10","Alice 10"]`},
		{"all", `queues.list.#(name=="support")#.callers`, "[1,1]"},
		{"all", "queues.list.0.free", "1"},
		{"all", "endpoints.bad", "2"},
		{"all", "endpoints.list.#.name", `["PJSIP/gone","PJSIP/gone"]`},
		{"all", "registrations.all", "2"},
		{"all", "registrations.bad", "0"},
		{"all", "rates.begun.#", "119"},
		{"queues", "nodes.list.#.node", `["pbx2"]`},
		{"queues", "nodes.list.0.calls", ""},
		{"queues", "queues.list.#.node", `["pbx2"]`},
		{"queues", "calls", ""},
		{"queues", "endpoints", ""},
		{"queues", "rates.begun", ""},
		{"blind", "nodes.all", "2"},
		{"blind", "queues", ""},
	} {
		body := f.ask(try{path: "/v1/board", user: tt.user, header: http.Header{"Accept": {"application/json"}}})
		if got := gjson.Get(body, tt.path).String(); got != tt.want {
			t.Errorf("%s of %s is %q, want %q", tt.path, tt.user, got, tt.want)
		}
	}
	f.ask(try{path: "/v1/board", status: 401})
	f.ask(try{path: "/v1/board?node=x", user: "all", status: 400})
	f.ask(try{path: "/", want: "<title>amictl</title>"})
	f.ask(try{path: "/board/nothing.js", status: 404})
	f.ask(try{path: "/board/..%2findex.html", status: 404})
}

// A stream of boards brings one when something has changed, and ends with its user.
func TestBoardStream(t *testing.T) {
	t.Parallel()
	f := open(t, setup{users: reader(), limits: func(l *limits) { l.heartbeat = 50 * time.Millisecond }})
	r := f.follow(try{path: "/v1/board", user: "u", header: wantsStream.Clone()})
	calls := func() int64 {
		for {
			select {
			case line, ok := <-r.lines:
				if !ok {
					return -1
				}
				if len(line) > 6 && line[:6] == "data: " {
					held().hold(t, "GET", "/v1/board", 200, r.kind, []byte(line))
					return gjson.Get(line[6:], "calls.all").Int()
				}
			case <-time.After(20 * time.Second):
				t.Fatal("no board came")
			}
		}
	}
	if n := calls(); n != 0 {
		t.Errorf("at first there are %d calls", n)
	}
	f.servers[0].Dial("", amitest.Channel{Name: "PJSIP/alice"})
	for calls() != 1 {
	}
	f.dir.Replace(nil)
	for calls() != -1 {
	}
}

// The last hour is counted in steps: what is older, and what is not over, is not in it.
func TestHistory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var h history
		add := func(node string, n uint64) { h.count(node, func(s *step) { s.begun += n }) }
		add("pbx1", 100)
		time.Sleep(time.Hour)
		add("pbx1", 1)
		add("pbx2", 2)
		time.Sleep(stepTime)
		add("pbx1", 50)
		all, one := users.Reader(), load(t, []users.Spec{{Name: "u", Nodes: []string{"pbx1"}, Events: []string{"*"}}})[0]
		sum := func(u *users.User) (n uint64) {
			for _, step := range h.rates(u, time.Now()).Begun {
				n += step
			}
			return n
		}
		if got := sum(all); got != 3 {
			t.Errorf("in the hour before there were %d, want 3", got)
		}
		if got := sum(one); got != 1 {
			t.Errorf("on pbx1 there were %d, want 1", got)
		}
		if r := h.rates(all, time.Now()).Begun; r[len(r)-1] != 3 {
			t.Errorf("the last step has %d: %v", r[len(r)-1], r)
		}
		time.Sleep(stepTime)
		if got := sum(all); got != 53 {
			t.Errorf("a step later there were %d, want 53", got)
		}
		time.Sleep(2 * time.Hour)
		if got := sum(all); got != 0 {
			t.Errorf("hours later there were %d", got)
		}
	})
}

// Calls are counted once each, whatever was there before.
func TestHistoryOfCalls(t *testing.T) {
	t.Parallel()
	f := open(t, setup{server: busy})
	c := f.servers[0].Dial("", amitest.Channel{Name: "PJSIP/new"})
	f.servers[0].Answer(c.Uniqueid)
	f.servers[0].Hangup(c.Uniqueid, 16)
	total := func(of func(*step) uint64) (n uint64) {
		f.door.history.mu.Lock()
		defer f.door.history.mu.Unlock()
		for _, ring := range f.door.history.nodes {
			for i := range ring {
				n += of(&ring[i])
			}
		}
		return n
	}
	f.eventually("the call has ended", func() bool { return total(func(s *step) uint64 { return s.ended }) == 1 })
	if got := total(func(s *step) uint64 { return s.begun }); got != 1 {
		t.Errorf("%d calls were begun, want 1", got)
	}
}

// The board and Prometheus have the last hour of each queue as its events told it, by the queue's own service level.
func TestQueuesOfTheLastHour(t *testing.T) {
	t.Parallel()
	f := open(t, setup{server: func(s *amitest.Server) {
		s.State().AddQueue(amitest.Queue{Name: "vip", ServiceLevel: 5})
	}})
	s := f.servers[0]
	for range 2 {
		c := s.Dial("", amitest.Channel{Name: "PJSIP/in"})
		s.Answer(c.Uniqueid)
		s.JoinQueue("vip", c.Uniqueid)
		s.Hangup(c.Uniqueid, 16)
	}
	of := func(queue, key string) string {
		return gjson.Get(f.ask(try{path: "/v1/board"}), `queues.list.#(name=="`+queue+`").`+key).String()
	}
	f.eventually("two have given up", func() bool { return of("vip", "abandoned") == "2" })
	for key, want := range map[string]string{"answered": "0", "service_level": "", "service_level_s": "5", "gaps": "0", "callers": "0"} {
		if got := of("vip", key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	f.ask(try{path: "/metrics", want: `amictl_queue_wait_seconds_count{end="abandoned",node="pbx1",queue="vip"} 2`})
}

// Figures are those of a queue's own service level, also when that is told after its first calls, and a node that goes takes its
// series with it.
func TestQueueFigures(t *testing.T) {
	t.Parallel()
	q, now := newQueueFigures(), time.Now()
	node := &state.Node{Node: "pbx1"}
	q.add(&state.Change{Op: state.OpAdd, Node: "pbx1", Object: node, Time: now.Add(-time.Minute)})
	call := func(queue string, wait time.Duration) {
		for _, s := range []string{state.QueueWaiting, state.QueueTalking} {
			q.add(&state.Change{Op: state.OpStep, Node: "pbx1", Object: &state.QueueCall{
				Node: "pbx1", Queue: queue, Uniqueid: queue + wait.String(), State: s, Joined: now.Add(-wait), Answered: now, WaitUS: wait.Microseconds(), HoldS: int(wait.Seconds()),
			}})
		}
	}
	level := func(queue string, sl time.Duration) {
		q.add(&state.Change{Op: state.OpAdd, Node: "pbx1", Object: &state.Queue{Node: "pbx1", Name: queue, ServiceLevel: sl.Microseconds()}})
	}
	level("fast", 5*time.Second)
	level("plain", 0)
	for _, wait := range []time.Duration{3 * time.Second, 10 * time.Second, 30 * time.Second} {
		call("fast", wait)
		call("plain", wait)
	}
	got := q.lastHour(now)
	for queue, want := range map[string]float64{"fast": 33.3, "plain": 66.7} {
		if of := got[queueName{"pbx1", queue}]; of == nil || of.Service != want || of.Answered != 3 {
			t.Errorf("%s: %+v, want %v %% of 3", queue, of, want)
		}
	}
	series := func() int {
		all := make(chan prometheus.Metric, 100)
		q.waits.Collect(all)
		return len(all)
	}
	if n := series(); n != 2 {
		t.Errorf("%d series, want 2", n)
	}
	q.add(&state.Change{Op: state.OpRemove, Node: "pbx1", Object: node, Time: now})
	if n := series(); n != 0 || len(q.levels)+len(q.shown)+len(q.nodes) != 0 {
		t.Errorf("of a node that is gone there stay %d series, %v, %v", n, q.levels, q.shown)
	}
	for i := range 100 { // whoever configures ever more service levels costs no more
		level(fmt.Sprint(i), time.Duration(i+1)*time.Second)
		call(fmt.Sprint(i), time.Second)
	}
	if len(q.by) > mostLevels+1 {
		t.Errorf("%d service levels are told apart", len(q.by))
	}
}
