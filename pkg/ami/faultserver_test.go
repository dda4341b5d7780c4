//go:build linux

package ami_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// faultServers, in the environment, makes this test binary a process of simulated servers: "COUNT HOST PORT", the ports
// counting up from PORT.
const faultServers = "AMI_FAULT_SERVERS"

func init() { processes[faultServers] = serveFaults }

// serveFaults is the other process of those that stop, kill and cut off a server. It emits counted events, writes its
// ledgers when a line arrives on standard input, and ends with that.
func serveFaults(value string) error {
	var count, port int
	var host string
	if _, err := fmt.Sscan(value, &count, &host, &port); err != nil {
		return err
	}
	var servers []*amitest.Server
	for i := range count {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port+i)))
		if err != nil {
			return err
		}
		s := amitest.NewServer(amitest.WithoutListener(), amitest.WithSettings(amitest.Settings{WriteTimeout: 10 * time.Second}))
		defer s.Close()
		s.Serve(l)
		servers = append(servers, s)
	}
	stop := make(chan struct{})
	emitted := make(chan struct{})
	go func() {
		defer close(emitted)
		for tick := 1; ; tick++ { // counted here: the servers' own numbers count the events of logins too, which nobody here sees
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				for _, s := range servers {
					s.EmitEvent("UserEvent", "UserEvent", "tick", "Tick", strconv.Itoa(tick))
				}
			}
		}
	}()
	fmt.Println("serving")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var sum amitest.Ledger
		for _, s := range servers {
			l := s.Ledger()
			sum.ActionsReceived += l.ActionsReceived
			sum.RepliesSent += l.RepliesSent
			sum.EventsEmitted += l.EventsEmitted
		}
		if err := json.NewEncoder(os.Stdout).Encode(sum); err != nil {
			return err
		}
	}
	close(stop)
	<-emitted
	return nil
}

// A serverProcess is a child process with simulated servers in it.
type serverProcess struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines *bufio.Scanner
	in    interface{ Close() error }
	ask   func(line string) error
}

// startServers starts count servers in a child process, in a network namespace unless netns is "".
func startServers(t *testing.T, netns string, count int, host string, port int) *serverProcess {
	t.Helper()
	return startProcess(t, netns, faultServers, fmt.Sprintf("%d %s %d", count, host, port))
}

// startProcess starts one of the processes and waits until it says that it serves.
func startProcess(t testing.TB, netns, variable, value string) *serverProcess {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{self}
	if netns != "" {
		args = []string{"ip", "netns", "exec", netns, self}
	}
	cmd := exec.Command(args[0], args[1:]...) //nolint:gosec // the test binary itself
	cmd.Env = append(os.Environ(), variable+"="+value)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &serverProcess{t: t, cmd: cmd, in: in, lines: bufio.NewScanner(out)}
	p.ask = func(line string) error { _, err := in.Write([]byte(line + "\n")); return err }
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for p.lines.Scan() {
		if p.lines.Text() == "serving" {
			return p
		}
		t.Log(p.lines.Text())
	}
	t.Fatal("the server process did not start")
	return nil
}

// ledger asks for the sum of the servers' own ledgers.
func (p *serverProcess) ledger() (l amitest.Ledger) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(p.tell("ledger")), &l); err != nil {
		p.t.Fatal(err)
	}
	return l
}

// tell gives the process a line and returns its answer.
func (p *serverProcess) tell(format string, args ...any) string {
	p.t.Helper()
	if err := p.ask(fmt.Sprintf(format, args...)); err != nil || !p.lines.Scan() {
		p.t.Fatalf("the process is gone: %v", err)
	}
	return strings.TrimSpace(p.lines.Text())
}

func (p *serverProcess) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the process as a power cut would.
func (p *serverProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// end lets the process finish.
func (p *serverProcess) end() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// canListen reports whether a port of the loopback is free.
func canListen(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}
