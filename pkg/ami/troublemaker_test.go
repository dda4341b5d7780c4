//go:build linux

package ami_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// troublemakers, in the environment, makes this test binary one server that gives trouble, or a process that only burns
// CPU: "KIND PORT".
const troublemakers = "AMI_TROUBLEMAKER"

// floodEvents is how many events a burst of the flooding server has.
const floodEvents = 100_000

func init() { processes[troublemakers] = makeTrouble }

// makeTrouble is the other process of TestTroublesomeNodeBesideItsCPU. It does what a line on standard input tells it to
// and answers each with a line.
func makeTrouble(value string) error {
	var kind string
	var port int
	if _, err := fmt.Sscan(value, &kind, &port); err != nil {
		return err
	}
	s := &troublemaker{kind: kind}
	if kind != "burner" {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return err
		}
		defer l.Close()
		go s.accept(l)
	}
	burst := floodBurst()
	fmt.Println("serving")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var slices int
		var interval time.Duration
		var threads [2]time.Duration
		switch {
		case in.Text() == "flood":
			fmt.Println(s.flood(burst))
		case sscan(in.Text(), "burn %d %d %d %d", &slices, &interval, &threads[0], &threads[1]):
			fmt.Println(int64(burn(slices, interval, threads)))
		default:
			return fmt.Errorf("what is %q?", in.Text())
		}
	}
	return nil
}

func sscan(text, format string, args ...any) bool {
	n, err := fmt.Sscanf(text, format, args...)
	return err == nil && n == len(args)
}

// A troublemaker is a server that does next to nothing itself, so that the trouble is the client's.
type troublemaker struct {
	kind string
	mu   sync.Mutex // guards writes to conn, and conn
	conn net.Conn   // of the last session
}

func (s *troublemaker) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			if r, ok := greetAndAccept(c); ok {
				s.serve(c, r)
			}
		}()
	}
}

// serve is a session from its login on.
func (s *troublemaker) serve(c net.Conn, r *bufio.Reader) {
	switch s.kind {
	case "flap":
	case "stall":
		time.Sleep(time.Hour)
	case "trickle":
		text := "Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: drip\r\n\r\n"
		for i := 0; ; i = (i + 1) % len(text) {
			if _, err := c.Write([]byte{text[i]}); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	case "flood":
		s.mu.Lock()
		s.conn = c
		s.mu.Unlock()
		for {
			p, err := readPacket(r)
			if err != nil {
				return
			}
			s.mu.Lock()
			fmt.Fprintf(c, "Response: Success\r\nActionID: %s\r\nPing: Pong\r\n\r\n", p["ActionID"])
			s.mu.Unlock()
		}
	}
}

// floodBurst returns a burst as it goes over the wire.
func floodBurst() []byte {
	var b bytes.Buffer
	for i := range floodEvents {
		fmt.Fprintf(&b, "Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: flood\r\nChannel: PJSIP/100-0000%04x\r\nUniqueid: 1795435200.%d\r\nNum: %d\r\n\r\n", i%65536, i, i+1)
	}
	return b.Bytes()
}

// flood sends a burst as fast as the client takes it.
func (s *troublemaker) flood(burst []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return "no session"
	}
	if _, err := s.conn.Write(burst); err != nil {
		return err.Error()
	}
	return "sent"
}

// burn uses so much CPU time on each of two threads, in slices that begin an interval apart, and returns what it used.
func burn(slices int, interval time.Duration, threads [2]time.Duration) time.Duration {
	var used atomic.Int64
	start := time.Now()
	var all sync.WaitGroup
	for _, cpu := range threads {
		all.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			from, work := threadCPU(), 0
			for slice := range slices {
				time.Sleep(time.Until(start.Add(time.Duration(slice) * interval)))
				for threadCPU()-from < cpu*time.Duration(slice+1)/time.Duration(slices) {
					for n := range 2000 { // a microsecond
						work ^= n * work
					}
				}
			}
			runtime.KeepAlive(work)
			used.Add(int64(threadCPU() - from))
		})
	}
	all.Wait()
	return time.Duration(used.Load())
}

func threadCPU() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano())
}

// startTroublemaker starts one in a child process.
func startTroublemaker(t *testing.T, kind string, port int) *serverProcess {
	t.Helper()
	return startProcess(t, "", troublemakers, fmt.Sprintf("%s %d", kind, port))
}

// cpu returns the CPU time that the process has used, to the nanosecond: /proc counts in ticks of 10 ms, as much as a burst costs.
func (p *serverProcess) cpu() time.Duration {
	p.t.Helper()
	var used unix.Timespec
	clock := ^int32(p.cmd.Process.Pid)<<3 | 2 // as clock_getcpuclockid(3) makes it
	if err := unix.ClockGettime(clock, &used); err != nil {
		p.t.Fatal(err)
	}
	return time.Duration(used.Nano())
}

// ownCPU returns the CPU time that this process has used.
func ownCPU() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
