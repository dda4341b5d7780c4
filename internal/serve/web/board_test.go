package web

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami/amitest"
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
