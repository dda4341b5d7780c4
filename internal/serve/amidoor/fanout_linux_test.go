package amidoor_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// What events cost a server that many clients listen to, by sessions of their own and through the door, in one run. scripts/fanout
// sets it up: a real Asterisk or a simulator in a process of its own, and amictld. It compares figures of the same minute alone,
// and holds what docs/PERFORMANCE.md says of a real Asterisk.
func BenchmarkFanOut(b *testing.B) {
	clients, err := strconv.Atoi(os.Getenv("AMICTL_FANOUT_CLIENTS"))
	if err != nil {
		b.Skip("SKIPPED: scripts/fanout sets up what it measures")
	}
	server, pid := os.Getenv("AMICTL_FANOUT_SERVER"), os.Getenv("AMICTL_FANOUT_SERVER_PID")
	door, daemon := startDaemon(b, server)
	through := fanOut{clients: clients, at: door, source: server, pids: []string{pid, daemon}, time: fanOutTime, size: fanOutSize}.run(b)
	b.Logf("%d through the door: server %.3f core, serve %.2f core, p50 %s, p99 %s, %d of %d events", clients, through.cores[0], through.cores[1], through.p50, through.p99, through.events, through.expected)
	direct := fanOut{clients: clients, at: server, source: server, pids: []string{pid}, time: fanOutTime, size: fanOutSize}.run(b)
	b.Logf("%d sessions of their own: server %.2f core, p50 %s, p99 %s, %d of %d events", clients, direct.cores[0], direct.p50, direct.p99, direct.events, direct.expected)
	b.Logf("the server's CPU 1/%.0f, p99 1/%.0f", direct.cores[0]/through.cores[0], float64(direct.p99)/float64(through.p99))
	if through.events != through.expected {
		b.Errorf("%d of %d events came", through.events, through.expected)
	}
	if os.Getenv("AMICTL_FANOUT_BOUNDS") == "1" && (through.cores[0] > direct.cores[0]/15 || through.p99 > direct.p99/20 || through.cores[1] > 0.6) {
		b.Error("more than 1/15 of the CPU, 1/20 of the p99, or 0.6 core")
	}
}

// What a client that never reads costs the others: 15 pairs of runs, one after the other, without it and with it.
func BenchmarkStuckPairs(b *testing.B) {
	if os.Getenv("AMICTL_FANOUT_STUCK") != "1" {
		b.Skip("SKIPPED: scripts/fanout --stuck sets up what it measures")
	}
	server := os.Getenv("AMICTL_FANOUT_SERVER")
	door, daemon := startDaemon(b, server)
	f := fanOut{clients: 20, at: door, source: server, pids: []string{daemon}, time: 3 * time.Second, size: 4000}
	var ratios []float64
	for range 15 {
		f.stuck = false
		alone := f.run(b)
		f.stuck = true
		beside := f.run(b)
		ratios = append(ratios, float64(beside.p99)/float64(alone.p99))
		b.Logf("p99 alone %s, beside one that is stuck %s", alone.p99, beside.p99)
		if beside.events != beside.expected {
			b.Errorf("%d of %d events came", beside.events, beside.expected)
		}
	}
	slices.Sort(ratios)
	b.Logf("the median of %d pairs is %.2f, from %.2f to %.2f", len(ratios), ratios[len(ratios)/2], ratios[0], ratios[len(ratios)-1])
	if ratios[len(ratios)/2] > 1.3 {
		b.Error("others wait for a client that is stuck")
	}
}

const fanOutUser = "admin"

// startDaemon starts amictld with an AMI door before a server and returns the door's address and the daemon's pid.
func startDaemon(t testing.TB, server string) (addr, pid string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	_ = l.Close()
	config := filepath.Join(t.TempDir(), "config.toml")
	text := fmt.Sprintf("[contexts.lab]\nuser = %q\nsecret = \"env:LAB_SECRET\"\n[contexts.lab.nodes.pbx]\nurl = \"ami://%s\"\n"+
		"[[users]]\nname = %q\nsecret = \"env:LAB_SECRET\"\nevents = [\"*\"]\nactions = [\"*\"]\n", fanOutUser, server, fanOutUser)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Getenv("AMICTLD"), "--config", config, "-C", "lab", "serve", "--ami", addr)
	cmd.Env = append(os.Environ(), "LAB_SECRET="+labSecret())
	cmd.Stderr = io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	for range 100 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			_ = conn.Close()
			return addr, strconv.Itoa(cmd.Process.Pid)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the daemon does not listen")
	return "", ""
}

