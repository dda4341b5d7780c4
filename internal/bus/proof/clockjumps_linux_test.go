//go:build long

// Not in the short form: programs whose clocks jump take minutes to build.

package proof

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/bus/subject"
)

// jumpy builds amictld and nats-server so that each process's wall clock can be set ahead or behind while its monotonic clock goes on: the
// process takes the file that clockVariable names, and adds the duration in it to what the clock says from then on.
func jumpy(t *testing.T) (program, server string) {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir, std := t.TempDir(), filepath.Join(strings.TrimSpace(string(root)), "src")
	text, err := os.ReadFile(filepath.Join(std, "time", "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), now) != 1 {
		t.Fatalf("package time of %s has another Now than this test knows", runtime.Version())
	}
	overlay := make(map[string]string)
	for name, text := range map[string]string{
		"time/time.go": strings.Replace(string(text), now, now+"\tsec += Jump.Load()\n", 1),
		"time/jump.go": "package time\n\nimport \"sync/atomic\"\n\nvar Jump atomic.Int64 // in seconds\n",
		"os/jump.go": `package os

import "time"

func init() {
	name := Getenv("` + clockVariable + `")
	if name == "" {
		return
	}
	look := func() {
		if text, err := ReadFile(name); err == nil {
			jump, _ := time.ParseDuration(string(text))
			time.Jump.Store(int64(jump / time.Second))
			_ = Remove(name)
		}
	}
	look()
	go func() {
		for ; ; time.Sleep(10 * time.Millisecond) {
			look()
		}
	}()
}
`,
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(std, filepath.FromSlash(name))] = path
	}
	list, err := json.Marshal(map[string]any{"Replace": overlay})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), list, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", dir+"/", "../../../cmd/amictld", "github.com/nats-io/nats-server/v2") //nolint:gosec // our own
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "amictld"), filepath.Join(dir, "nats-server")
}

// set sets one so far ahead of the others, or behind, and waits until it goes so.
func (c *clocks) set(t testing.TB, name string, ahead time.Duration) {
	t.Helper()
	path := filepath.Join(c.dir, name)
	c.write(t, path, ahead)
	eventually(t, "the clock of "+name+" jumps", func() bool { _, err := os.Stat(path); return os.IsNotExist(err) })
}

