package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidwall/gjson"

	"github.com/apntalk/amictl/internal/serve/users"
)

// raw opens a connection of its own and writes a text to it.
func (f *fixture) raw(text string) net.Conn {
	f.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(f.http.URL, "http://"))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		f.t.Fatal(err)
	}
	return c
}

// Who reads nothing is cut off in the middle of what he was to get, while the others get all of it.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	f := open(t, setup{limits: func(l *limits) { l.write = 3 * time.Second }})
	stuck := f.raw("GET /v1/events?event=UserEvent HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n\r\n")
	f.eventually("the stream is there", func() bool { return f.door.streams.count() == 1 })
	other := f.follow(try{path: "/v1/events?event=UserEvent", header: wantsLines})
	other.plain = true
	text := strings.Repeat("x", 900)
	const events = 20_000 // 20 MB, over all buffers between
	go func() {
		for i := range events {
			f.servers[0].EmitEvent("UserEvent", "Number", fmt.Sprint(i), "Text", text)
			if i%100 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for i := range events {
		line := other.next("{")
		if got := gjson.Get(line, "fields.Number").Int(); got != int64(i) {
			t.Fatalf("event %d came for %d: %.200s", got, i, line)
		}
	}
	f.eventually("the stuck one is gone", func() bool { return f.door.streams.count() == 1 })
	if got, _ := io.Copy(io.Discard, stuck); got > events*900 {
		t.Errorf("the stuck one got %d bytes after all", got)
	}
}

// A body that does not come, or comes for ever, ends; so does one of too many bytes.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	f := open(t, setup{users: doer(), limits: func(l *limits) { l.read = 100 * time.Millisecond; l.body = 10_000 }})
	head := "POST /v1/actions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token("u") + "\r\n"
	for name, text := range map[string]string{
		"half":           head + "Content-Length: 100\r\n\r\n{\"action\"",
		"half of a line": head + "Content-Type: application/x-ndjson\r\nContent-Length: 1000\r\n\r\n{\"action\"",
		"nothing":        head + "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		c := f.raw(text)
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("%s: the connection stays: %v", name, err)
		}
	}
	drip := f.raw(head + "Content-Length: 10000\r\n\r\n")
	_ = drip.SetReadDeadline(time.Now().Add(20 * time.Second))
	go func() {
		for {
			if _, err := io.WriteString(drip, " "); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if _, err := io.Copy(io.Discard, drip); err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a body that drips is waited for")
	}
	f.eventually("nobody sends any more", func() bool { return f.door.posts.count() == 0 })
	c := f.raw(head + "Content-Length: 1000000000\r\n\r\n")
	go func() { _, _ = io.Copy(c, io.LimitReader(endless{}, 100<<20)) }()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of a gigabyte: %d", answer.StatusCode)
	}
	line := f.ask(try{
		method: "POST", path: "/v1/actions", user: "u", header: http.Header{"Content-Type": {"application/x-ndjson"}},
		body: `{"action":"Ping"}` + "\n" + strings.Repeat("x", 1<<20) + "\n" + `{"action":"Ping","id":"2"}`,
	})
	if strings.Count(line, `"type":"reply"`) != 2 || strings.Count(line, "over 10000 bytes") != 1 {
		t.Errorf("a long line among others: %s", line)
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// What clients hold is bounded, for each and for all, and a full house says so.
func TestCrowd(t *testing.T) {
	t.Parallel()
	f := open(t, setup{
		users:  []users.Spec{{Name: "u", Events: []string{"*"}, Actions: []string{"*"}}, {Name: "v", Events: []string{"*"}}, {Name: "w", Events: []string{"*"}}},
		limits: func(l *limits) { l.streams, l.perUser, l.posts, l.perAddress = 3, 2, 1, 2 },
	})
	f.follow(try{path: "/v1/events", user: "u"})
	f.follow(try{path: "/v1/events", user: "u"})
	f.ask(try{path: "/v1/events", user: "u", status: 429, want: "too many of your requests"})
	third := f.follow(try{path: "/v1/events", user: "v"})
	f.ask(try{path: "/v1/events", user: "w", status: 503, want: "too many clients"})
	f.ask(try{path: "/v1/nodes", user: "u"})
	third.end()
	f.eventually("there is room again", func() bool { return f.door.streams.count() == 2 })
	far := http.Header{"X-Forwarded-For": {"192.0.2.7"}}
	f.follow(try{path: "/v1/events", user: "w", header: far.Clone()})
	in, out := io.Pipe()
	defer out.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.http.URL+"/v1/actions", in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/x-ndjson"}, "Authorization": {"Bearer " + token("u")}, "X-Forwarded-For": {"192.0.2.7"}}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	f.ask(try{path: "/healthz", header: far.Clone(), status: 429, want: "too many of your requests"})
	f.ask(try{path: "/healthz"})
	f.ask(try{method: "POST", path: "/v1/actions", user: "u", body: `{"action":"Ping"}`, status: 429})
	full := open(t, setup{limits: func(l *limits) { l.requests = 1 }})
	full.follow(try{path: "/v1/events"})
	full.ask(try{path: "/metrics", status: 503})
}

// Hundreds of idle streams cost those who ask for something else nothing, and leave nothing behind.
func TestManyIdleStreams(t *testing.T) {
	t.Parallel()
	f := open(t, setup{})
	const streams = 400
	conns := make([]net.Conn, streams)
	for i := range conns {
		conns[i] = f.raw("GET /v1/events?event=UserEvent HTTP/1.1\r\nHost: localhost\r\n\r\n")
	}
	f.eventually("they are all there", func() bool { return f.door.streams.count() == streams })
	f.ask(try{path: "/v1/nodes"})
	f.servers[0].EmitEvent("UserEvent", "Number", "1")
	for i, c := range conns {
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		in := bufio.NewScanner(c)
		for in.Scan() && !strings.HasPrefix(in.Text(), "data: ") {
		}
		if !strings.Contains(in.Text(), `"Number":"1"`) {
			t.Errorf("stream %d: %q, %v", i, in.Text(), in.Err())
		}
		c.Close()
	}
	f.eventually("they are gone", func() bool { return f.door.streams.count() == 0 && f.up.Window.Stats().Readers == 0 })
}

// What is to be carried out of one user is bounded in bytes over all his requests: lines wait.
func TestAllowance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a allowance
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		first, ok := a.take(ctx, "u", 50, 10) // one alone may be larger
		if !ok {
			t.Fatal("the first waits")
		}
		var in atomic.Int32
		for range 3 {
			go func() {
				if giveBack, ok := a.take(ctx, "u", 5, 10); ok {
					in.Add(1)
					time.Sleep(time.Minute)
					giveBack()
				}
			}()
		}
		other, _ := a.take(ctx, "v", 10, 10)
		synctest.Wait()
		if n := in.Load(); n != 0 {
			t.Errorf("%d are in beside the first", n)
		}
		first()
		synctest.Wait()
		if n := in.Load(); n != 2 {
			t.Errorf("%d of 5 bytes are in, of 10", n)
		}
		time.Sleep(time.Hour)
		if n := in.Load(); n != 3 {
			t.Errorf("%d came in at all", n)
		}
		blocked, _ := a.take(ctx, "u", 10, 10)
		go func() { time.Sleep(time.Second); cancel() }()
		if _, ok := a.take(ctx, "u", 1, 10); ok {
			t.Error("who gave up got in")
		}
		blocked()
		other()
		if len(a.byUser) != 0 {
			t.Errorf("%d users are remembered", len(a.byUser))
		}
	})
}