// A fanOut is a number of clients that listen at an address to UserEvents that a server sends.
type fanOut struct {
	clients    int
	at, source string
	pids       []string // whose CPU is measured
	time       time.Duration
	size       int  // bytes of an event, about
	stuck      bool // one client more never reads
}

type fanOutResult struct {
	cores            []float64
	p50, p99         time.Duration
	events, expected uint64
}

const (
	fanOutRate = 300 // events a second
	fanOutTime = 10 * time.Second
	fanOutSize = 600 // bytes
)

func (f fanOut) run(t testing.TB) fanOutResult {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	total := hdrhistogram.New(1, int64(time.Minute), 3)
	conns := make([]net.Conn, f.clients)
	for i := range conns {
		conns[i] = logIn(t, f.at, "user")
		all.Go(func() {
			h := hdrhistogram.New(1, int64(time.Minute), 3)
			listen(conns[i], func(d time.Duration) { _ = h.RecordValue(int64(d)) })
			mu.Lock()
			defer mu.Unlock()
			total.Merge(h)
		})
	}
	if f.stuck {
		stuck := logIn(t, f.at, "user")
		defer stuck.Close()
	}
	sender := logIn(t, f.source, "off")
	go func() { _, _ = io.Copy(io.Discard, sender) }()
	defer sender.Close()
	time.Sleep(time.Second)
	before, start := cpu(t, f.pids), time.Now()
	pad := strings.Repeat("Pad: "+strings.Repeat("x", 493)+"\r\n", max(1, f.size/500))
	sent := 0
	for n := 0; time.Since(start) < f.time; n++ {
		time.Sleep(time.Until(start.Add(time.Duration(n) * time.Second / fanOutRate)))
		_, err := fmt.Fprintf(sender, "Action: UserEvent\r\nUserEvent: Load\r\nStamp: %d\r\n%s\r\n", time.Now().UnixNano(), pad)
		if err != nil {
			t.Fatal(err)
		}
		sent++
	}
	took := time.Since(start).Seconds()
	after := cpu(t, f.pids)
	time.Sleep(f.time / 3) // what is late counts, too
	for _, c := range conns {
		_ = c.Close()
	}
	all.Wait()
	r := fanOutResult{
		p50: time.Duration(total.ValueAtQuantile(50)), p99: time.Duration(total.ValueAtQuantile(99)),
		events: uint64(total.TotalCount()), expected: uint64(sent * f.clients),
	}
	for i := range f.pids {
		r.cores = append(r.cores, (after[i]-before[i])/took)
	}
	return r
}

// logIn logs in, and returns when the answer is there.
func logIn(t testing.TB, addr, events string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = fmt.Fprintf(conn, "Action: Login\r\nUsername: %s\r\nSecret: %s\r\nEvents: %s\r\n\r\n", fanOutUser, labSecret(), events)
	buf := make([]byte, 4096)
	for got := ""; !strings.Contains(got, "Authentication accepted\r\n\r\n"); {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got += string(buf[:n])
	}
	return conn
}

// listen tells how old each event with a Stamp is when it comes, until the connection ends.
func listen(conn net.Conn, tell func(time.Duration)) {
	mark := []byte("\nStamp: ")
	buf, have := make([]byte, 64<<10), 0
	for {
		n, err := conn.Read(buf[have:])
		if err != nil {
			return
		}
		now := time.Now().UnixNano()
		data := buf[:have+n]
		for {
			at := bytes.Index(data, mark)
			end := -1
			if at >= 0 {
				end = bytes.IndexByte(data[at+len(mark):], '\r')
			}
			if end < 0 {
				break
			}
			if stamp, err := strconv.ParseInt(string(data[at+len(mark):at+len(mark)+end]), 10, 64); err == nil {
				tell(time.Duration(now - stamp))
			}
			data = data[at+len(mark)+end:]
		}
		have = copy(buf, data[max(0, len(data)-64):])
	}
}

// cpu returns the seconds of CPU that processes have used.
func cpu(t testing.TB, pids []string) (seconds []float64) {
	t.Helper()
	for _, pid := range pids {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		ticks := 0.0
		for _, i := range []int{11, 12} { // utime, stime
			n, _ := strconv.ParseFloat(fields[i], 64)
			ticks += n
		}
		seconds = append(seconds, ticks/100)
	}
	return seconds
}
