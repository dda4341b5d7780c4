package upstream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/redact"
)

// open makes the sessions to a simulated server. The test runs in a synctest bubble.
func open(t *testing.T, log *logged, opts ...amitest.Option) (*Upstream, *amitest.Network, *users.User) {
	t.Helper()
	network := amitest.NewNetwork()
	server := amitest.NewServer(append([]amitest.Option{amitest.WithNetwork(network), amitest.WithName("pbx")}, opts...)...)
	list, err := users.Load([]users.Spec{{Name: "u", Secret: "given", Actions: []string{"*"}, Contexts: []string{"*"}, Rate: 100}},
		func(string) (redact.Secret, error) { return redact.NewSecret("sesame"), nil })
	if err != nil {
		t.Fatal(err)
	}
	redactor, err := redact.New(redact.Config{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := Open(t.Context(), []ami.Config{{
		Name: "pbx", Addr: "pbx:5038", Username: "admin", Secret: ami.StaticSecret("secret"), Dial: network.DialContext,
	}}, Options{Users: users.NewDirectory(list), Log: slog.New(slog.NewTextHandler(log, nil)), Redactor: redactor})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close(); server.Close() })
	time.Sleep(time.Second)
	return u, network, list[0]
}

// logged is a log that can be looked at.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Reset()
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func request(user *users.User, a ami.Action) *Request {
	return &Request{User: user, Door: "test", Client: "192.0.2.1:1", Node: "pbx", Action: a}
}

// The daemon knows the ActionIDs of its action sessions, those that are over too, and no others.
func TestOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, network, user := open(t, &logged{})
		var ids []string
		for range 3 {
			reply, err := u.Do(t.Context(), request(user, ami.NewAction("Ping")))
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, reply.Get("ActionID"))
			network.Reset("pbx")
			time.Sleep(10 * time.Second)
		}
		for _, id := range ids {
			if !u.Own(id) {
				t.Errorf("%q is our own", id)
			}
		}
		for _, id := range []string{"", "-", "1", "1-", "1-" + strings.Repeat("0", 20) + "-0.1", strings.ToUpper(ids[0]) + "-x"} {
			if u.Own(id) {
				t.Errorf("%q is not", id)
			}
		}
		if got := u.Banner("pbx"); got != "Asterisk Call Manager/11.0.0" || u.Banner("other") != "" {
			t.Errorf("%q", got)
		}
	})
}

// What is remembered of sessions is bounded, and the latest are known.
func TestOwnIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, network, user := open(t, &logged{})
		u.own.mu.Lock()
		for i := range 2 * mostPrefixes {
			u.own.remember(fmt.Sprintf("x%d-", i))
		}
		u.own.mu.Unlock()
		network.Reset("pbx")
		time.Sleep(10 * time.Second)
		reply, err := u.Do(t.Context(), request(user, ami.NewAction("Ping")))
		if err != nil || !u.Own(reply.Get("ActionID")) || !u.Own(fmt.Sprintf("x%d-1.1", 2*mostPrefixes-1)) || u.Own("x0-1.1") {
			t.Errorf("the latest are not known, or the oldest are: %v", err)
		}
		if n := len(u.own.prefixes); n != mostPrefixes || len(u.own.order) != n {
			t.Errorf("%d prefixes in order, %d known", len(u.own.order), n)
		}
	})
}

// An action has one record in the log, whatever became of it, and none shows a secret.
func TestAudit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logged
		u, _, user := open(t, &log)
		log.Reset()
		_, _ = u.Do(t.Context(), request(user, ami.NewAction("Ping")))
		_, _ = u.Do(t.Context(), request(user, ami.NewAction("Bogus")))
		_, err := u.Do(t.Context(), request(user, ami.NewAction("UpdateConfig", "Secret", "sesame")))
		if denied := (*users.DeniedError)(nil); !errors.As(err, &denied) {
			t.Error(err)
		}
		_, err = u.Do(t.Context(), &Request{User: user, Door: "test", Node: "other", Action: ami.NewAction("Ping")})
		if !errors.Is(err, ErrUnknownNode) {
			t.Error(err)
		}
		for range 200 {
			_, err = u.Do(t.Context(), request(user, ami.NewAction("Ping")))
		}
		if !errors.Is(err, ErrTooFast) {
			t.Error(err)
		}
		counts := u.Counts()
		for result, want := range map[string]uint64{"error": 1, "denied": 1, "unsent": 1} {
			if got := counts[Count{"test", result}]; got != want {
				t.Errorf("%s: %d, not %d", result, got, want)
			}
		}
		if all := counts[Count{"test", "success"}] + counts[Count{"test", "too-fast"}]; all != 201 || counts[Count{"test", "too-fast"}] < 90 {
			t.Errorf("%v", counts)
		}
		if text := log.String(); strings.Count(text, "door=test") != 204 || strings.Contains(text, "sesame") {
			t.Errorf("%d records: %s", strings.Count(text, "door=test"), text[:min(len(text), 2000)])
		}
	})
}

