package bus

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/internal/natsserver"
	"github.com/apntalk/amictl/pkg/ami"
)

// A followed node has an owner that a test plays, and who follows it over the bus.
type followed struct {
	t      *testing.T
	p      *publisher
	conn   *nats.Conn // of who follows
	caller *Caller
	failed chan error
}

func follow(t *testing.T, do func(f *followed, q *Request, answer func([]byte, bool))) (*followed, *performance) {
	t.Helper()
	return followAt(t, aBus(t), do)
}

func followAt(t *testing.T, url string, do func(f *followed, q *Request, answer func([]byte, bool))) (*followed, *performance) {
	t.Helper()
	js := withJetStream(t, url)
	conn, err := Dial(Access{URL: url}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	f := &followed{t: t, conn: conn, failed: make(chan error, 16)}
	if f.p, err = owning(t.Context(), js, batch.Owner{Bridge: "a", Epoch: 1, Time: time.Now()}, leaseOurs); err != nil {
		t.Fatal(err)
	}
	perf, err := perform(dial(t, url), "c", "pbx", &puppet{do: func(_ context.Context, q *Request, answer func([]byte, bool)) { do(f, q, answer) }}, tenure{epoch: 1, from: 1, last: f.p.stored.Load}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(perf.stop)
	if err := perf.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	events, err := Read(t.Context(), f.conn, ReadOptions{Cluster: "c", Nodes: []string{"pbx"}})
	if err != nil {
		t.Fatal(err)
	}
	if f.caller, err = NewCaller(f.conn, "c", "me", patience); err != nil {
		t.Fatal(err)
	}
	f.caller.Follow(events, func(err error) { f.failed <- err })
	t.Cleanup(f.caller.Close)
	return f, perf
}

// publish stores a batch of events.
func (f *followed) publish(events ...int) {
	var w batch.Writer
	for _, n := range events {
		w.Add(anEvent(fmt.Sprintf("Event: E\r\nPrivilege: call,all\r\nN: %d\r\n\r\n", n)))
	}
	f.store(w.Batch(nil))
}

func (f *followed) store(data []byte) {
	f.t.Helper()
	if err := f.p.publish(f.t.Context(), data); err != nil {
		f.t.Error(err)
	}
}

// A listener reads what a session writes, as words.
type listener struct {
	net.Conn
	t   *testing.T
	all *bufio.Reader
}

func (f *followed) listen(events string) *listener {
	f.t.Helper()
	conn, err := f.caller.dial(f.t.Context(), "pbx")
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	l := &listener{conn, f.t, bufio.NewReader(conn)}
	_ = conn.SetDeadline(time.Now().Add(patience))
	if banner, err := l.all.ReadString('\n'); err != nil || !strings.HasPrefix(banner, "Asterisk") {
		f.t.Fatal(banner, err)
	}
	l.send("Login", "Events: "+events)
	l.want("Login Success, FullyBooted")
	return l
}

func (l *listener) send(action, line string) {
	l.t.Helper()
	if _, err := fmt.Fprintf(l, "Action: %s\r\nActionID: %s\r\n%s\r\n\r\n", action, action, line); err != nil {
		l.t.Fatal(err)
	}
}

// want reads so many packets as the words tell, or up to the end.
func (l *listener) want(want string) {
	l.t.Helper()
	var got []string
	for range strings.Split(want, ", ") {
		got = append(got, l.packet())
	}
	if text := strings.Join(got, ", "); text != want {
		l.t.Fatalf("%s, not %s", text, want)
	}
}

func (l *listener) packet() string {
	headers := make(map[string]string)
	for {
		line, err := l.all.ReadString('\n')
		if err != nil {
			return "end"
		}
		if line == "\r\n" {
			break
		}
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		headers[name] = value
	}
	switch {
	case headers["Response"] != "":
		return headers["ActionID"] + " " + headers["Response"]
	case headers["N"] != "":
		return headers["N"]
	}
	return headers["Event"]
}

// Whatever comes while an answer is on its way comes behind it, and what was on the bus before it was asked for comes before it.
func TestFollowPlacesAnswers(t *testing.T) {
	n := 0
	f, _ := follow(t, func(f *followed, q *Request, answer func([]byte, bool)) {
		f.publish(n+1, n+2) // as it might be told of before the list is made, or behind it
		for range 3 {       // so that the consumer has it
			_, _ = f.conn.Request("nobody", nil, time.Second)
		}
		text := "Response: Success\r\nActionID: " + idOf(q) + "\r\nPadding: " + strings.Repeat("x", 3*partSize) + "\r\n\r\n"
		answer([]byte(text), true)
	})
	l := f.listen("call")
	quiet := f.listen("off")
	for ; n < 300; n += 3 {
		f.publish(n)
		l.send("List", "A: b")
		l.want(fmt.Sprintf("%d, List Success, %d, %d", n, n+1, n+2))
	}
	l.send("Logoff", "A: b")
	l.want("Logoff Goodbye, end")
	quiet.send("Logoff", "A: b")
	quiet.want("Logoff Goodbye, end")
}

// A loss ends a session behind what came before it, and the next one begins behind it.
func TestFollowLosses(t *testing.T) {
	unhurried(t)
	for name, lose := range map[string]func(f *followed){
		"a gap": func(f *followed) {
			var w batch.Writer
			w.Add(anEvent("Event: E\r\nPrivilege: call,all\r\nN: 2\r\n\r\n"))
			w.Add(&ami.Event{Received: time.Now(), Gap: &ami.Gap{Reason: ami.GapOverflow, Dropped: 1}})
			w.Add(anEvent("Event: E\r\nPrivilege: call,all\r\nN: 3\r\n\r\n"))
			f.store(w.Batch(nil))
		},
		"a new owner": func(f *followed) {
			f.publish(2)
			next, err := owning(f.t.Context(), f.p.js, batch.Owner{Bridge: "b", Epoch: 2, Time: time.Now()}, leaseOurs)
			if err != nil {
				f.t.Fatal(err)
			}
			f.p = next
		},
		"a batch that nobody can read": func(f *followed) {
			f.publish(2)
			f.store([]byte{batch.Version, 9})
			if err := <-f.failed; !strings.Contains(err.Error(), "packed in a way") {
				f.t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := follow(t, func(_ *followed, q *Request, answer func([]byte, bool)) {
				answer([]byte("Response: Success\r\nActionID: "+idOf(q)+"\r\n\r\n"), true)
			})
			l := f.listen("on")
			f.publish(1)
			l.want("1")
			lose(f)
			l.want("2, end")
			l = f.listen("on")
			f.publish(4)
			l.want("4")
		})
	}
}

// A node changes its owner without a gap while somebody asks: his session goes on.
func TestFollowBetweenOwners(t *testing.T) {
	f, perf := follow(t, func(_ *followed, q *Request, answer func([]byte, bool)) { succeeding(t.Context(), q, answer) })
	l := f.listen("on")
	f.publish(1)
	l.want("1")
	perf.stop()
	if err := perf.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	l.send("List", "A: b")
	next, err := perform(perf.conn, "c", "pbx", &puppet{do: succeeding}, tenure{epoch: 2, from: 1, last: f.p.stored.Load}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(next.stop)
	l.want("List Success")
	f.publish(2)
	l.want("2")
}

// Where nobody owns the node any more, a session ends: nobody says what happens there.
func TestFollowNobody(t *testing.T) {
	f, perf := follow(t, nil)
	l := f.listen("on")
	perf.stop()
	if err := perf.conn.Flush(); err != nil {
		t.Fatal(err)
	}
	l.send("Ping", "A: b")
	l.want("Ping Error, end")
}

// A bus that is away ends a session when its client looks after the server.
func TestFollowBusAway(t *testing.T) {
	s, err := natsserver.Start(natsserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	f, _ := followAt(t, s.URL(), nil)
	l := f.listen("on")
	s.Close()
	for f.conn.IsConnected() {
		time.Sleep(time.Millisecond)
	}
	l.send("Ping", "A: b")
	l.want("Ping Error, end")
}

// Without its connection there is no session, and no new one.
func TestFollowWithoutABus(t *testing.T) {
	f, _ := follow(t, nil)
	l := f.listen("on")
	f.conn.Close()
	l.want("end")
	if _, err := f.caller.dial(t.Context(), "pbx"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("%v", err)
	}
}