func (c *clocks) write(t testing.TB, path string, ahead time.Duration) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(ahead.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// jumpyLab is a lab of two bridges, under 2,000 events a second, each of whose processes has a clock of its own.
func jumpyLab(t *testing.T, program, server string, flags ...string) (l *lab, stop func()) {
	t.Helper()
	s := startServers(t, 1, "")
	s.program, s.clocks = server, &clocks{t.TempDir()}
	users := filepath.Join(t.TempDir(), "users.toml")
	if err := os.WriteFile(users, []byte("[[users]]\nname = \"amictl\"\nnats = true\nactions = [\"Ping\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l = newLab(t, s.start(), 6, append(flags, "--users", users)...)
	l.program, l.clocks = program, s.clocks
	for _, name := range []string{"a", "b"} {
		l.bridge(name, "", nil)
	}
	l.read()
	l.owned()
	if slices.Contains(flags, "--hot") {
		eventually(t, "all bridges stand by", func() bool {
			return !slices.ContainsFunc(l.nodes.all, func(n *node) bool { return n.Ledger().Sessions < len(l.bridges) })
		})
	}
	stop = l.nodes.emitting(2000, "of the usual size, which is some hundred bytes; "+t.Name())
	t.Cleanup(stop)
	l.arrived("events come from each node")
	return l, stop
}

// Wall clocks jump by an hour, ahead and back: of bridges, which own nodes or stand by, of the server of the bus, and of those who read.
// Nothing is lost or comes twice, and no node changes its bridge for it.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	natsServer(t) // without one there is nothing to build
	program, server := jumpy(t)
	for name, flags := range map[string][]string{"owners alone": nil, "with standbys": {"--hot"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, stop := jumpyLab(t, program, server, flags...)
			tails := []*tailed{l.tailed("tail"), l.tailed("durable", "--durable", "d")}
			owners, jumps := l.reader.sumOwners(), 0
			for round := range times(1, 5) {
				for _, ahead := range []time.Duration{time.Hour, 0, -time.Hour, 0}[:times(2, 4)] {
					for _, who := range []string{"a", "b", "s1", "tail", "durable"} {
						l.clocks.set(l.t, who, ahead)
						jumps++
						l.arrived("events go on")
						if len(who) < 3 {
							l.renewed()
						}
						if now := l.reader.sumOwners(); now != owners {
							t.Errorf("the clock of %s was set to %+d h, and %d nodes changed their bridge", who, int(ahead.Hours()), now-owners)
							owners = now
						}
						l.asked(who, ahead)
					}
					if round == 0 && ahead >= 0 && jumps <= 10 { // a server finds a start by times that grow, which they do no more
						l.since("30m")
					}
				}
				l.stoppedServer(time.Hour)
				l.stoppedServer(0)
				if now := l.reader.sumOwners(); now != owners {
					t.Errorf("the server stood still while its clock jumped, and %d nodes changed their bridge", now-owners)
					owners = now
				}
			}
			took := l.killedBesideAJump()
			stop()
			b := l.judge()
			for _, p := range tails {
				p.judge()
			}
			if len(flags) > 0 {
				b.wholeBut(t)
			}
			t.Logf("FIGURES %s: %d times a clock jumped by an hour: 0 changes of bridges, 0 events twice, %s; an owner killed beside a clock that jumped was replaced after %.1f s", name, jumps, b, took.Seconds())
		})
	}
}

// renewed waits until each lease was written anew, twice.
func (l *lab) renewed() {
	l.t.Helper()
	revisions := func() map[string]uint64 {
		all := make(map[string]uint64)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		bucket, err := l.js.KeyValue(ctx, "AMI_LEASE_"+l.cluster)
		if err != nil {
			return nil
		}
		for _, n := range l.nodes.all {
			entry, err := bucket.Get(ctx, subject.StreamName(n.Name()))
			if err != nil {
				return nil
			}
			all[n.Name()] = entry.Revision()
		}
		return all
	}
	for range 2 {
		var before map[string]uint64
		eventually(l.t, "each lease is held", func() bool { before = revisions(); return before != nil })
		eventually(l.t, "each lease is renewed", func() bool {
			now := revisions()
			return now != nil && !slices.ContainsFunc(l.nodes.all, func(n *node) bool { return now[n.Name()] <= before[n.Name()] })
		})
	}
}

// asked sends actions to a node of a bridge whose clock was set, with a clock that is right; and with clocks that agree with the bridges' and
// are behind: what comes behind its deadline is refused.
func (l *lab) asked(who string, ahead time.Duration) {
	l.t.Helper()
	ask := func(node string, sender, bridge time.Duration) {
		l.clocks.write(l.t, filepath.Join(l.clocks.dir, "send"), sender)
		want, told := 0, ""
		if bridge > sender {
			want, told = 3, "the clocks do not agree"
		}
		if status, said := l.run("send", "send", "Ping", "-n", node, "-o", "none", "--nats", l.servers.urls(), "--cluster", l.cluster); status != want || !strings.Contains(said, told) {
			l.t.Errorf("the clock of the bridge is %+d h ahead, the sender's %+d h, and an action ended with %d: %s", int(bridge.Hours()), int(sender.Hours()), status, said)
		}
	}
	if owned := l.of(who); len(owned) > 0 {
		ask(owned[0], 0, ahead)
	}
	if who == "tail" { // by then both bridges have been set
		ask(l.nodes.all[0].Name(), ahead, ahead)
		ask(l.nodes.all[0].Name(), ahead-time.Hour, ahead)
	}
}

// since reads what was stored for as long, which is all of it.
func (l *lab) since(ago string) {
	l.t.Helper()
	stored := uint64(0)
	l.reader.has(func(b *book) bool { stored = b.sum(func(a *account) uint64 { return a.events }); return true })
	status, lines := l.run("since", "tail", numbered, "--since", ago, "--count", strconv.FormatUint(min(stored, 1000), 10), "-q", "-o", "jsonl", "--nats", l.servers.urls(), "--cluster", l.cluster)
	read, err := numbersIn(strings.NewReader(lines))
	if status != 0 || err != nil {
		l.t.Errorf("tail --since %s ended with %d: %v", ago, status, err)
	}
	l.reader.has(func(b *book) bool {
		for _, n := range l.nodes.all {
			if numbers, want := read[n.Name()], b.of(n.Name()).first+1; len(numbers) == 0 || numbers[0] != want {
				l.t.Errorf("%s: tail --since %s begins with %v, and the stream with %d", n.Name(), ago, numbers[:min(1, len(numbers))], want)
			}
		}
		return true
	})
}

// stoppedServer has the server stand still for longer than bridges wait until they send a batch again, and go on with another clock.
func (l *lab) stoppedServer(ahead time.Duration) {
	l.t.Helper()
	server := l.servers.all["s1"]
	server.signal(syscall.SIGSTOP)
	l.clocks.write(l.t, filepath.Join(l.clocks.dir, "s1"), ahead)
	time.Sleep(3 * time.Second)
	server.signal(syscall.SIGCONT)
	l.arrived("events go on")
	l.renewed()
}

// killedBesideAJump kills an owner when the clock of the other bridge has jumped, behind what it heard as a standby.
func (l *lab) killedBesideAJump() time.Duration {
	l.t.Helper()
	victim, owned := l.anOwner()
	other := "a"
	if victim.name == other {
		other = "b"
	}
	l.clocks.set(l.t, other, -time.Hour)
	l.arrived("events go on")
	struck := time.Now()
	victim.kill()
	defer l.startBridge(victim)
	return l.takenOver(victim.name, owned, struck)
}
