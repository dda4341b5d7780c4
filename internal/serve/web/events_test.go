package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/serve/stream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func reader() []users.Spec { return []users.Spec{{Name: "u", Events: []string{"*"}}} }

var wantsLines = http.Header{"Accept": {"application/x-ndjson"}}

// Events come as they happen, as tail prints them; what was not asked for does not.
func TestEvents(t *testing.T) {
	t.Parallel()
	f := open(t, setup{nodes: 2})
	all := f.follow(try{path: "/v1/events?event=UserEvent", header: wantsLines})
	some := f.follow(try{path: "/v1/events?event=User*&event=Hangup&node=pbx2&where=" + "Number%3E5"})
	for i := range 10 {
		for _, s := range f.servers {
			s.EmitEvent("UserEvent", "UserEvent", "X", "Number", fmt.Sprint(i))
		}
	}
	f.servers[1].EmitEvent("Newchannel", "Number", "7")
	f.servers[1].EmitEvent("Hangup", "Number", "8")
	for range 20 {
		line := all.next("{")
		if gjson.Get(line, "event").String() != "UserEvent" || gjson.Get(line, "fields.UserEvent").String() != "X" {
			t.Errorf("all: %s", line)
		}
	}
	for _, want := range []string{"UserEvent 6", "UserEvent 7", "UserEvent 8", "UserEvent 9", "Hangup 8"} {
		line := strings.TrimPrefix(some.next("data: "), "data: ")
		if got := gjson.Get(line, "event").String() + " " + gjson.Get(line, "fields.Number").String(); got != want || gjson.Get(line, "node").String() != "pbx2" {
			t.Errorf("some: %s, want %s", line, want)
		}
	}
	for path, want := range map[string]string{
		"/v1/events?where=nonsense": "a condition is", "/v1/events?where=Cause!=16+and+A=1": "", "/v1/events?evnt=X": "no parameter", "/v1/events?event=%zz": "percent-encoded",
	} {
		f.ask(try{path: path, status: 400, want: want})
	}
	for _, id := range []string{"nonsense", "5", "-5", "abc-", "abc-x", "abc--1", "a b-5", "abc-99999999999999999999"} {
		f.ask(try{path: "/v1/events", header: http.Header{"Last-Event-Id": {id}}, status: 400, want: "not one of our ids"})
	}
}

// A client that comes back with the id of its last event misses none, and none comes twice.
func TestEventsResume(t *testing.T) {
	t.Parallel()
	f := open(t, setup{})
	first := f.follow(try{path: "/v1/events?event=UserEvent"})
	f.servers[0].EmitEvent("UserEvent", "Number", "1")
	line := first.next("id: ")
	for !strings.HasPrefix(first.next(""), "data: ") {
		line = first.next("id: ")
	}
	id := strings.TrimPrefix(line, "id: ")
	first.end()
	for i := 2; i < 500; i++ {
		f.servers[0].EmitEvent("UserEvent", "Number", fmt.Sprint(i))
	}
	again := f.follow(try{path: "/v1/events?event=UserEvent", header: http.Header{"Last-Event-Id": {id}}})
	for i := 2; i < 500; i++ {
		if got := gjson.Get(strings.TrimPrefix(again.next("data: "), "data: "), "fields.Number").Int(); got != int64(i) {
			t.Fatalf("event %d came for %d", got, i)
		}
	}
	before := f.follow(try{path: "/v1/events?event=UserEvent", header: http.Header{"Last-Event-Id": {"another-7"}}})
	if line := before.next("data: "); gjson.Get(strings.TrimPrefix(line, "data: "), "type").String() != "gap" {
		t.Errorf("behind the id of another daemon comes %s", line)
	}
	if line := before.next("data: "); gjson.Get(strings.TrimPrefix(line, "data: "), "fields.Number").String() != "1" {
		t.Errorf("then %s", line)
	}
}

// The client says by Accept what the stream is made of.
func TestEventsByAccept(t *testing.T) {
	t.Parallel()
	f := open(t, setup{})
	for accept, want := range map[string]string{
		"": sseType, "*/*": sseType, "text/event-stream": sseType, "application/x-ndjson": linesType, "application/jsonl": linesType, "application/json": linesType,
		"application/json;q=0.1, text/event-stream;q=0.9": sseType, "text/html, application/x-ndjson;q=0.5": linesType, "nonsense;;;": sseType,
	} {
		answer := f.send(t.Context(), try{method: http.MethodHead, path: "/v1/events", header: http.Header{"Accept": {accept}}})
		answer.Body.Close()
		if got := answer.Header.Get("Content-Type"); got != want {
			t.Errorf("Accept %q is answered with %q, want %q", accept, got, want)
		}
	}
}

// Who asks for the headers of a stream alone gets them, and is gone.
func TestHeadOfStreams(t *testing.T) {
	t.Parallel()
	f := open(t, setup{})
	for _, path := range []string{"/v1/events", "/v1/board"} {
		answer := f.send(t.Context(), try{method: http.MethodHead, path: path, header: wantsStream.Clone()})
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != sseType {
			t.Errorf("%s: %d %s", path, answer.StatusCode, answer.Header.Get("Content-Type"))
		}
	}
	f.eventually("nobody follows", func() bool { return f.door.streams.count() == 0 })
}