// An Originate whose end is waited for ends by its OriginateResponse, within the action's own time and its context's.
func TestOriginate(t *testing.T) {
	call := ami.NewAction("Originate", "Channel", "Local/100@default", "Context", "default", "Exten", "200", "Priority", "1", "Async", "false")
	for _, c := range []struct {
		name    string
		timeout time.Duration // the action's
		cancel  time.Duration // the context's
		took    time.Duration
		want    error
	}{
		{"answered", 0, time.Hour, 5 * time.Second, nil},
		{"the action's time is up", 2 * time.Second, time.Hour, 2 * time.Second, ami.ErrTimeout},
		{"cancelled", 0, 3 * time.Second, 3 * time.Second, ami.ErrCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, _, user := open(t, &logged{}, amitest.WithCallTimes(5*time.Second, time.Second), amitest.WithSetup(func(srv *amitest.Server) {
					srv.State().AddExtension(amitest.Extension{Context: "default", Exten: "100"}, amitest.Extension{Context: "default", Exten: "200"})
				}))
				ctx, cancel := context.WithTimeout(t.Context(), c.cancel)
				defer cancel()
				a := call
				a.Timeout = c.timeout
				start := time.Now()
				reply, err := u.Do(ctx, request(user, a))
				if !errors.Is(err, c.want) || err != nil && ami.SentState(err) != ami.SentYes {
					t.Errorf("%v", err)
				}
				if took := time.Since(start).Round(time.Second); took != c.took {
					t.Errorf("it took %v", took)
				}
				if c.want == nil && reply.Outcome() != ami.OutcomeAnswered {
					t.Errorf("%v", reply.Outcome())
				}
				if n := u.Window.Stats().Readers; n != 0 {
					t.Errorf("%d readers are left", n)
				}
			})
		})
	}
}

// What Asterisk would leave out of an Originate that is sent with Async is refused; where the client asks for Async itself, or for an
// application, it is Asterisk's business.
func TestOriginateWithSubroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _, user := open(t, &logged{})
		for _, c := range []struct {
			headers []string
			unfit   bool
		}{
			{nil, true},
			{[]string{"Async", "no"}, true},
			{[]string{"Async", "true"}, false},
		} {
			a := ami.NewAction("Originate", append([]string{"Channel", "Local/1@default", "Context", "default", "Exten", "1", "Priority", "1", "PreDialGoSub", "pre,s,1"}, c.headers...)...)
			_, err := u.Do(t.Context(), request(user, a))
			if unfit := errors.As(err, new(*UnfitError)); unfit != c.unfit || unfit && ami.SentState(err) != ami.SentNo {
				t.Errorf("%v: %v", c.headers, err)
			}
		}
	})
}

// What concerns a session of the client's own would change that of all.
func TestSessionIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, _, user := open(t, &logged{})
		for _, name := range []string{"Events", "filter", "WAITEVENT"} {
			if _, err := u.Do(t.Context(), request(user, ami.NewAction(name))); !errors.As(err, new(*UnfitError)) || ami.SentState(err) != ami.SentNo {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// A configuration that leads to the same sessions touches none; one whose secret or trust comes from elsewhere makes them anew.
func TestSetNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, network, _ := open(t, &logged{})
		node := ami.Config{Name: "pbx", Addr: "pbx:5038", Username: "admin", Secret: ami.StaticSecret("secret"), Dial: network.DialContext}
		if err := u.SetNodes([]ami.Config{node}); err != nil {
			t.Fatal(err)
		}
		before, _ := u.events.Node("pbx")
		node.Fingerprint = "another"
		if err := u.SetNodes([]ami.Config{node}); err != nil {
			t.Fatal(err)
		}
		after, _ := u.events.Node("pbx")
		if before == after {
			t.Error("the sessions are those of the old secret")
		}
		if err := u.SetNodes([]ami.Config{node}); err != nil {
			t.Fatal(err)
		}
		if same, _ := u.events.Node("pbx"); same != after {
			t.Error("the sessions of a node that stays are made anew")
		}
	})
}