// Who reads figures slowly keeps nobody from reading them.
func TestSlowScrapers(t *testing.T) {
	t.Parallel()
	f := open(t, setup{})
	release := make(chan struct{})
	var all sync.WaitGroup
	defer all.Wait()
	defer close(release)
	for range 2 * scrapes {
		r := newRequest(t, "GET", "/metrics")
		r.RemoteAddr = "127.0.0.1:1"
		all.Go(func() { f.door.ServeHTTP(stuck{nowhere{http.Header{}}, release}, r) })
	}
	f.eventually("they are stuck", func() bool { return f.door.sends.count() == 2*scrapes })
	f.eventually("others are answered", func() bool {
		w, r := httptest.NewRecorder(), newRequest(t, "GET", "/metrics")
		r.RemoteAddr = "127.0.0.1:1"
		f.door.ServeHTTP(w, r)
		return w.Code == http.StatusOK && strings.Contains(w.Body.String(), "amictl_nodes_ready 1")
	})
}

// A stuck writer takes nothing until it is released.
type stuck struct {
	nowhere
	release chan struct{}
}

func (s stuck) Write(b []byte) (int, error) { <-s.release; return len(b), nil }

// An expression that repeats too much is refused before it is compiled.
func TestCostlyExpressions(t *testing.T) {
	t.Parallel()
	f := open(t, setup{})
	f.ask(try{path: "/v1/events?where=" + url.QueryEscape(`channel~"`+strings.Repeat("[a-z]{1000}", 20)+`"`), status: 400, want: "repeats too much"})
}

// What is no HTTP harms nobody.
func TestRubbish(t *testing.T) {
	t.Parallel()
	f := open(t, setup{})
	for _, text := range []string{
		"Action: Login\r\nUsername: admin\r\n\r\n", "GET /v1/nodes HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n", "GET /v1/nodes HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET http://192.0.2.1/v1/nodes HTTP/1.1\r\nHost: localhost\r\n\r\n", "GET /v1/nodes HTTP/1.0\r\n\r\n",
		"GET /v1/nodes HTTP/1.0\r\nHost: 127.0.0.1:8080\r\n\r\n", // nginx, told nothing

		"GET //v1/../v1/nodes HTTP/1.1\r\nHost: example.com\r\n\r\n", "POST /v1/actions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	} {
		c := f.raw(text)
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if answer.Body.Close(); answer.StatusCode == http.StatusOK {
			t.Errorf("%q is answered with 200", text)
		}
		c.Close()
	}
	f.ask(try{path: "/v1/nodes"})
}