// What the window no longer has is told as a gap, with how many events those were.
func TestEventsBeyondTheWindow(t *testing.T) {
	t.Parallel()
	f := open(t, setup{})
	small := stream.New(4, 0)
	f.up.Window, small = small, f.up.Window
	defer func() { f.up.Window = small }()
	cluster := ami.NewCluster(ami.ClusterConfig{})
	events, err := cluster.Subscribe(ami.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = f.up.Window.Pump(t.Context(), events) }()
	defer func() { _ = cluster.Close(); <-done }()
	if _, err := cluster.Add(ami.Config{Name: "pbx1", Addr: f.servers[0].Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Events: "on"}); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		f.eventually("the event is there", func() bool {
			f.servers[0].EmitEvent("UserEvent", "Number", fmt.Sprint(i))
			return f.up.Window.Stats().Events > uint64(i)
		})
	}
	r := f.follow(try{path: "/v1/events", header: http.Header{"Last-Event-Id": {f.up.Window.Epoch() + "-1"}}})
	line := strings.TrimPrefix(r.next("data: "), "data: ")
	if dropped := gjson.Get(line, "dropped").Uint(); gjson.Get(line, "reason").String() != "overflow" || dropped < 15 {
		t.Errorf("the gap is %s", line)
	}
	if line := r.next("data: "); gjson.Get(strings.TrimPrefix(line, "data: "), "type").String() != "event" {
		t.Errorf("behind the gap comes %s", line)
	}
}

// A stream without events says where it is, so that whoever resumes misses nothing and skips what did not concern him.
func TestEventsHeartbeat(t *testing.T) {
	t.Parallel()
	f := open(t, setup{limits: func(l *limits) { l.heartbeat = 20 * time.Millisecond }})
	r := f.follow(try{path: "/v1/events?event=Nothing"})
	if got := r.next("retry: "); got != "retry: 2000" {
		t.Errorf("it begins with %q", got)
	}
	first := r.next("id: ")
	f.servers[0].EmitEvent("UserEvent")
	for r.next("id: ") == first {
		if line := r.next(""); line != "" {
			t.Fatalf("behind an id comes %q", line)
		}
	}
}

// A user's rights are those of the moment: a stream goes on with fewer of them, or ends with its user.
func TestEventsFollowRights(t *testing.T) {
	t.Parallel()
	f := open(t, setup{users: append(reader(), users.Spec{Name: "v", Events: []string{"*"}}), limits: func(l *limits) { l.heartbeat = 20 * time.Millisecond }})
	u, v := f.follow(try{path: "/v1/events", user: "u", header: wantsLines.Clone()}), f.follow(try{path: "/v1/events", user: "v", header: wantsLines.Clone()})
	f.servers[0].EmitEvent("UserEvent", "Number", "1")
	for _, r := range []*reading{u, v} {
		if line := r.next("{"); gjson.Get(line, "fields.Number").String() != "1" {
			t.Errorf("at first: %s", line)
		}
	}
	f.dir.Replace(load(t, []users.Spec{{Name: "u", Events: []string{"Hangup"}}}))
	if line := v.next("{"); line != "" {
		t.Errorf("v is gone and gets %s", line)
	}
	f.servers[0].EmitEvent("UserEvent", "Number", "2")
	f.servers[0].EmitEvent("Hangup", "Number", "3")
	if line := u.next("{"); gjson.Get(line, "fields.Number").String() != "3" {
		t.Errorf("with fewer rights: %s", line)
	}
	f.ask(try{path: "/v1/events", user: "v", status: 401})
}

// Streams without users go on at a load that brings none, and end when there are users.
func TestOpenEventsEndWithUsers(t *testing.T) {
	t.Parallel()
	f := open(t, setup{limits: func(l *limits) { l.heartbeat = 20 * time.Millisecond }})
	r := f.follow(try{path: "/v1/events?event=UserEvent", header: wantsLines})
	f.dir.Replace(nil)
	time.Sleep(50 * time.Millisecond)
	f.servers[0].EmitEvent("UserEvent", "Number", "1")
	if line := r.next("{"); gjson.Get(line, "fields.Number").String() != "1" {
		t.Errorf("after a load: %q", line)
	}
	f.dir.Replace(load(t, reader()))
	if line := r.next("{"); line != "" {
		t.Errorf("with users there comes %s", line)
	}
}

// When the daemon stops, streams end and answers do not.
func TestStreamsEndWithTheDaemon(t *testing.T) {
	t.Parallel()
	stopping := make(chan struct{})
	f := open(t, setup{options: Options{Stopping: stopping}})
	r := f.follow(try{path: "/v1/events?event=UserEvent", header: wantsLines})
	f.ask(try{path: "/readyz"})
	close(stopping)
	if line := r.next("{"); line != "" {
		t.Errorf("it goes on with %s", line)
	}
	f.eventually("it is not ready", func() bool {
		answer := f.send(t.Context(), try{path: "/readyz"})
		answer.Body.Close()
		return answer.StatusCode == http.StatusServiceUnavailable
	})
	f.ask(try{path: "/readyz", status: 503})
	f.ask(try{path: "/v1/nodes"})
}
