package proof

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus"
	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// cluster is the name of the servers' cluster on the bus.
const cluster = "proof"

const stream = "AMI_EV_" + cluster

// A lab is a bus, nodes, bridges, and a consumer that reads all of it.
type lab struct {
	t       testing.TB
	dir     string
	cluster string
	servers *servers
	js      jetstream.JetStream
	nodes   *nodes
	storage []string // flags of the bridges
	bridges map[string]*bridge
	reader  *reader
	program string  // another build of amictld; "": that of all labs
	clocks  *clocks // of its processes; nil: all have the host's
}

// A bridge is a process of amictld, which may be another one from time to time.
type bridge struct {
	*process
	name, url, config string
}

func newLab(t testing.TB, s *servers, nodes int, storage ...string) *lab {
	t.Helper()
	l := &lab{t: t, dir: t.TempDir(), cluster: cluster, servers: s, nodes: startNodes(t, nodes), storage: storage, bridges: make(map[string]*bridge)}
	l.js = s.connect()
	t.Cleanup(func() {
		if t.Failed() {
			l.tell()
		}
	})
	return l
}

// tell says how far everything is, for who looks for the reason of a failure.
func (l *lab) tell() {
	info := infoOf(l.js, "AMI_EV_"+subject.StreamName(l.cluster))
	if info != nil {
		l.t.Logf("the stream: %+v", info.State)
	}
	for _, n := range l.nodes.all {
		read := "nothing yet"
		if l.reader != nil {
			read = fmt.Sprintf("%+v", l.reader.book.of(n.Name()))
		}
		l.t.Logf("%s: %d sent, %d sessions, read: %s", n.Name(), n.sent.Load(), n.Ledger().Logins, read)
	}
}

