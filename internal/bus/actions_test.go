package bus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/pkg/ami"
)

// A puppet is a Performer that a test plays.
type puppet struct {
	away error
	do   func(ctx context.Context, q *Request, answer func([]byte, bool))
}

func (p *puppet) Away(string) (string, error) { return "Asterisk Call Manager/11.0.0", p.away }

func (p *puppet) Do(ctx context.Context, q *Request, answer func([]byte, bool)) { p.do(ctx, q, answer) }

// idOf is the ActionID of a request's packet.
func idOf(q *Request) string {
	_, rest, _ := strings.Cut(string(q.Packet), "ActionID: ")
	id, _, _ := strings.Cut(rest, "\r\n")
	return id
}

// performing has a puppet own node "pbx" until the test ends.
func performing(t *testing.T, url string, p *puppet) *performance {
	t.Helper()
	return performingAs(t, url, p, tenure{epoch: 1, from: 1})
}

func performingAs(t *testing.T, url string, p *puppet, as tenure) *performance {
	t.Helper()
	as.last = func() uint64 { return 0 }
	perf, err := perform(dial(t, url), "c", "pbx", p, as, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := perf.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(perf.stop)
	return perf
}

// sessionTo is an engine's session to a node over the bus.
func sessionTo(t *testing.T, conn *nats.Conn, cluster, user, node string) (*ami.Conn, error) {
	t.Helper()
	caller, err := NewCaller(conn, cluster, user, patience)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := ami.Dial(ctx, caller.Node(node))
	if err == nil {
		t.Cleanup(func() { _ = c.Close() })
	}
	return c, err
}

func mustSession(t *testing.T, conn *nats.Conn) *ami.Conn {
	t.Helper()
	c, err := sessionTo(t, conn, "c", "me", "pbx")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What a node's owner answers is what the engine has asked for: one answer, a list in many parts, a refusal, the end of a call.
func TestActions(t *testing.T) {
	url := aBus(t)
	const items = 20_000
	performing(t, url, &puppet{do: func(_ context.Context, q *Request, answer func([]byte, bool)) {
		id := "ActionID: " + idOf(q) + "\r\n"
		switch q.Action {
		case "Ping":
			answer([]byte("Response: Success\r\n"+id+"Ping: Pong\r\nUser: "+q.User+"\r\n\r\n"), true)
		case "QueueStatus":
			var b strings.Builder
			b.WriteString("Response: Success\r\n" + id + "EventList: start\r\n\r\n")
			for i := range items {
				fmt.Fprintf(&b, "Event: QueueParams\r\n%sQueue: q%d\r\nPadding: %s\r\n\r\n", id, i, strings.Repeat("x", 100))
			}
			fmt.Fprintf(&b, "Event: QueueStatusComplete\r\n%sEventList: Complete\r\nListItems: %d\r\n\r\n", id, items)
			answer([]byte(b.String()), true)
		case "Originate":
			answer([]byte("Response: Success\r\n"+id+"Message: Originate successfully queued\r\n\r\n"), false)
			answer([]byte("Event: OriginateResponse\r\n"+id+"Response: Failure\r\nReason: 5\r\n\r\n"), true)
		case "Denied":
			answer([]byte("Response: Error\r\n"+id+"Message: Permission denied\r\n\r\n"), true)
		default:
			answer([]byte("Response: Error\r\n"+id+"Message: away\r\n"+ami.RelaySent+": maybe\r\n\r\n"), true)
		}
	}})
	c := mustSession(t, dial(t, url))
	ctx := t.Context()
	if c.Banner() != "Asterisk Call Manager/11.0.0" {
		t.Errorf("banner %q", c.Banner())
	}
	reply, err := c.Do(ctx, ami.NewAction("Ping"))
	if err != nil || reply.Get("User") != "me" {
		t.Errorf("%v: %v", err, reply)
	}
	if reply, err = c.Do(ctx, ami.NewAction("QueueStatus")); err != nil || reply.Items != items {
		t.Errorf("a list in parts: %v", err)
	}
	var refused *ami.ResponseError
	call := ami.NewAction("Originate", "Channel", "Local/1@x", "Async", "true")
	call.AwaitOriginate = true
	if _, err = c.Do(ctx, call); !errors.As(err, &refused) || refused.Outcome != ami.OutcomeBusy {
		t.Errorf("the end of a call: %v", err)
	}
	if _, err = c.Do(ctx, ami.NewAction("Denied")); !errors.As(err, &refused) || refused.Relay {
		t.Errorf("%v", err)
	}
	if _, err = c.Do(ctx, ami.NewAction("Lost")); ami.SentState(err) != ami.SentMaybe || !errors.As(err, &refused) || !refused.Relay {
		t.Errorf("%v", err)
	}
}

// Actions of one session come one behind the other, in their order, also when the client does not wait for answers.
func TestActionsInOrder(t *testing.T) {
	url := aBus(t)
	var running, next atomic.Int64
	performing(t, url, &puppet{do: func(_ context.Context, q *Request, answer func([]byte, bool)) {
		if running.Add(1) != 1 {
			t.Error("two at once")
		}
		if want := fmt.Sprintf("N: %d\r\n", next.Add(1)); !strings.Contains(string(q.Packet), want) {
			t.Errorf("%q, not %q", q.Packet, want)
		}
		running.Add(-1)
		answer([]byte("Response: Success\r\nActionID: "+idOf(q)+"\r\n\r\n"), true)
	}})
	caller, err := NewCaller(dial(t, url), "c", "me", patience)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := caller.dial(t.Context(), "pbx")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	const actions = 300
	go func() {
		for i := range actions {
			if _, err := fmt.Fprintf(conn, "Action: X\r\nActionID: %d\r\nN: %d\r\n\r\n", i+1, i+1); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	in := bufio.NewScanner(conn)
	for want := 1; want <= actions && in.Scan(); {
		if id, ok := strings.CutPrefix(in.Text(), "ActionID: "); ok {
			if id != fmt.Sprint(want) {
				t.Fatalf("the answer to %s, not %d", id, want)
			}
			want++
		}
	}
	if in.Err() != nil || next.Load() != actions {
		t.Errorf("%v after %d actions", in.Err(), next.Load())
	}
}

// Where nobody owns the node, or its owner has no session, nothing is sent.
func TestActionsNowhere(t *testing.T) {
	url := aBus(t)
	conn := dial(t, url)
	if _, err := sessionTo(t, conn, "c", "me", "pbx"); err == nil || !strings.Contains(err.Error(), "no bridge") {
		t.Errorf("nobody owns it: %v", err)
	}
	p := &puppet{away: ami.ErrNotReady}
	perf := performing(t, url, p)
	if _, err := sessionTo(t, conn, "c", "me", "pbx"); err == nil || !strings.Contains(err.Error(), "no session") {
		t.Errorf("the server is away: %v", err)
	}
	p.away = nil
	c := mustSession(t, conn)
	perf.stop()
	if err := perf.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), ami.NewAction("Ping")); ami.SentState(err) != ami.SentNo || !ami.Retryable(err, "Originate") {
		t.Errorf("the owner has gone: %v", err)
	}
}

// succeeding answers each request.
func succeeding(_ context.Context, q *Request, answer func([]byte, bool)) {
	answer([]byte("Response: Success\r\nActionID: "+idOf(q)+"\r\n\r\n"), true)
}

// An owner who stands still after another bridge has taken the node over gets no request any more.
func TestActionsBesideAnOwnerWhoStandsStill(t *testing.T) {
	url := aBus(t)
	still := dial(t, url)
	for subj, queue := range map[string]string{"ami.act.c.pbx.*.*": "owner", "ami.own.c.pbx": ""} {
		if _, err := still.QueueSubscribe(subj, queue, func(*nats.Msg) {}); err != nil {
			t.Fatal(err)
		}
	}
	if err := still.Flush(); err != nil {
		t.Fatal(err)
	}
	performingAs(t, url, &puppet{do: succeeding}, tenure{epoch: 2, from: 2})
	c := mustSession(t, dial(t, url))
	ctx, cancel := context.WithTimeout(t.Context(), patience/4)
	defer cancel()
	for range 50 {
		if _, err := c.Do(ctx, ami.NewAction("Ping")); err != nil {
			t.Fatal(err)
		}
	}
}

// A request that names its owner is carried out by him alone, and refused where it is known that he does not.
func TestActionsOfAnOwner(t *testing.T) {
	url := aBus(t)
	var did atomic.Int64
	performingAs(t, url, &puppet{do: func(ctx context.Context, q *Request, answer func([]byte, bool)) {
		did.Add(1)
		succeeding(ctx, q, answer)
	}}, tenure{epoch: 7, from: 5})
	conn := dial(t, url)
	ask := func(owner string) *nats.Msg {
		m := nats.NewMsg("ami.act.c.pbx.me.Ping")
		m.Header.Set(ownerHeader, owner)
		return m
	}
	for _, other := range []string{"4", "8", "none"} {
		m := ask(other)
		m.Reply = conn.NewInbox()
		if err := conn.PublishMsg(m); err != nil {
			t.Fatal(err)
		}
	}
	for _, before := range []string{"5", "6"} {
		if m, err := conn.RequestMsg(ask(before), patience); err != nil || m.Header.Get(refusedHeader) != handedOn || !strings.Contains(string(m.Data), "Relay-Sent: no") {
			t.Errorf("for one before: %v, %v", m, err)
		}
	}
	if m, err := conn.RequestMsg(ask("7"), patience); err != nil || !strings.HasPrefix(string(m.Data), "Response: Success") || did.Load() != 1 {
		t.Errorf("for this one: %v, %v; %d were carried out", m, err, did.Load())
	}
	if m, err := conn.RequestMsg(ask(""), patience); err != nil || !strings.HasPrefix(string(m.Data), "Response: Success") || did.Load() != 2 {
		t.Errorf("for any: %v, %v; %d were carried out", m, err, did.Load())
	}
}

// A session outlives its owner: what is asked for while there is none waits for the next one.
func TestActionsBetweenOwners(t *testing.T) {
	url := aBus(t)
	first := performing(t, url, &puppet{do: succeeding})
	c := mustSession(t, dial(t, url))
	first.stop()
	if err := first.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		_, err := c.Do(t.Context(), ami.NewAction("Ping"))
		ended <- err
	}()
	performingAs(t, url, &puppet{do: succeeding}, tenure{epoch: 2, from: 1})
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// An owner takes so many requests at once, and says so to the others; an answer that comes too late is nobody's.
func TestActionsAreBounded(t *testing.T) {
	url := aBus(t)
	release := make(chan struct{})
	performing(t, url, &puppet{do: func(ctx context.Context, q *Request, answer func([]byte, bool)) {
		select {
		case <-release:
		case <-ctx.Done():
		}
		answer([]byte("Response: Success\r\nActionID: "+idOf(q)+"\r\n\r\n"), true)
	}})
	conn := dial(t, url)
	in, err := conn.SubscribeSync(conn.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	for range mostRequests + 1 {
		if err := conn.PublishRequest("ami.act.c.pbx.me.Slow", in.Subject, nil); err != nil {
			t.Fatal(err)
		}
	}
	m, err := in.NextMsg(patience)
	if err != nil || !strings.Contains(string(m.Data), "Relay-Sent: no") {
		t.Errorf("%v: %v", err, m)
	}
	close(release)
	for range mostRequests {
		if m, err := in.NextMsg(patience); err != nil || !strings.HasPrefix(string(m.Data), "Response: Success") {
			t.Fatalf("%v: %v", err, m)
		}
	}
	bad := nats.NewMsg("ami.act.c.pbx.me.Slow")
	bad.Header.Set(deadlineHeader, "soon")
	if m, err := conn.RequestMsg(bad, patience); err != nil || !strings.Contains(string(m.Data), "not a time") {
		t.Errorf("%v: %v", err, m)
	}
}

// What runs when a node is given up is cut short after a moment, and whoever asked is told.
func TestActionsAtTheEnd(t *testing.T) {
	url := aBus(t)
	began := make(chan struct{})
	perf := performing(t, url, &puppet{do: func(ctx context.Context, q *Request, answer func([]byte, bool)) {
		close(began)
		<-ctx.Done()
		answer([]byte("Response: Error\r\nActionID: "+idOf(q)+"\r\nMessage: cut short\r\n"+ami.RelaySent+": maybe\r\n\r\n"), true)
	}})
	c := mustSession(t, dial(t, url))
	ended := make(chan error)
	go func() {
		_, err := c.Do(t.Context(), ami.NewAction("Slow"))
		ended <- err
	}()
	<-began
	perf.stop()
	if err := <-ended; ami.SentState(err) != ami.SentMaybe || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("%v", err)
	}
	if perf.begin(func() { t.Error("a request begins behind the end") }) {
		t.Error("the node is given up, and takes requests")
	}
}
