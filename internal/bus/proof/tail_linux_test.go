package proof

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// A tailed is a tail whose lines go to a file. It may be started again, as a durable.
type tailed struct {
	*process
	l        *lab
	path     string
	flags    []string
	restarts int
}

// tailed begins one, and waits until something has come.
func (l *lab) tailed(name string, flags ...string) *tailed {
	l.t.Helper()
	p := &tailed{l: l, path: filepath.Join(l.dir, name+".jsonl"), flags: flags}
	p.begin(name)
	eventually(l.t, name+" prints events", func() bool { return len(p.numbers()) == len(l.nodes.all) })
	return p
}

func (p *tailed) begin(name string) {
	l := p.l
	args := append([]string{"-c", `exec "$0" "$@" >>"$OUT"`, cmp.Or(l.program, amictld), "tail", numbered, "-q", "-o", "jsonl", "--nats", l.servers.urls(), "--cluster", l.cluster}, p.flags...)
	p.process = start(l.t, name, []string{"HOME=" + l.dir, "OUT=" + p.path, l.clocks.of(name)}, "sh", args...)
}

// again goes on with a durable whose reader was killed: what it did not acknowledge comes again, and its last line may be cut off.
func (p *tailed) again() {
	p.l.t.Helper()
	f, err := os.OpenFile(p.path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString("\n")
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		p.l.t.Fatal(err)
	}
	p.restarts++
	p.begin(p.name)
}

func (p *tailed) numbers() map[string][]uint64 {
	f, err := os.Open(p.path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	all, err := numbersIn(f)
	if err != nil {
		p.t.Error(err)
	}
	return all
}

// judge waits for the last event of each node, and wants each that came to be right behind the one before, but for gaps, and for what comes
// again to a durable that was killed.
func (p *tailed) judge() {
	p.t.Helper()
	var all map[string][]uint64
	eventually(p.t, p.name+" has the last event", func() bool {
		all = p.numbers()
		return !slices.ContainsFunc(p.l.nodes.all, func(n *node) bool {
			numbers := all[n.Name()]
			return len(numbers) == 0 || numbers[len(numbers)-1] != n.sent.Load()
		})
	})
	p.l.reader.has(func(b *book) bool {
		for name, numbers := range all {
			gaps, last := b.of(name).gaps["disconnect"] > 1, numbers[0]-1
			for _, n := range numbers {
				if n <= last && p.restarts == 0 || n > last+1 && !gaps {
					p.t.Errorf("%s: %s: %d comes behind %d", p.name, name, n, last)
					break
				}
				last = max(last, n)
			}
		}
		return true
	})
}

// numbersIn are the numbers of a tail's events, by node.
func numbersIn(lines io.Reader) (all map[string][]uint64, err error) {
	all = make(map[string][]uint64)
	in := bufio.NewScanner(lines)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var line struct {
			Type, Node string
			Fields     struct{ N string }
		}
		if json.Unmarshal(in.Bytes(), &line) != nil { // the process was killed in it, or has yet to write the rest
			continue
		}
		if line.Type == "event" {
			n, err := strconv.ParseUint(line.Fields.N, 10, 64)
			if err != nil {
				return all, err
			}
			all[line.Node] = append(all[line.Node], n)
		}
	}
	return all, in.Err()
}
