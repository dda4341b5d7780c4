package proof

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// A follower follows what the nodes hold over the bus, and asks them for something all the time.
type follower struct {
	*state.Watcher
	cluster *ami.Cluster
	stale   atomic.Int64 // times that a node became so
	asked   atomic.Int64
	failed  atomic.Int64
	last    atomic.Value // the error
}

// follow begins to follow the nodes, over the bus or at the servers themselves, until the test ends.
func (l *lab) follow(nodes []ami.Config) *follower {
	l.t.Helper()
	f := &follower{cluster: ami.NewCluster(ami.ClusterConfig{})}
	l.t.Cleanup(func() { _ = f.cluster.Close() })
	for _, n := range nodes {
		n.Events = "call,agent,system,dialplan"
		if _, err := f.cluster.Add(n); err != nil {
			l.t.Fatal(err)
		}
	}
	var err error
	if f.Watcher, err = state.Follow(context.Background(), f.cluster, state.Options{Audit: -1}); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(f.Close)
	return f
}

// overBus are the nodes as they are reached over the bus.
func (l *lab) overBus() (nodes []ami.Config) {
	l.t.Helper()
	conn, err := bus.Dial(bus.Access{URL: l.servers.urls(), Name: "follower"}, slog.New(slog.DiscardHandler))
	if err != nil {
		l.t.Fatal(err)
	}
	events, err := bus.Read(context.Background(), conn, bus.ReadOptions{Cluster: l.cluster})
	if err != nil {
		l.t.Fatal(err)
	}
	caller, err := bus.NewCaller(conn, l.cluster, "amictl", 10*time.Second)
	if err != nil {
		l.t.Fatal(err)
	}
	caller.Follow(events, func(err error) { l.t.Error(err) })
	l.t.Cleanup(caller.Close)
	for _, n := range l.nodes.all {
		nodes = append(nodes, caller.Node(n.Name()))
	}
	return nodes
}

