package web

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

func TestMain(m *testing.M) {
	status := m.Run()
	if status == 0 && !partial() {
		if missing := held().unseen(); len(missing) > 0 {
			fmt.Fprintln(os.Stderr, "no test has met what the OpenAPI document promises:\n"+strings.Join(missing, "\n"))
			status = 1
		}
	}
	if err := goleak.Find(); err != nil && status == 0 {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// partial reports whether only some of the tests ran.
func partial() bool {
	for _, arg := range os.Args[1:] {
		for _, flag := range []string{"-test.run=", "-test.skip=", "-test.fuzz=", "-test.list=", "-test.bench="} {
			if strings.HasPrefix(arg, flag) && !strings.HasPrefix(arg, "-test.run=^$") || arg == strings.TrimSuffix(flag, "=") {
				return true
			}
		}
		if strings.HasPrefix(arg, "-test.run=^$") {
			return true
		}
	}
	return false
}

// A setup says what a door is opened for.
type setup struct {
	nodes   int // servers pbx1, pbx2, …; 0: one
	users   []users.Spec
	options Options
	limits  func(*limits)
	server  func(*amitest.Server) // before its first session
	real    []ami.Config          // servers in place of simulated ones
}

// A fixture is a door with simulated servers behind it.
type fixture struct {
	t       testing.TB
	servers []*amitest.Server
	dir     *users.Directory
	up      *upstream.Upstream
	door    *door
	log     *logged
	http    *httptest.Server
}

// A logged buffer is what was logged.
type logged struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// load makes users whose secrets are "secret of NAME".
func load(t testing.TB, specs []users.Spec) []*users.User {
	t.Helper()
	for i := range specs {
		specs[i].Secret = "env:" + specs[i].Name
	}
	list, err := users.Load(specs, func(reference string) (redact.Secret, error) {
		return redact.NewSecret(token(strings.TrimPrefix(reference, "env:"))), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func token(user string) string { return "secret of " + user }

func open(t testing.TB, s setup) *fixture {
	t.Helper()
	f := &fixture{t: t, log: &logged{}, dir: users.NewDirectory(load(t, s.users))}
	nodes := s.real
	for i := range max(1, s.nodes) {
		if s.real != nil {
			break
		}
		srv := amitest.NewServer(amitest.WithName(fmt.Sprintf("pbx%d", i+1)))
		t.Cleanup(srv.Close)
		srv.State().AddQueue(amitest.Queue{Name: "support", Strategy: "ringall", Members: []amitest.QueueMember{{Name: "Agent One", Interface: "Local/100@default", Status: 1}}})
		if s.server != nil {
			s.server(srv)
		}
		f.servers = append(f.servers, srv)
		nodes = append(nodes, ami.Config{Name: srv.Name(), Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
	}
	hide, err := redact.New(redact.Config{})
	if err != nil {
		t.Fatal(err)
	}
	f.up, err = upstream.Open(context.Background(), nodes, upstream.Options{Users: f.dir, Log: slog.New(slog.NewTextHandler(f.log, nil)), Redactor: hide})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.up.Close)
	l := defaultLimits
	if s.limits != nil {
		s.limits(&l)
	}
	stopping := make(chan struct{})
	t.Cleanup(func() { close(stopping) })
	if s.options.Stopping == nil {
		s.options.Stopping = stopping
	}
	f.door = newDoor(f.up, s.options, l)
	f.http = httptest.NewServer(f.door)
	t.Cleanup(func() {
		f.http.CloseClientConnections()
		f.http.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	f.eventually("the nodes are ready and listed", func() bool {
		held := f.up.State.Snapshot().Nodes
		for _, n := range held {
			if n.Stale {
				return false
			}
		}
		r := f.up.Readiness()
		return r.Ready == r.Nodes && len(held) == r.Nodes
	})
	return f
}

// eventually waits for something that is to come about.
func (f *fixture) eventually(what string, done func() bool) {
	f.t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Fatalf("it never came about that %s; log:\n%s", what, f.log)
		}
	}
}

// A try is a request and what is asked of its answer.
type try struct {
	method, path string // GET if absent
	user         string // whose token is sent; "": none
	header       http.Header
	host         string
	body         string

	status int    // 200 if absent
	want   string // in the body
}

func newRequest(t testing.TB, method, path string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://127.0.0.1"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// send sends a request and returns its answer, whose body the caller closes.
func (f *fixture) send(ctx context.Context, q try) *http.Response {
	f.t.Helper()
	if q.method == "" {
		q.method = http.MethodGet
	}
	var body io.Reader = http.NoBody
	if q.body != "" {
		body = strings.NewReader(q.body)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, f.http.URL+q.path, body)
	if err != nil {
		f.t.Fatal(err)
	}
	if q.header != nil {
		r.Header = q.header
	}
	if q.user != "" {
		r.Header.Set("Authorization", "Bearer "+token(q.user))
	}
	r.Host = q.host
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer
}

// ask sends a request, holds its answer to the document, and returns the body.
func (f *fixture) ask(q try) string {
	f.t.Helper()
	answer := f.send(f.t.Context(), q)
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	if q.status == 0 {
		q.status = http.StatusOK
	}
	if answer.StatusCode != q.status || !strings.Contains(string(body), q.want) {
		f.t.Errorf("%s %s of %q: status %d, want %d with %q: %s", q.method, q.path, q.user, answer.StatusCode, q.status, q.want, body)
	}
	if got := answer.Header.Get("X-Content-Type-Options") + answer.Header.Get("Cache-Control"); got != "nosniffno-store" {
		f.t.Errorf("%s: the headers are %v", q.path, answer.Header)
	}
	path, _, _ := strings.Cut(q.path, "?")
	if q.method == "" {
		q.method = http.MethodGet
	}
	held().hold(f.t, q.method, path, answer.StatusCode, answer.Header.Get("Content-Type"), body)
	return string(body)
}

// A reading is a stream that is being read.
type reading struct {
	f     *fixture
	lines chan string // closed at its end
	end   context.CancelFunc
	kind  string
	plain bool // lines are not held to the document, which takes time
}

// follow opens a stream of events.
func (f *fixture) follow(q try) *reading {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	f.t.Cleanup(cancel)
	answer := f.send(ctx, q) //nolint:bodyclose // the goroutine below does
	if answer.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(answer.Body)
		f.t.Fatalf("%s: %d %s", q.path, answer.StatusCode, body)
	}
	r := &reading{f: f, lines: make(chan string, 4096), end: cancel, kind: answer.Header.Get("Content-Type")}
	done := make(chan struct{})
	f.t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		defer close(r.lines)
		defer answer.Body.Close()
		in := bufio.NewScanner(answer.Body)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			r.lines <- in.Text()
		}
	}()
	return r
}

// next returns the next line that begins so, or "" at the end of the stream.
func (r *reading) next(prefix string) string {
	r.f.t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				return ""
			}
			if strings.HasPrefix(line, prefix) {
				if !r.plain && (prefix == "data: " || strings.HasPrefix(line, "{")) {
					held().hold(r.f.t, "GET", "/v1/events", http.StatusOK, r.kind, []byte(line))
				}
				return line
			}
		case <-late:
			r.f.t.Fatalf("no line that begins with %q came", prefix)
		}
	}
}
