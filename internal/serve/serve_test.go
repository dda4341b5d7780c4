package serve

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/apntalk/amictl/internal/serve/upstream"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A client is a door with one client behind it, who wants one action carried out.
type client struct {
	up     *upstream.Upstream
	action ami.Action
	asked  chan struct{}
	err    error
}

func (c *client) Serve(ctx, grace context.Context, l net.Listener) error {
	for c.up.Readiness().Ready == 0 {
		time.Sleep(time.Millisecond)
	}
	close(c.asked)
	_, c.err = c.up.Do(grace, &upstream.Request{User: everybody(), Door: "test", Client: "here", Node: "pbx", Action: c.action})
	<-ctx.Done()
	return l.Close()
}

// everybody is a user who may do anything.
func everybody() *users.User {
	return user(users.Spec{Name: "all", Actions: []string{"*"}, Events: []string{"*"}})
}

func user(spec users.Spec) *users.User {
	spec.Secret = "env:X"
	list, err := users.Load([]users.Spec{spec}, func(string) (redact.Secret, error) {
		return redact.NewSecret("secret of " + spec.Name), nil
	})
	if err != nil {
		panic(err)
	}
	return list[0]
}

type nowhere struct{}

func (nowhere) Accept() (net.Conn, error) { select {} }
func (nowhere) Close() error              { return nil }
func (nowhere) Addr() net.Addr            { return &net.TCPAddr{} }

// daemonOf returns the options of a daemon with one simulated server and one door.
func daemonOf(srv *amitest.Server, network *amitest.Network, c *client, log *logBuffer) Options {
	hide, _ := redact.New(redact.Config{})
	return Options{
		Loaded: Loaded{Nodes: []ami.Config{{
			Name: srv.Name(), Addr: srv.Addr(), Dial: network.DialContext, Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
		}}},
		Listeners: []Listener{{Name: "test", At: nowhere{}, Open: func(_ context.Context, up *upstream.Upstream) Door {
			c.up = up
			return c
		}}},
		Log: slog.New(slog.NewTextHandler(log, nil)), Redactor: hide, Grace: 10 * time.Second,
	}
}

type logBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// A user who may do nothing is let in everywhere and finds nothing: somebody has to be told.
func TestPowerlessUsersAreNamed(t *testing.T) {
	var log logBuffer
	warnOfPowerless(slog.New(slog.NewTextHandler(&log, nil)), []*users.User{
		user(users.Spec{Name: "ops", Nodes: []string{"*"}}), user(users.Spec{Name: "scraper", Events: []string{"Queue*"}}),
		user(users.Spec{Name: "wall", Events: []string{"*"}}), user(users.Spec{Name: "dialer", Actions: []string{"Originate"}}),
	})
	if text := log.String(); strings.Count(text, "no rights") != 1 || !strings.Contains(text, "user=ops") {
		t.Errorf("the log says:\n%s", text)
	}
}

// At the end what a client is waiting for may take as long as the grace; then it is cut off, and he is told.
func TestGrace(t *testing.T) {
	for name, test := range map[string]struct {
		takes, ends time.Duration
		err         error
	}{
		"within": {4 * time.Second, 4 * time.Second, nil},
		"beyond": {time.Minute, 10 * time.Second, ami.ErrCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := amitest.NewNetwork()
				srv := amitest.NewServer(amitest.WithNetwork(network), amitest.WithName("pbx"))
				defer srv.Close()
				srv.Handle("Slow", func(_ *amitest.Request, w *amitest.ResponseWriter) {
					w.Sleep(test.takes)
					w.Ack("done")
				})
				var log logBuffer
				action := ami.NewAction("Slow", "Secret", "do not tell")
				action.Timeout = time.Hour
				c := &client{action: action, asked: make(chan struct{})}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- Serve(ctx, daemonOf(srv, network, c, &log)) }()
				<-c.asked
				synctest.Wait()
				start := time.Now()
				stop()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("Serve ends with %v", err)
				}
				if took := time.Since(start); took < test.ends || took > test.ends+time.Second {
					t.Errorf("it ended after %v", took)
				}
				if !errors.Is(c.err, test.err) {
					t.Errorf("the client is told %v", c.err)
				}
				if text := log.String(); strings.Contains(text, "do not tell") || !strings.Contains(text, "msg=action door=test client=here user=all node=pbx action=Slow") {
					t.Errorf("the audit log is\n%s", text)
				}
			})
		})
	}
}

// A door that fails ends the daemon, with its error.
func TestBrokenDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := amitest.NewNetwork()
		srv := amitest.NewServer(amitest.WithNetwork(network), amitest.WithName("pbx"))
		defer srv.Close()
		var log logBuffer
		o := daemonOf(srv, network, &client{}, &log)
		broken := errors.New("the listener broke")
		o.Listeners[0].Open = func(context.Context, *upstream.Upstream) Door { return doorFunc(func() error { return broken }) }
		if err := Serve(t.Context(), o); !errors.Is(err, broken) || !strings.Contains(err.Error(), "test at") {
			t.Errorf("Serve ends with %v", err)
		}
	})
}

type doorFunc func() error

func (f doorFunc) Serve(context.Context, context.Context, net.Listener) error { return f() }

// A load that takes long keeps the daemon neither from feeding its watchdog nor from ending, and one at a time is under way.
func TestSlowLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := amitest.NewNetwork()
		srv := amitest.NewServer(amitest.WithNetwork(network), amitest.WithName("pbx"))
		defer srv.Close()
		var log logBuffer
		o := daemonOf(srv, network, &client{asked: make(chan struct{}), action: ami.NewAction("Ping")}, &log)
		reloads, loads, broken := make(chan struct{}, 1), make(chan struct{}, 10), make(chan error)
		o.Reload = reloads
		o.Load = func(ctx context.Context) (Loaded, error) {
			loads <- struct{}{}
			<-ctx.Done()
			return Loaded{}, ctx.Err()
		}
		o.Listeners = append(o.Listeners, Listener{Name: "test", At: nowhere{}, Open: func(context.Context, *upstream.Upstream) Door {
			return doorFunc(func() error { return <-broken })
		}})
		ended := make(chan error)
		go func() { ended <- Serve(t.Context(), o) }()
		time.Sleep(time.Second)
		for range 2 {
			reloads <- struct{}{}
			synctest.Wait()
		}
		if len(loads) != 1 || len(reloads) != 1 {
			t.Errorf("%d loads at once, and %d wait", len(loads), len(reloads))
		}
		broken <- errors.New("the door broke")
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "the door broke") {
			t.Errorf("%v", err)
		}
	})
}

// An HTTP door is not done before those are whom it cuts off, nor before what its handler does by itself.
func TestHTTPWaits(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked, done, waited := make(chan struct{}), make(chan struct{}), false
	door := &HTTP{
		Log: slog.New(slog.DiscardHandler), Wait: func() { waited = true },
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(asked)
			<-r.Context().Done()
			time.Sleep(100 * time.Millisecond)
			close(done)
		}),
	}
	ctx, stop := context.WithCancel(t.Context())
	grace, expire := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- door.Serve(ctx, grace, l) }()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-asked
	stop()
	expire()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	select {
	case <-done:
	default:
		t.Error("the handler still runs")
	}
	if !waited {
		t.Error("what the handler does by itself is not waited for")
	}
}
