package proof

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/skip"
)

// A disk is a small file system of its own, which only programs that are started within it see. It goes with the test.
type disk struct {
	holder *process
	dir    string
}

func newDisk(t testing.TB, bytes int) *disk {
	t.Helper()
	skip.UnlessRoot(t)
	d := &disk{dir: t.TempDir()}
	d.holder = start(t, "disk", nil, "unshare", "--mount", "sh", "-c", `mount -t tmpfs -o size="$1" proof "$2" && echo ready >&2 && exec cat`, "disk", strconv.Itoa(bytes), d.dir)
	eventually(t, "there is a disk", func() bool {
		select {
		case <-d.holder.ended:
			skip.Loudly(t, "no file system can be mounted: "+d.holder.tail(1))
		default:
		}
		return d.holder.wrote("ready")
	})
	return d
}

// within is what starts a program within.
func (d *disk) within() []string {
	return []string{"nsenter", fmt.Sprintf("--mount=/proc/%d/ns/mnt", d.holder.Process.Pid), "--"}
}

// resize makes it larger.
func (d *disk) resize(t testing.TB, bytes int64) {
	t.Helper()
	args := append(d.within()[1:], "mount", "-o", "remount,size="+strconv.FormatInt(bytes, 10), d.dir)
	if out, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil { //nolint:gosec // our own
		t.Fatalf("%v: %s", err, out)
	}
}

// noise is a text that nothing packs.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('!' + rand.IntN(90))
	}
	return string(b)
}

// The disk of the bus is full: the bridge says so soon, goes on reading, and when there is room and a server again, what waited
// is stored. What it had no room for is counted.
func TestDiskFull(t *testing.T) {
	d := newDisk(t, 24<<20)
	s := startServers(t, 1, fmt.Sprintf("jetstream { store_dir: %q, max_file_store: 20G }", d.dir))
	s.all["s1"].within = d.within()
	l := newLab(t, s.start(), 4)
	a := l.bridge("a", "", nil)
	l.read()
	l.owned()
	stop := l.nodes.emitting(4000, noise(2000))
	t.Cleanup(stop)
	var alarm time.Time
	eventually(t, "the bridge says that the bus takes nothing", func() bool {
		if told := a.told("the bus does not take a batch; it is tried again"); len(told) > 0 {
			alarm = at(t, told[0])
		}
		return !alarm.IsZero()
	})
	var stood time.Time // since when the consumer got nothing
	eventually(t, "nothing comes", func() bool { stood = l.reader.latest(); return time.Since(stood) > 2*time.Second })
	waited := alarm.Sub(stood)
	if waited > 5*time.Second {
		t.Errorf("nothing was stored any more, and the bridge said so after %s", waited)
	}
	time.Sleep(times(time.Second, 10*time.Second))
	sent, files := l.nodes.sent(), l.stored(d)
	d.resize(t, 2<<30)
	s.kill("s1")
	s.start()
	l.arrived("events go on when there is room")
	stop()
	b := l.judge()
	if b.sum(func(a *account) uint64 { return a.owners }) != 4 {
		t.Error("nodes changed their owner")
	}
	t.Logf("FIGURES the disk was full with %d MiB, and the bridge said so after %.1f s; of %d events until there was room, and %d behind, 0 came twice, %s", files>>20, waited.Seconds(), sent, l.nodes.sent()-sent, b)
}

// stored is how many bytes a disk has.
func (l *lab) stored(d *disk) (n int64) {
	root := fmt.Sprintf("/proc/%d/root", d.holder.Process.Pid)
	_ = filepath.WalkDir(filepath.Join(root, d.dir), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil //nolint:nilerr // it has gone
		}
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	return n
}

// While the bus is away, a bridge keeps so much in memory, and no more: the oldest events are dropped, and counted to the last.
func TestOverflow(t *testing.T) {
	t.Parallel()
	l, stop := oneBridge(t)
	stop()
	l.settle()
	l.servers.kill("s1")
	n := l.nodes.all[0]
	const more = 2<<20 + 200_000
	for range more {
		n.emit("")
		if n.sent.Load()%1000 == 0 {
			time.Sleep(10 * time.Millisecond) // 100,000 a second: the session is to keep up
		}
	}
	l.servers.start()
	b := l.judge()
	a := b.of(n.Name())
	t.Logf("FIGURES a bus was away for %d events of one node: %s", more, b)
	if a.gaps["overflow"] != 1 || b.sum(func(a *account) uint64 { return a.lost }) == 0 {
		t.Errorf("an overflow was to be there: %v", a.gaps)
	}
}
