package proof

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A proxy carries connections to an address, until it is cut: then nothing passes either way, and no end is heard of, as when a
// cable is pulled. What is on its way comes when it is mended, unless the connections were forgotten meanwhile, as firewalls do.
type proxy struct {
	t  testing.TB
	to string
	l  net.Listener

	mu    sync.Mutex // guards what follows
	open  *sync.Cond // broadcast when cut ends
	cut   bool
	ended bool
	era   int // connections of an earlier one are forgotten
	conns map[net.Conn]bool
	gone  sync.WaitGroup
}

func newProxy(t testing.TB, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, to: to, l: l, conns: make(map[net.Conn]bool)}
	p.open = sync.NewCond(&p.mu)
	p.gone.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *proxy) addr() string { return p.l.Addr().String() }

func (p *proxy) accept() {
	for {
		near, err := p.l.Accept()
		if err != nil {
			return
		}
		p.gone.Go(func() {
			far, err := net.Dial("tcp", p.to)
			if err != nil {
				_ = near.Close()
				return
			}
			p.mu.Lock()
			p.conns[near], p.conns[far] = true, true
			era := p.era
			if p.ended {
				p.closeAll()
			}
			p.mu.Unlock()
			var both sync.WaitGroup
			both.Go(func() { p.carry(far, near, era) })
			both.Go(func() { p.carry(near, far, era) })
			both.Wait()
		})
	}
}

// carry copies what comes, each piece when the way is open.
func (p *proxy) carry(to, from net.Conn, era int) {
	defer func() { _, _ = to.Close(), from.Close() }()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if !p.pass(era) {
			return
		}
		if _, writing := to.Write(b[:n]); err != nil || writing != nil {
			return
		}
	}
}

// pass waits until the way is open; false: the end of all.
func (p *proxy) pass(era int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.ended && (p.cut || era != p.era) {
		p.open.Wait()
	}
	return !p.ended
}

// setCut cuts the way, or mends it.
func (p *proxy) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	p.open.Broadcast()
}

// forget lets nothing pass any more on the connections of now. New ones are carried.
func (p *proxy) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.era++
}

func (p *proxy) closeAll() {
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) close() {
	_ = p.l.Close()
	p.mu.Lock()
	p.ended = true
	p.closeAll()
	p.open.Broadcast()
	p.mu.Unlock()
	p.gone.Wait()
}

// What is on its way through a proxy that is cut comes when it is mended, and nothing comes before.
func TestProxy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }() // the proxy closes it
		}
	}()
	p := newProxy(t, l.Addr().String())
	echo := func(c net.Conn, text string) chan string {
		came := make(chan string, 1)
		_, _ = io.WriteString(c, text)
		go func() {
			b := make([]byte, len(text))
			_, _ = io.ReadFull(c, b)
			came <- string(b)
		}()
		return came
	}
	c, err := net.Dial("tcp", p.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if got := <-echo(c, "one"); got != "one" {
		t.Errorf("got %q", got)
	}
	p.setCut(true)
	came := echo(c, "two")
	select {
	case got := <-came:
		t.Errorf("%q came through a cut", got)
	case <-time.After(50 * time.Millisecond):
	}
	p.setCut(false)
	if got := <-came; got != "two" {
		t.Errorf("got %q", got)
	}
	p.forget()
	never := echo(c, "three")
	fresh, err := net.Dial("tcp", p.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = fresh.Close() }()
	if got := <-echo(fresh, "four"); got != "four" {
		t.Errorf("got %q", got)
	}
	select {
	case got := <-never:
		t.Errorf("%q came through what was forgotten", got)
	case <-time.After(50 * time.Millisecond):
	}
}