func (l *lab) direct() (nodes []ami.Config) {
	for _, n := range l.nodes.all {
		nodes = append(nodes, ami.Config{Name: n.Name(), Addr: n.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
	}
	return nodes
}

// watch counts what becomes of the follower until the test ends: how often a node is stale, and which questions fail.
func (f *follower) watch(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { cancel(); all.Wait() })
	all.Go(func() {
		for ch, err := range f.Changes(ctx) {
			if err != nil {
				return
			}
			if n, ok := ch.Object.(*state.Node); ok && n.Stale && ch.Has("stale") {
				f.stale.Add(1)
			}
		}
	})
	for _, n := range f.cluster.Nodes() {
		all.Go(func() {
			for ; ctx.Err() == nil; time.Sleep(2 * time.Millisecond) {
				limited, stop := context.WithTimeout(ctx, 10*time.Second)
				_, err := n.Do(limited, ami.NewAction("Ping"))
				stop()
				if f.asked.Add(1); err != nil && ctx.Err() == nil {
					f.failed.Add(1)
					f.last.Store(fmt.Sprintf("%s: %v", n.Name(), err))
				}
			}
		})
	}
}

// A call is played on a node, at random.
func play(rnd *rand.Rand, srv *amitest.Server) {
	one := func(of ...string) string { return of[rnd.IntN(len(of))] }
	channel := func() string {
		if all := srv.State().Channels(); len(all) > 0 {
			return all[rnd.IntN(len(all))].Uniqueid
		}
		return "none"
	}
	begin := func(caller, name string) string {
		return srv.Dial(caller, amitest.Channel{Name: "PJSIP/" + name, CallerIDNum: "100", Context: "default", Exten: "100"}).Uniqueid
	}
	switch rnd.IntN(8) {
	case 0, 1:
		srv.Answer(begin(begin("", "trunk"), one("alice", "bob", "carol")))
	case 2:
		begin("", "trunk")
	case 3, 4, 5:
		srv.Hangup(channel(), 16)
	case 6:
		srv.JoinConference(one("1", "2"), channel())
	case 7:
		srv.BlindTransfer(channel(), "300")
	}
}

// held is what does not depend on since when somebody looks.
func held(t *testing.T, p *state.Snapshot) []string {
	t.Helper()
	var all []string
	for o := range p.Objects() {
		text, err := json.Marshal(o)
		var fields struct{ Node, State, Name, Linkedid, Bridge string }
		if err == nil {
			err = json.Unmarshal(text, &fields)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%s %s %+v", o.Kind(), o.Key(), fields))
	}
	slices.Sort(all)
	return all
}

func synced(p *state.Snapshot) bool {
	return !slices.ContainsFunc(p.Nodes, func(n *state.Node) bool { return n.Stale })
}

// compare wants what is followed to be what somebody finds who asks the servers now. Nobody calls meanwhile.
func (l *lab) compare(when string, f *follower) {
	l.t.Helper()
	fresh := l.follow(l.direct())
	defer func() { fresh.Close(); _ = fresh.cluster.Close() }()
	diff := ""
	same := func() bool {
		found, followed := fresh.Snapshot(), f.Snapshot()
		if diff = "one of them is not synced"; synced(found) && synced(followed) {
			diff = cmp.Diff(held(l.t.(*testing.T), found), held(l.t.(*testing.T), followed))
		}
		return diff == ""
	}
	for limit := time.Now().Add(patience); !same(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(limit) {
			l.t.Fatalf("%s: -fresh +over the bus:\n%s\nthe last question that failed: %v", when, diff, f.last.Load())
		}
	}
}

// shown are the channels that `state channels --follow` has told of, as far as they are there.
func shown(path string) map[string]bool {
	all := make(map[string]bool)
	text, err := os.ReadFile(path) //nolint:gosec // our own
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(text) {
		var o struct{ Type, Op, Node, Uniqueid string }
		if json.Unmarshal(line, &o) != nil || o.Type != "channel" {
			continue
		}
		if all[o.Node+" "+o.Uniqueid] = true; o.Op == "remove" {
			delete(all, o.Node+" "+o.Uniqueid)
		}
	}
	return all
}

// compareProcesses wants the same of the processes that people run: of one that follows, and of `calls --live`.
func (l *lab) compareProcesses(when, following string) {
	l.t.Helper()
	there := make(map[string]bool)
	for _, n := range l.nodes.all {
		for _, c := range n.State().Channels() {
			there[n.Name()+" "+c.Uniqueid] = true
		}
	}
	eventually(l.t, when+": state --follow tells of the channels that there are", func() bool { return maps.Equal(shown(following), there) })
	calls := func(context string) string {
		var lines []string
		status, out := l.run("", "calls", "--live", "-q", "-C", context, "-o", "csv", "--fields", "node,linkedid,state")
		for in := bufio.NewScanner(strings.NewReader(out)); in.Scan(); {
			lines = append(lines, in.Text())
		}
		slices.Sort(lines)
		return fmt.Sprintf("%d\n%s", status, strings.Join(lines, "\n"))
	}
	if diff := cmp.Diff(calls("servers"), calls("lab")); diff != "" {
		l.t.Errorf("%s: calls --live: -from the servers +over the bus:\n%s", when, diff)
	}
}

// Nodes are moved, owners are killed and stand still while what the nodes hold is followed over the bus, and asked for: what is shown is
// right, and while nothing is lost nothing goes stale, and no question fails that is not to an owner who dies.
func TestFollowed(t *testing.T) {
	t.Parallel()
	users := filepath.Join(t.TempDir(), "users.toml")
	if err := os.WriteFile(users, []byte("[[users]]\nname = \"amictl\"\nnats = true\nactions = [\"*\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := newLab(t, startServers(t, 1, "").start(), 4, "--hot", "--users", users)
	ear := l.tap()
	for _, name := range []string{"a", "b", "c"} {
		l.bridge(name, "", nil)
	}
	l.read()
	l.owned()
	stop := l.nodes.emitting(400, t.Name())
	t.Cleanup(stop)
	f := l.follow(l.overBus())
	config := l.bridges["a"].config
	following := filepath.Join(l.dir, "following.jsonl")
	start(t, "state --follow", append(l.env(config), "OUT="+following), "sh", "-c", `exec "$0" "$@" >"$OUT"`, amictld, "state", "channels", "--follow", "-C", "lab", "-o", "jsonl", "-q")
	l.compare("at first", f)
	f.watch(t)
	l.inStep()
	rnd := rand.New(rand.NewPCG(rand.Uint64(), 1))
	settled := func(when string, most int64) {
		t.Helper()
		l.compare(when, f)
		l.compareProcesses(when, following)
		if stale, failed := f.stale.Swap(0), f.failed.Swap(0); stale > 0 || failed > most {
			t.Errorf("%s: nodes became stale %d times, and %d of %d questions failed, the last: %v", when, stale, failed, f.asked.Load(), f.last.Load())
		}
	}
	for range times(2, 10) {
		l.playing(rnd, l.moveAllNodes)
		settled("behind moves", 0)
		l.inStep()
		victim, owned := l.anOwner()
		struck := time.Now()
		l.playing(rnd, func() {
			victim.kill()
			l.takenOver(victim.name, owned, struck)
		})
		settled("behind a kill", int64(len(l.nodes.all)))
		l.startBridge(victim)
		eventually(t, "it beats again", func() bool { return ear.heard(victim.name, struck.Add(time.Second)) })
		l.inStep()
		victim, owned = l.anOwner()
		struck = time.Now()
		l.playing(rnd, func() {
			victim.signal(syscall.SIGSTOP)
			l.takenOver(victim.name, owned, struck)
		})
		settled("beside an owner that stands still", int64(len(l.nodes.all)))
		victim.signal(syscall.SIGCONT)
		eventually(t, victim.name+" gives its nodes up", func() bool { return len(victim.told("given up")) >= len(owned) })
		settled("when it goes on", 0)
		l.inStep()
	}
	stop()
	b := l.judge()
	b.wholeBut(t)
	t.Logf("FIGURES what nodes hold was followed over the bus through moves, kills and pauses: right each time, never stale; %d questions, %s", f.asked.Load(), b)
}

// playing has things happen on the nodes at random while something else is done.
func (l *lab) playing(rnd *rand.Rand, while func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			play(rnd, l.nodes.all[rnd.IntN(len(l.nodes.all))].Server)
		}
	})
	while()
	cancel()
	all.Wait()
}

// moveAllNodes moves each node four times, to another bridge each time.
func (l *lab) moveAllNodes() {
	l.t.Helper()
	for i := range 4 * len(l.nodes.all) {
		n := l.nodes.all[i%len(l.nodes.all)].Name()
		_, to := l.ownerOf(n)
		if m := l.move(n, to); m.status != 0 || !m.Whole {
			l.t.Errorf("%s was not moved to %s: %d, %s", n, to, m.status, m.said)
		}
		eventually(l.t, "the stream says so", func() bool { owner, _ := l.ownerOf(n); return owner == to })
	}
}

// inStep waits until all bridges but its owner are in step with each node.
func (l *lab) inStep() {
	l.t.Helper()
	eventually(l.t, "all bridges are in step", func() bool {
		all, silent, err := bus.Standbys(context.Background(), l.js.Conn(), l.cluster)
		return err == nil && len(silent) == 0 && len(all) == len(l.nodes.all)*(len(l.bridges)-1) && !slices.ContainsFunc(all, func(s bus.Standby) bool { return s.Why != "" })
	})
}