// bridge adds a bridge. url is where it finds the bus, and addr where it finds a node; "" and nil are where they are.
func (l *lab) bridge(name, url string, addr func(*node) string) *bridge {
	l.t.Helper()
	b := &bridge{name: name, url: cmp.Or(url, l.servers.urls()), config: filepath.Join(l.dir, l.cluster+"-"+name+".toml")}
	if err := os.WriteFile(b.config, []byte(l.config(b, addr)), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.bridges[name] = b
	l.startBridge(b)
	return b
}

// config is a bridge's configuration, with a context that has the bus, and one of the servers alone.
func (l *lab) config(b *bridge, addr func(*node) string) string {
	l.t.Helper()
	secret := filepath.Join(l.dir, "secret")
	if err := os.WriteFile(secret, []byte(amitest.DefaultSecret+"\n"), 0o600); err != nil {
		l.t.Fatal(err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "context = \"lab\"\n[contexts.lab]\nuser = %q\nsecret = \"file:%s\"\nnats = %q\ncluster = %q\n", amitest.DefaultUser, secret, b.url, l.cluster)
	fmt.Fprintf(&text, "[contexts.servers]\nuser = %q\nsecret = \"file:%s\"\n", amitest.DefaultUser, secret)
	for _, n := range l.nodes.all {
		at := n.Addr()
		if addr != nil {
			at = addr(n)
		}
		for _, c := range []string{"lab", "servers"} {
			fmt.Fprintf(&text, "[contexts.%s.nodes.%s]\nurl = \"ami://%s\"\n", c, n.Name(), at)
		}
	}
	return text.String()
}

func (l *lab) startBridge(b *bridge) {
	l.t.Helper()
	args := append([]string{"serve", "--log", "json", "--bridge", b.name}, l.storage...)
	b.process = start(l.t, "bridge "+b.name, append(l.env(b.config), l.clocks.of(b.name)), cmp.Or(l.program, amictld), args...)
}

// env is that of an amictld with a configuration.
func (l *lab) env(config string) []string {
	return []string{"HOME=" + l.dir, "AMICTL_CONFIG=" + config}
}

// run runs amictld to its end, with the configuration of a bridge, and the clock of that name.
func (l *lab) run(clock string, args ...string) (status int, out string) {
	l.t.Helper()
	c := exec.Command(cmp.Or(l.program, amictld), args...) //nolint:gosec // our own
	c.Env = append(append(c.Environ(), l.env(filepath.Join(l.dir, l.cluster+"-a.toml"))...), l.clocks.of(clock))
	text, err := c.CombinedOutput()
	if c.ProcessState == nil {
		l.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(text)
}

// read begins to read once a bridge has made the stream.
func (l *lab) read() {
	l.t.Helper()
	eventually(l.t, "a bridge has made the stream", func() bool { return infoOf(l.js, "AMI_EV_"+subject.StreamName(l.cluster)) != nil })
	l.reader = l.newReader()
}

// owned waits until each node has an owner who sends its events.
func (l *lab) owned() {
	l.t.Helper()
	eventually(l.t, "each node has an owner", func() bool {
		return l.reader.has(func(b *book) bool {
			return !slices.ContainsFunc(l.nodes.all, func(n *node) bool { return b.of(n.Name()).bridge == "" })
		})
	})
	eventually(l.t, "each owner has a session", func() bool {
		return !slices.ContainsFunc(l.nodes.all, func(n *node) bool { return n.Ledger().Logins == 0 })
	})
}

// of are the nodes that a bridge owns.
func (l *lab) of(bridge string) (all []string) {
	l.reader.has(func(b *book) bool {
		for _, n := range l.nodes.all {
			if b.of(n.Name()).bridge == bridge {
				all = append(all, n.Name())
			}
		}
		return true
	})
	return all
}

// arrived waits until a new event of each node has come.
func (l *lab) arrived(what string) {
	l.t.Helper()
	marks := make(map[string]uint64)
	for _, n := range l.nodes.all {
		marks[n.Name()] = n.sent.Load()
	}
	eventually(l.t, what, func() bool {
		return l.reader.has(func(b *book) bool {
			for name, mark := range marks {
				if b.of(name).last <= mark {
					return false
				}
			}
			return true
		})
	})
}

// settle has an event of each node come through, and then nothing is on the way. A bridge that stands by has logged in before: servers tell
// everybody of a login.
func (l *lab) settle() {
	l.t.Helper()
	if slices.Contains(l.storage, "--hot") {
		eventually(l.t, "all bridges stand by", func() bool {
			return time.Since(l.reader.latest()) > time.Second && !slices.ContainsFunc(l.nodes.all, func(n *node) bool { return n.Ledger().Sessions < len(l.bridges) })
		})
	}
	sent := time.Time{}
	eventually(l.t, "the last event of each node has come", func() bool {
		if time.Since(sent) > time.Second { // one that is lost comes in no gap before the next
			sent = time.Now()
			for _, n := range l.nodes.all {
				n.emit("")
			}
		}
		return l.reader.has(func(b *book) bool {
			return !slices.ContainsFunc(l.nodes.all, func(n *node) bool { return b.of(n.Name()).last != n.sent.Load() })
		})
	})
}

// judge settles, and wants of what was read that each event came once at most, in order, and each loss within a gap. Then it reads
// the whole stream again, by itself and by `bus verify`, which have to find the same.
func (l *lab) judge() *book {
	l.t.Helper()
	b := l.judgeRead()
	again := l.newReader()
	eventually(l.t, "the whole stream is read again", func() bool {
		return again.has(func(a *book) bool {
			return !slices.ContainsFunc(l.nodes.all, func(n *node) bool { return a.of(n.Name()).last != n.sent.Load() })
		})
	})
	ledgers := l.verify()
	for _, n := range l.nodes.all {
		first, second, ledger := b.of(n.Name()), again.finish().of(n.Name()), ledgers[n.Name()]
		if first.digest != second.digest || first.packets != second.packets {
			l.t.Errorf("%s: %d packets were read, and %d stand in the stream, or in another order", n.Name(), first.packets, second.packets)
		}
		gaps := uint64(0)
		for _, k := range first.gaps {
			gaps += k
		}
		if ledger == nil || ledger.Packets != first.packets || ledger.Gaps != gaps || ledger.Owners != first.owners || len(ledger.Faults) > 0 {
			l.t.Errorf("%s: %d packets, %d gaps and %d owners were read, and `bus verify` says %+v", n.Name(), first.packets, gaps, first.owners, ledger)
		}
	}
	return b
}

// judgeRead is judge for a stream that no longer has all that was read.
func (l *lab) judgeRead() *book {
	l.t.Helper()
	l.settle()
	b := l.reader.finish()
	for _, fault := range b.faults {
		l.t.Error(fault)
	}
	return b
}

// A ledger is what `bus verify` says of a node.
type ledger struct {
	Node                                    string
	Batches, Packets, Owners, Gaps, Dropped uint64
	Faults                                  []string
}

func (l *lab) verify() map[string]*ledger {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*patience)
	defer cancel()
	c := exec.CommandContext(ctx, amictld, "bus", "verify", "--nats", l.servers.urls(), "--cluster", l.cluster, "-o", "jsonl") //nolint:gosec // our own
	c.Env = append(c.Environ(), "HOME="+l.dir)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		l.t.Errorf("bus verify: %v", err)
	}
	all := make(map[string]*ledger)
	for text := range strings.Lines(string(out)) {
		one := &ledger{}
		if err := json.Unmarshal([]byte(text), one); err != nil {
			l.t.Fatalf("%v in %s", err, text)
		}
		all[one.Node] = one
	}
	return all
}

// A reader reads a cluster from the beginning on into a book.
type reader struct {
	conn *nats.Conn
	stop context.CancelFunc
	gone sync.WaitGroup
	err  error // valid when gone

	mu   sync.Mutex // guards what follows
	book *book
	at   time.Time // of the last record
	told func(number uint64, at time.Time)
}

func (l *lab) newReader() *reader {
	l.t.Helper()
	conn, err := nats.Connect(l.servers.urls(), nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		l.t.Fatal(err)
	}
	c, err := bus.Read(context.Background(), conn, bus.ReadOptions{Cluster: l.cluster, Start: bus.Start{All: true}})
	if err != nil {
		conn.Close()
		l.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &reader{conn: conn, stop: stop, book: newBook()}
	r.gone.Go(func() {
		defer c.Close()
		for {
			name, record, err := c.Next(ctx)
			if err != nil {
				r.err = err
				return
			}
			r.mu.Lock()
			r.at = time.Now()
			r.book.take(name, record, r.at)
			if r.told != nil {
				r.told(r.book.of(name).last, r.at)
			}
			r.mu.Unlock()
		}
	})
	l.t.Cleanup(func() {
		_ = r.finish()
		if ctx.Err() == nil {
			l.t.Errorf("the consumer ended by itself: %v", r.err)
		}
	})
	return r
}

// has looks at the book.
func (r *reader) has(is func(*book) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return is(r.book)
}

// hear tells of each record when it came, and which number the last event has.
func (r *reader) hear(told func(number uint64, at time.Time)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = told
}

// latest is when the last record came.
func (r *reader) latest() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

// finish ends the reading.
func (r *reader) finish() *book {
	r.stop()
	r.gone.Wait()
	r.conn.Close()
	return r.book
}

// A tap hears what bridges send, whether the bus takes it or not.
type tap struct {
	mu     sync.Mutex
	epochs map[string]uint64 // of each node's last owner
	late   int               // batches of an owner before that
	beats  map[string]time.Time
}

func (l *lab) tap() *tap {
	l.t.Helper()
	p := &tap{epochs: make(map[string]uint64), beats: make(map[string]time.Time)}
	for subj, hear := range map[string]nats.MsgHandler{subject.AllEvents(l.cluster): p.batch, subject.Beats(l.cluster): p.beat} {
		if _, err := l.js.Conn().Subscribe(subj, hear); err != nil {
			l.t.Fatal(err)
		}
	}
	return p
}

func (p *tap) batch(m *nats.Msg) {
	fields := strings.Split(m.Header.Get(jetstream.MsgIDHeader), ".")
	epoch, err := strconv.ParseUint(fields[max(0, len(fields)-2)], 10, 64)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if epoch < p.epochs[m.Subject] {
		p.late++
		return
	}
	p.epochs[m.Subject] = epoch
}

func (p *tap) beat(m *nats.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name, _, _ := strings.Cut(string(m.Data), "/")
	p.beats[name] = time.Now()
}

// lateBatches is how many batches were sent by who no longer owned the node.
func (p *tap) lateBatches() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.late
}

// heard reports whether a bridge has beaten since.
func (p *tap) heard(bridge string, since time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.beats[bridge].After(since)
}
