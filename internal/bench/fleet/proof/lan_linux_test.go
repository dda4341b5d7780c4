package proof

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/apntalk/amictl/internal/skip"
)

// A lan is hosts that are network namespaces, each with a link to one in the middle. The one in the middle forwards nothing:
// from host to host the only way is a proxy in it, which can delay what it carries.
type lan struct {
	t      testing.TB
	middle string
	hosts  []string
}

// middleAddr is where the middle is found, by every host.
const middleAddr = "10.214.250.1"

// newLAN makes so many hosts.
func newLAN(t testing.TB, hosts int) *lan {
	t.Helper()
	skip.UnlessRoot(t)
	if _, err := exec.LookPath("ip"); err != nil {
		skip.Loudly(t, "there is no ip (iproute2)")
	}
	lans.Lock()
	lans.n++
	id := fmt.Sprintf("amif%d-%d-", os.Getpid(), lans.n)
	lans.Unlock()
	l := &lan{t: t, middle: id + "m"}
	t.Cleanup(l.remove)
	if out, err := exec.Command("ip", "netns", "add", l.middle).CombinedOutput(); err != nil { //nolint:gosec // the test's own
		skip.Loudly(t, "this kernel gives no network namespaces: "+string(out))
	}
	l.ip("-n", l.middle, "link", "set", "lo", "up")
	l.ip("-n", l.middle, "addr", "add", middleAddr+"/32", "dev", "lo")
	for k := range hosts {
		host := id + fmt.Sprint(k)
		l.hosts = append(l.hosts, host)
		l.ip("netns", "add", host)
		l.ip("link", "add", link(k), "netns", l.middle, "type", "veth", "peer", "name", "eth0", "netns", host)
		l.ip("-n", l.middle, "addr", "add", fmt.Sprintf("10.214.%d.1/24", k), "dev", link(k))
		l.ip("-n", host, "addr", "add", l.addr(k)+"/24", "dev", "eth0")
		l.ip("-n", host, "link", "set", "lo", "up")
		l.ip("-n", host, "link", "set", "eth0", "up")
		l.mend(k)
		l.ip("-n", host, "route", "add", "default", "via", fmt.Sprintf("10.214.%d.1", k))
	}
	return l
}

// lans counts them, for their names.
var lans struct {
	sync.Mutex
	n int
}

func (l *lan) ip(args ...string) {
	l.t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		l.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

func link(host int) string { return fmt.Sprintf("to%d", host) }

// addr is where a host is found, from the middle.
func (l *lan) addr(host int) string { return fmt.Sprintf("10.214.%d.2", host) }

// cut cuts a host off: what it sends, and what is sent to it, comes nowhere, and nobody is told.
func (l *lan) cut(host int) { l.ip("-n", l.middle, "link", "set", link(host), "down") }

func (l *lan) mend(host int) { l.ip("-n", l.middle, "link", "set", link(host), "up") }

func (l *lan) remove() {
	for _, ns := range append([]string{l.middle}, l.hosts...) {
		_ = exec.Command("ip", "netns", "del", ns).Run() //nolint:gosec // the test's own; the links go with it
	}
}

// inMiddle calls f with the network of the middle.
func (l *lan) inMiddle(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- within(l.middle, f) }()
	return <-done
}

// within calls f with another network. The thread is given back with its own: if it ended here, processes that it started, whoever
// asked it to, would be killed (Pdeathsig).
func within(ns string, f func() error) error {
	runtime.LockOSThread()
	own, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(own) }()
	other, err := unix.Open("/run/netns/"+ns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	err = unix.Setns(other, unix.CLONE_NEWNET)
	_ = unix.Close(other)
	if err == nil {
		err = f()
	}
	if back := unix.Setns(own, unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back) // and the thread ends
	}
	runtime.UnlockOSThread()
	return err
}

// A hop is a proxy in the middle.
type hop struct {
	there, back time.Duration // how long what it carries takes, beyond what the machine takes
	dial        func() (net.Conn, error)

	mu    sync.Mutex
	conns []net.Conn // guarded by mu
	ended bool       // guarded by mu
	gone  sync.WaitGroup
}

// carry has whoever connects to a port of the middle's reach another address: one beyond the middle, or of this process's own
// network.
func (l *lan) carry(to string, beyond bool, there, back time.Duration) (addr string) {
	l.t.Helper()
	h := &hop{there: there, back: back, dial: func() (net.Conn, error) { return net.Dial("tcp", to) }}
	if beyond {
		h.dial = func() (c net.Conn, err error) {
			err = l.inMiddle(func() error { c, err = net.DialTimeout("tcp", to, patience); return err })
			return c, err
		}
	}
	var listener net.Listener
	if err := l.inMiddle(func() (err error) { listener, err = net.Listen("tcp", middleAddr+":0"); return err }); err != nil {
		l.t.Fatal(err)
	}
	h.gone.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			h.gone.Go(func() { h.join(near) })
		}
	})
	l.t.Cleanup(func() {
		_ = listener.Close()
		h.end()
		h.gone.Wait()
	})
	return listener.Addr().String()
}

func (h *hop) join(near net.Conn) {
	defer func() { _ = near.Close() }()
	far, err := h.dial()
	if err != nil || !h.keep(near, far) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { delay(far, near, h.there) })
	both.Go(func() { delay(near, far, h.back) })
	both.Wait()
}

// keep notes connections that have to be closed at the end; false: it is here.
func (h *hop) keep(conns ...net.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conns = append(h.conns, conns...)
	if h.ended {
		h.closeAll()
	}
	return !h.ended
}

func (h *hop) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	h.closeAll()
}

func (h *hop) closeAll() {
	for _, c := range h.conns {
		_ = c.Close()
	}
}

// delay copies what comes, each piece so long after it came.
func delay(to, from net.Conn, by time.Duration) {
	type piece struct {
		due  time.Time
		data []byte
		err  error
	}
	pieces := make(chan piece, 1<<12)
	go func() {
		defer close(pieces)
		for {
			b := make([]byte, 32<<10)
			n, err := from.Read(b)
			pieces <- piece{time.Now().Add(by), b[:n], err}
			if err != nil {
				return
			}
		}
	}()
	var broken error
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if broken == nil {
			_, broken = to.Write(p.data)
		}
		if broken = errors.Join(broken, p.err); broken != nil {
			_, _ = to.Close(), from.Close()
		}
	}
}
