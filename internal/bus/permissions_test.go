package bus

import (
	"context"
	"errors"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// guardedBus is a NATS server with the users of docs/bus.md. It returns the URL of each.
func guardedBus(t *testing.T) func(user string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/bus.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```nats\n")
	conf, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("docs/bus.md has no configuration of permissions")
	}
	path := t.TempDir() + "/nats.conf"
	conf = strings.NewReplacer("$BRIDGE", "bridge", "$WALL", "wall", "$IMPORTER", "importer", "$HANGUPS", "hangups", "$MOVER", "mover", "$CRM", "crm", "$SCREEN", "screen").Replace(conf)
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(path)
	if err != nil {
		t.Fatal(err)
	}
	o.Host, o.Port, o.NoSigs, o.NoLog, o.StoreDir = "127.0.0.1", server.RANDOM_PORT, true, true, t.TempDir()
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("the server is not ready")
	}
	return func(user string) string {
		u, err := url.Parse(s.ClientURL())
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword(user, user)
		return u.String()
	}
}

// as connects as amictl does, under a user's name.
func as(t *testing.T, at func(user string) string, user string) *nats.Conn {
	t.Helper()
	c, err := Dial(Access{URL: at(user), Name: "test", User: user}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// refused wants an error that says that the bus allows it not.
func refused(t *testing.T, what string, err error) {
	t.Helper()
	var r *RefusedError
	if !errors.As(err, &r) || !errors.Is(err, ami.ErrUnauthorized) {
		t.Errorf("%s: %v", what, err)
	}
}

// The permissions of docs/bus.md are enough for each part, and no more than that: what is refused ends at once.
func TestPermissions(t *testing.T) {
	bus := guardedBus(t)
	srv := amitest.NewServer(amitest.WithName("pbx1"))
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	nodes := func() []ami.Config { return configsOf(srv) }
	stop := run(t, Options{Conn: as(t, bus, "bridge"), Cluster: "prod", Name: "a", Nodes: nodes, Each: []string{"*"}, Line: aLine, Actions: &puppet{do: func(_ context.Context, q *Request, answer func([]byte, bool)) {
		answer([]byte("Response: Success\r\nActionID: "+idOf(q)+"\r\nUser: "+q.User+"\r\n\r\n"), true)
	}}})
	defer stop()
	wall := as(t, bus, "wall")
	readsAlone(ctx, t, bus, wall)
	importsAlone(ctx, t, as(t, bus, "importer"))
	hearsHangupsAlone(ctx, t, as(t, bus, "hangups"), srv)
	crm := as(t, bus, "crm")
	actsAlone(ctx, t, crm)
	movesAlone(ctx, t, bus, srv, crm)
	p := newPublisher(mustJetStream(t, wall), "prod", "pbx1", quiet())
	p.confirm, p.restore = leaseOurs, leaseOurs
	guarded, end := UntilRefused(ctx, wall)
	defer end()
	_, err := p.takeOver(guarded, batch.Owner{Bridge: "forged", Epoch: 99}, nil)
	refused(t, "a wall board that writes", causeOf(guarded, err))
}

// readsAlone tries what a wall board may do: read, and look around.
func readsAlone(ctx context.Context, t *testing.T, bus func(string) string, wall *nats.Conn) {
	t.Helper()
	var c *Consumer
	for {
		var err error
		if c, err = Read(ctx, wall, ReadOptions{Cluster: "prod", Nodes: []string{"pbx1"}, Start: Start{All: true}}); err == nil {
			break
		}
		if ctx.Err() != nil || errors.Is(err, ami.ErrUnauthorized) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	defer c.Close()
	if got := records(ctx, t, c, 1); !strings.HasPrefix(got[0], "owner a ") {
		t.Errorf("the wall board reads %q", got)
	}
	if i, err := Inspect(ctx, wall, "prod"); err != nil || len(i.Nodes) != 1 {
		t.Errorf("bus info: %v, %v", i, err)
	}
	_, err := Read(ctx, wall, ReadOptions{Cluster: "other"})
	refused(t, "another cluster", err)
	_, err = sessionTo(t, wall, "prod", "wall", "pbx1")
	refused(t, "a wall board that acts", err)

	if all, err := Durables(ctx, wall, "prod"); err != nil || len(all) != 0 {
		t.Errorf("durables: %v, %v", all, err)
	}
	if _, silent, err := Standbys(ctx, wall, "prod"); err != nil || len(silent) > 0 {
		t.Errorf("standbys: %v, %v", silent, err)
	}
	_, _, err = Standbys(ctx, as(t, bus, "hangups"), "prod")
	refused(t, "standbys, for who reads single events", err)
}

// importsAlone tries what an importer may do: read with the one durable of its own.
func importsAlone(ctx context.Context, t *testing.T, importer *nats.Conn) {
	t.Helper()
	for _, nodes := range [][]string{{"pbx1"}, {"pbx1"}, nil} {
		c, err := Read(ctx, importer, ReadOptions{Cluster: "prod", Nodes: nodes, Start: Start{All: true}, Durable: "importer"})
		if nodes == nil {
			if !errors.As(err, new(*DurableError)) {
				t.Errorf("the importer's durable for other nodes: %v", err)
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := records(ctx, t, c, 1); !strings.HasPrefix(got[0], "owner a ") {
			t.Errorf("the importer reads %q", got)
		}
		c.Close()
	}
	_, err := Read(ctx, importer, ReadOptions{Cluster: "prod", Durable: "other"})
	refused(t, "another durable", err)
}

// hearsHangupsAlone tries what one may do who listens to single events.
func hearsHangupsAlone(ctx context.Context, t *testing.T, one *nats.Conn, srv *amitest.Server) {
	t.Helper()
	hangups, err := one.SubscribeSync("ami.one.prod.*.Hangup")
	if err == nil {
		err = one.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bridge has a session", func() bool { return srv.Ledger().Logins > 0 })
	srv.EmitEvent("Newchannel", "N", "1")
	srv.EmitEvent("Hangup", "N", "2")
	if m, err := hangups.NextMsgWithContext(ctx); err != nil || string(m.Data) != "Hangup 2" {
		t.Errorf("a single event: %v, %v", m, err)
	}
	_, err = Read(ctx, one, ReadOptions{Cluster: "prod"})
	refused(t, "batches, for who reads single events", err)
}

// actsAlone tries what a CRM may do: have the actions of its own name carried out.
func actsAlone(ctx context.Context, t *testing.T, crm *nats.Conn) {
	t.Helper()
	s, err := sessionTo(t, crm, "prod", "crm", "pbx1")
	for errors.Is(err, errNoOwner) && ctx.Err() == nil { // it has written that it owns the node, and has yet to listen
		s, err = sessionTo(t, crm, "prod", "crm", "pbx1")
	}
	if err != nil {
		t.Fatal(err)
	}
	reply, err := s.Do(ctx, ami.NewAction("Ping"))
	if err != nil || reply.Get("User") != "crm" {
		t.Errorf("the CRM: %v, %v", reply, err)
	}
	start := time.Now()
	_, err = s.Do(ctx, ami.NewAction("Command", "Command", "core stop now"))
	if ami.SentState(err) != ami.SentNo || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("a Command of the CRM: %v", err)
	}
	if took := time.Since(start); took > patience/3 {
		t.Errorf("the refusal took %v", took)
	}
	other, err := sessionTo(t, crm, "prod", "admin", "pbx1")
	if err == nil {
		_, err = other.Do(ctx, ami.NewAction("Ping"))
	}
	if err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("the CRM in another name: %v", err)
	}
	_, err = Read(ctx, crm, ReadOptions{Cluster: "prod"})
	refused(t, "a CRM that reads", err)
}

// movesAlone tries what the one who moves nodes may do, and that others may not.
func movesAlone(ctx context.Context, t *testing.T, bus func(string) string, srv *amitest.Server, crm *nats.Conn) {
	t.Helper()
	stop := run(t, Options{Conn: as(t, bus, "bridge"), Cluster: "prod", Name: "b", Nodes: func() []ami.Config { return configsOf(srv) }})
	defer stop()
	_, err := Move(ctx, crm, "prod", "pbx1", "b", patience)
	refused(t, "a CRM that moves nodes", err)
	mover := as(t, bus, "mover")
	moved, err := Move(ctx, mover, "prod", "pbx1", "b", patience)
	for why := new(MoveError); errors.As(err, &why) && why.Reason == MoveNoBridge && ctx.Err() == nil; { // it has yet to be heard
		moved, err = Move(ctx, mover, "prod", "pbx1", "b", patience)
	}
	if err != nil || !moved.Whole || moved.From != "a" {
		t.Errorf("the mover: %+v, %v", moved, err)
	}
	_, err = Read(ctx, mover, ReadOptions{Cluster: "prod"})
	refused(t, "a mover who reads", err)
	var why *MoveError
	if _, err = Move(ctx, mover, "prod", "pbx9", "b", patience); !errors.As(err, &why) || why.Reason != MoveNoOwner {
		t.Errorf("who may not look for the reason: %v", err)
	}
}

// Who follows what servers hold needs events and lists, and has no more than these.
func TestPermissionsOfAScreen(t *testing.T) {
	bus := guardedBus(t)
	srv := amitest.NewServer(amitest.WithName("pbx1"))
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stop := run(t, Options{Conn: as(t, bus, "bridge"), Cluster: "prod", Name: "a", Nodes: func() []ami.Config { return configsOf(srv) }, Actions: &puppet{do: func(_ context.Context, q *Request, answer func([]byte, bool)) {
		answer([]byte("Response: Success\r\nActionID: "+idOf(q)+"\r\nUser: "+q.User+"\r\n\r\n"), true)
	}}})
	defer stop()
	screen := as(t, bus, "screen")
	var err error
	for i := (*Info)(nil); err != nil || i == nil || len(i.Nodes) == 0; i, err = Inspect(ctx, screen, "prod") { // the bridge has yet to take the node
		if ctx.Err() != nil || errors.Is(err, ami.ErrUnauthorized) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	events, err := Read(ctx, screen, ReadOptions{Cluster: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	caller, err := NewCaller(screen, "prod", "screen", patience)
	if err != nil {
		t.Fatal(err)
	}
	caller.Follow(events, func(err error) { t.Error(err) })
	defer caller.Close()
	node := caller.Node("pbx1")
	node.Events = "call"
	c, err := ami.Dial(ctx, node)
	for errors.Is(err, errNoOwner) && ctx.Err() == nil { // it has written that it owns the node, and has yet to listen
		c, err = ami.Dial(ctx, node)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	got, err := c.Subscribe(ami.SubscribeOptions{Events: []string{"Hangup"}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bridge has a session", func() bool { return srv.Ledger().Logins > 0 })
	srv.EmitEvent("Hangup", "N", "1")
	if ev, err := got.Next(ctx); err != nil || ev.Get("N") != "1" {
		t.Errorf("%v: %v", err, ev)
	}
	if reply, err := c.Do(ctx, ami.NewAction("CoreShowChannels")); err != nil || reply.Get("User") != "screen" {
		t.Errorf("%v: %v", err, reply)
	}
	other, err := sessionTo(t, as(t, bus, "screen"), "prod", "crm", "pbx1")
	if err == nil {
		_, err = other.Do(ctx, ami.NewAction("Ping"))
	}
	if err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("the screen in the CRM's name: %v", err)
	}
}
