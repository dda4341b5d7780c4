package proof

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/bench"
	"github.com/apntalk/amictl/internal/cli/runtest"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// A process is an amictl that a test starts.
type process struct {
	*exec.Cmd
	t         testing.TB
	out, errs runtest.Buffer
	ended     chan struct{} // closed when it has ended
	at        time.Time     // when that was; valid once ended is closed
}

// start starts amictl on a host of a lan, or in this process's own network if that is "".
func start(t testing.TB, host string, env []string, args ...string) *process {
	t.Helper()
	program, err := exec.LookPath("amictl")
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		program, args = "ip", append([]string{"netns", "exec", host, program}, args...) // which becomes amictl
	}
	return startProgram(t, program, env, args...)
}

func startProgram(t testing.TB, program string, env []string, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(program, args...), t: t, ended: make(chan struct{})} //nolint:gosec // the test's own
	p.Env = append(append(os.Environ(), "HOME="+t.TempDir()), env...)
	p.Stdout, p.Stderr = &p.out, &p.errs
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.Wait()
		p.at = time.Now()
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("%s wrote:\n%s", strings.Join(args, " "), p.errs.String())
		}
	})
	return p
}

// status waits for the process's end and returns its exit status, -1 if a signal ended it.
func (p *process) status() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("it does not end: %s", p.errs.String())
	}
	return p.ProcessState.ExitCode()
}

// result is what it printed.
func (p *process) result() *bench.Result {
	p.t.Helper()
	<-p.ended
	var r bench.Result
	if err := json.Unmarshal([]byte(p.out.String()), &r); err != nil {
		p.t.Fatalf("%v: %s", err, p.errs.String())
	}
	return &r
}

// apart reports whether all that is wrong with a result is that workers began too far from one another, as on a busy machine.
func apart(r *bench.Result) bool {
	return len(r.Reasons) > 0 && !slices.ContainsFunc(r.Reasons, func(why string) bool { return !strings.Contains(why, "from the instant of the start") })
}

func (p *process) signal(s syscall.Signal) {
	if err := p.Process.Signal(s); err != nil {
		p.t.Errorf("%v: %v", s, err)
	}
}

// children are the processes that it started and that have not ended.
func (p *process) children() (pids []int) {
	p.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(after); len(f) > 1 && f[1] == strconv.Itoa(p.Process.Pid) && f[0] != "Z" {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// A load is a coordinator, its workers where they are not its children, and the servers.
type load struct {
	t           testing.TB
	servers     *amitest.Cluster
	coordinator *process
	workers     []*process
}

// endlessCalls make calls that nobody ends, until the load is ended.
func endlessCalls() []string {
	return []string{"--workload", "calls", "--rate", "40", "--max-calls", "1000000", "--hold", "1h", "--duration", "1h", "--every", "200ms"}
}

// servers are two that let calls last.
func servers(t testing.TB) *amitest.Cluster {
	c := amitest.NewCluster(2, amitest.WithCallTimes(10*time.Millisecond, time.Hour))
	t.Cleanup(c.Close)
	return c
}

// here is a load whose workers are the coordinator's children.
func here(t testing.TB, args ...string) *load {
	t.Helper()
	l := &load{t: t, servers: servers(t)}
	secret := filepath.Join(t.TempDir(), "secret")
	write(t, secret, amitest.DefaultSecret)
	args = append([]string{"bench", "--workers", "2", "-o", "json", "--secret-file", secret}, args...)
	for _, s := range l.servers.Servers() {
		args = append(args, "--node", "ami://admin@"+s.Addr())
	}
	l.coordinator = start(t, "", nil, args...)
	return l
}

// A way is how long messages between a worker and the coordinator take.
type way struct{ there, back time.Duration }

// elsewhere is a load on two servers of workers on hosts of their own, one for each way. The first is there before the coordinator.
func elsewhere(t testing.TB, lan *lan, ways []way, args ...string) *load {
	t.Helper()
	l := &load{t: t, servers: servers(t)}
	dir := t.TempDir()
	token, cert, key, config := filepath.Join(dir, "token"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "config.toml")
	write(t, token, "a token of the test")
	certText, keyText := runtest.Certificate(t, middleAddr)
	write(t, cert, string(certText))
	write(t, key, string(keyText))
	args = append([]string{
		"bench", "--workers", strconv.Itoa(len(ways)), "--listen", lan.addr(0) + ":4222", "--secret-file", token, "--cert", cert, "--key", key, "-o", "json", "--max-lag", "1h",
		"-n", "pbx*", "--confirm-target", "2",
	}, args...)
	write(t, filepath.Join(dir, "pbx"), amitest.DefaultSecret)
	text := "context = \"lab\"\n[contexts.lab]\nuser = \"admin\"\nsecret = \"file:pbx\"\n"
	for i, s := range l.servers.Servers() {
		text += fmt.Sprintf("[contexts.lab.nodes.pbx%d]\nurl = \"ami://%s\"\n", i+1, lan.carry(s.Addr(), false, 0, 0))
	}
	write(t, config, text)
	env := []string{"AMICTL_CONFIG=" + config}
	for i, w := range ways {
		if i == 1 { // the first worker waits for it
			soon(t, "the worker waits", func() bool { return strings.Contains(l.workers[0].errs.String(), "waiting for tls://") })
			l.coordinator = start(t, lan.hosts[0], env, args...)
			soon(t, "the coordinator listens", func() bool { return strings.Contains(l.coordinator.errs.String(), "listening at ") })
		}
		at := lan.carry(lan.addr(0)+":4222", true, w.there, w.back)
		l.workers = append(l.workers, start(t, lan.hosts[i+1], env,
			"bench", "worker", "--connect", at, "--secret-file", token, "--ca", cert, "--once", "--name", fmt.Sprintf("w%d", i+1)))
	}
	return l
}

// channels are how many there are on the servers, by their own books.
func (l *load) channels() (n int) {
	for _, s := range l.servers.Servers() {
		n += len(s.State().Channels())
	}
	return n
}

// underWay waits until calls are up, and the coordinator has figures, which is what it keeps of a worker that is lost.
func (l *load) underWay() {
	l.t.Helper()
	soon(l.t, "calls are up and figures are in", func() bool {
		select {
		case <-l.coordinator.ended:
			l.t.Fatalf("it ended: %s", l.coordinator.errs.String())
		default:
		}
		return l.channels() > 4 && strings.Contains(l.coordinator.errs.String(), "  p50 ")
	})
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}
