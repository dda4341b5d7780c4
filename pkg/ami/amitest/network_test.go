package amitest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func dialMem(t *testing.T, n *Network, addr string) net.Conn {
	t.Helper()
	c, err := n.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A client that reads nothing is dropped after the write timeout, with the last
// packet cut short.
func TestSlowReaderKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		n.SetBuffer(5000)
		s := NewServer(WithNetwork(n), WithName("pbx1"))
		defer s.Close()
		c := wrap(t, dialMem(t, n, "pbx1:5038"))
		c.line()
		c.login("on")
		synctest.Wait()
		start := time.Now()
		s.EmitEvent("Big", "Body", strings.Repeat("x", 20000))
		time.Sleep(time.Second)
		l := s.Ledger()
		if l.SlowReaders != 1 || l.Sessions != 0 {
			t.Fatalf("slow readers %d, sessions %d", l.SlowReaders, l.Sessions)
		}
		_ = c.conn.SetReadDeadline(time.Time{})
		rest, err := io.ReadAll(c.r)
		if err != nil || strings.HasSuffix(string(rest), "\r\n\r\n") || len(rest) < 4000 {
			t.Errorf("read %d bytes, %v, wanted a packet cut short", len(rest), err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestAuthTimeoutIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		s := NewServer(WithNetwork(n), WithName("pbx1"))
		defer s.Close()
		c := dialMem(t, n, "pbx1:5038")
		start := time.Now()
		got, err := io.ReadAll(c)
		if err != nil || string(got) != "Asterisk Call Manager/11.0.0\r\n" {
			t.Errorf("read %q, %v", got, err)
		}
		if d := time.Since(start); d != defaultAuthTimeout {
			t.Errorf("closed after %v", d)
		}
	})
}

func TestAuthLimitIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		s := NewServer(WithNetwork(n), WithName("pbx1"), WithSettings(Settings{AuthLimit: 1}))
		defer s.Close()
		dialMem(t, n, "pbx1:5038")
		synctest.Wait()
		got, err := io.ReadAll(dialMem(t, n, "pbx1:5038"))
		if err != nil || len(got) != 0 {
			t.Errorf("read %q, %v", got, err)
		}
		if l := s.Ledger(); l.AuthLimited != 1 {
			t.Errorf("auth limited %d", l.AuthLimited)
		}
	})
}

func TestNetworkErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		l, err := n.Listen("pbx1:5038")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if _, err := n.DialContext(t.Context(), "tcp", "nowhere:5038"); !isDNS(err) {
			t.Errorf("unknown name: %v", err)
		}
		if _, err := n.DialContext(t.Context(), "tcp", "pbx1:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("no listener: %v", err)
		}
		n.Partition("pbx1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err = n.DialContext(ctx, "tcp", "pbx1:5038")
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() || time.Since(start) != time.Second {
			t.Errorf("partitioned: %v after %v", err, time.Since(start))
		}
	})
}

func isDNS(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}

func TestNetworkLatencyAndPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		n.SetLink("pbx1", Link{Latency: 20 * time.Millisecond, Bandwidth: 1000})
		l, _ := n.Listen("pbx1:5038")
		defer l.Close()
		c := dialMem(t, n, "10.0.0.1:5038")
		far, _ := l.Accept()
		defer far.Close()
		start := time.Now()
		_, _ = c.Write(make([]byte, 100))
		if k, err := io.ReadFull(far, make([]byte, 100)); k != 100 || err != nil {
			t.Fatal(k, err)
		}
		if d := time.Since(start); d != 120*time.Millisecond {
			t.Errorf("100 bytes took %v", d)
		}
		n.Partition("pbx1")
		_, _ = c.Write([]byte("x"))
		_ = far.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("through a partition: %v", err)
		}
		_ = far.SetReadDeadline(time.Time{})
		n.Heal("pbx1")
		if k, err := far.Read(make([]byte, 1)); k != 1 || err != nil {
			t.Errorf("after healing: %d, %v", k, err)
		}
		n.Reset("pbx1")
		if _, err := far.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after a reset: %v", err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after a reset: %v", err)
		}
	})
}

// Through a partition nobody hears that the other end has closed in the middle of what it read.
func TestWriteBehindACloseNobodyHears(t *testing.T) {
	n := NewNetwork()
	l, _ := n.Listen("pbx1:5038")
	defer l.Close()
	c := dialMem(t, n, "pbx1:5038")
	far, _ := l.Accept()
	_, _ = c.Write(make([]byte, 100))
	if k, err := io.ReadFull(far, make([]byte, 60)); k != 60 || err != nil {
		t.Fatal(k, err)
	}
	n.Partition("pbx1")
	_ = far.Close()
	if k, err := c.Write(make([]byte, 100)); k != 100 || err != nil {
		t.Errorf("wrote %d, %v", k, err)
	}
}
