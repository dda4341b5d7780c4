//go:build linux

package ami_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// BenchmarkRealServer is Pings on a real Asterisk: a socket that pipelines them, Do with as many callers as that has in flight, and
// a batch. An operation is one round of all three, so that they meet the same minutes; the ratios are medians of rounds. It is skipped
// where no lab is up:
//
//	eval "$(scripts/asterisk-lab up 22 >&2; scripts/asterisk-lab env 22)"
//	go test ./pkg/ami -run '^$' -bench RealServer -benchtime 9x
func BenchmarkRealServer(b *testing.B) {
	for _, version := range []string{"22", "16"} {
		for _, window := range []int{64, 256} {
			b.Run(fmt.Sprintf("%s/%d", version, window), func(b *testing.B) {
				l := lab{version: version}
				if l.env("ADDR") == "" {
					b.Skipf("SKIPPED: no real Asterisk %s: eval \"$(scripts/asterisk-lab env %s)\"", version, version)
				}
				benchRealServer(b, l, window)
			})
		}
	}
}

// A pace is what so many actions took.
type pace struct{ rate, processor float64 }

// realActions is how many Pings one kind of client sends in a round.
const realActions = 20_000

func benchRealServer(b *testing.B, l lab, window int) {
	kinds := []struct {
		name string
		run  func(testing.TB, lab, int)
	}{{"raw", realRaw}, {"do", realDo}, {"batch", realBatch}}
	rates, processors := make(map[string][]float64), make(map[string][]float64)
	var raw pace
	for range b.N {
		for _, k := range kinds {
			used, start := processorTime(b), time.Now()
			k.run(b, l, window)
			took := pace{realActions / time.Since(start).Seconds(), float64(processorTime(b)-used) / realActions}
			if k.name == "raw" {
				raw = took
			}
			rates[k.name] = append(rates[k.name], took.rate/raw.rate)
			processors[k.name] = append(processors[k.name], took.processor/raw.processor)
		}
	}
	b.ReportMetric(raw.rate, "raw/s")
	for _, k := range kinds[1:] {
		b.ReportMetric(median(rates[k.name]), k.name+"/raw")
		b.ReportMetric(median(processors[k.name]), k.name+"-cpu/raw")
	}
}

// processorTime is what the process has used so far, of all cores.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// realRaw pipelines encoded Pings on a bare socket, and counts the lines of the answers.
func realRaw(tb testing.TB, l lab, window int) {
	nc, err := net.Dial("tcp", l.env("ADDR"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	_, _ = io.WriteString(nc, "Action: Login\r\nUsername: admin\r\nSecret: "+l.env("SECRET_ADMIN")+"\r\nEvents: off\r\n\r\n")
	buf := make([]byte, 64<<10)
	for login := []byte(nil); !bytes.Contains(login, []byte("\r\n\r\n")); {
		n, err := nc.Read(buf)
		if err != nil {
			tb.Fatal(err)
		}
		login = append(login, buf[:n]...)
	}
	var out []byte
	for sent, lines := 0, 0; lines < 5*realActions; {
		for ; sent < realActions && sent < lines/5+window; sent++ {
			out = append(out, "Action: Ping\r\nActionID: 1-0123456789abcdef0123-"...)
			out = append(strconv.AppendInt(out, int64(sent%window), 16), ".1\r\n\r\n"...)
		}
		if _, err := nc.Write(out); err != nil {
			tb.Fatal(err)
		}
		out = out[:0]
		n, err := nc.Read(buf)
		if err != nil {
			tb.Fatal(err)
		}
		lines += bytes.Count(buf[:n], []byte("\n"))
	}
}

// realSession is a session without events, whose ledger must be exact at its end.
func realSession(tb testing.TB, l lab) (c *ami.Conn, end func()) {
	cfg := l.config("admin")
	cfg.Events = "off"
	c, err := ami.Dial(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return c, func() {
		if books := c.Stats().Ledger; !books.Exact() || books.Replied != realActions {
			tb.Errorf("the ledger is not exact: %+v", books)
		}
		_ = c.Close()
	}
}

// realDo has as many callers as the window is wide.
func realDo(tb testing.TB, l lab, callers int) {
	c, end := realSession(tb, l)
	defer end()
	var next atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for next.Add(1) <= realActions {
				if _, err := c.Do(tb.Context(), ami.NewAction("Ping")); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

func realBatch(tb testing.TB, l lab, window int) {
	c, end := realSession(tb, l)
	defer end()
	var batch ami.Batch[struct{}]
	for sent, ended := 0, 0; ended < realActions; ended++ {
		for ; sent < realActions && sent < ended+window; sent++ {
			if err := batch.Submit(tb.Context(), c, ami.NewAction("Ping"), struct{}{}); err != nil {
				tb.Fatal(err)
			}
		}
		if r, err := batch.NextBorrowed(tb.Context()); err != nil || r.Err != nil {
			tb.Fatal(err, r)
		}
	}
}
