package proof

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/shapes"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// receipt is when a line's event was received: the one thing in which two sessions' lines may differ.
var receipt = regexp.MustCompile(`"time":"[^"]*","ts":[0-9.]+`)

// `tail` prints the same over the bus as from the servers, byte for byte but for the time of receipt, and each node's events in the same
// order: events of many shapes, and whatever else somebody may send.
func TestTailIsTheSame(t *testing.T) {
	t.Parallel()
	const events = 100_000
	l := newLab(t, startServers(t, 1, "").start(), 3)
	a := l.bridge("a", "", nil)
	l.read()
	l.owned()
	out := func(name string) string { return filepath.Join(l.dir, name) }
	tail := func(name string, args ...string) *process {
		args = append([]string{"-c", `exec "$0" "$@" >"$OUT"`, amictld, "tail", "-o", "jsonl", "-q", "--where", "Event!=FullyBooted", "--where", "Privilege!=security,all", "--count", strconv.Itoa(events)}, args...)
		return start(t, name, append(l.env(a.config), "OUT="+out(name)), "sh", args...)
	}
	bus := tail("bus", "-C", "lab")
	direct := tail("direct", "-C", "servers", "--all")
	eventually(t, "both are there", func() bool {
		for _, n := range l.nodes.all {
			if n.Ledger().Logins < 2 {
				return false
			}
		}
		info := infoOf(l.js, stream)
		return info != nil && info.State.Consumers >= 2
	})
	sendShapes(l.nodes, events)
	for _, p := range []*process{bus, direct} {
		if status := p.end(); status != 0 {
			t.Fatalf("%s ended with %d", p.name, status)
		}
	}
	first, second := byNode(t, out("direct")), byNode(t, out("bus"))
	lines := 0
	for name, want := range first {
		got := second[name]
		lines += len(want)
		for i := range want {
			if i >= len(got) || !bytes.Equal(want[i], got[i]) {
				t.Fatalf("%s, line %d: from the server\n%s\nover the bus\n%s", name, i+1, want[i], append(got, nil)[min(i, len(got))])
			}
		}
	}
	if lines != events || len(first) != len(l.nodes.all) {
		t.Errorf("%d lines of %d nodes", lines, len(first))
	}
	t.Logf("FIGURES tail printed %d lines of %d nodes from the servers and over the bus: the same bytes, but for the time of receipt", lines, len(first))
}

// sendShapes has each node send its share of so many events, of all shapes there are.
func sendShapes(s *nodes, events int) {
	var packets []string
	for _, one := range shapes.All() {
		packets = append(packets, one.Packets()...)
	}
	for i := range events {
		s.all[i%len(s.all)].EmitRaw(amitest.ClassNone, []byte(packets[i/len(s.all)%len(packets)]))
		if i%1000 == 999 {
			time.Sleep(10 * time.Millisecond) // both sessions are to keep up
		}
	}
}

// byNode reads the lines of a tail, without the time of receipt.
func byNode(t *testing.T, path string) map[string][][]byte {
	t.Helper()
	f, err := os.Open(path) //nolint:gosec // our own
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	all := make(map[string][][]byte)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct{ Node string }
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, lines.Bytes())
		}
		all[line.Node] = append(all[line.Node], receipt.ReplaceAll(lines.Bytes(), nil))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
