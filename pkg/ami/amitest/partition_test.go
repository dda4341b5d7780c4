package amitest

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// memEnds returns both ends of a connection.
func memEnds(t *testing.T, n *Network) (client, server net.Conn) {
	t.Helper()
	l, err := n.Listen("pbx1:5038")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	client = dialMem(t, n, "pbx1:5038")
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// A connection that was being made when the host was cut off escaped the partition.
func TestADialDoesNotEscapeAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		n.SetLink("", Link{Latency: 50 * time.Millisecond})
		l, err := n.Listen("pbx1:5038")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		time.AfterFunc(20*time.Millisecond, func() { n.Partition("pbx1") })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if c, err := n.DialContext(ctx, "tcp", "pbx1:5038"); err == nil {
			t.Error("connected through a partition")
			_ = c.Close()
		}
	})
}

// A dial that hung in a partition hung on when it was healed.
func TestADialGoesOnWhenAPartitionIsHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		l, err := n.Listen("pbx1:5038")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		n.Partition("pbx1")
		time.AfterFunc(time.Second, func() { n.Heal("pbx1") })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		c, err := n.DialContext(ctx, "tcp", "pbx1:5038")
		if err != nil {
			t.Fatalf("healed after 1 s: %v", err)
		}
		_ = c.Close()
	})
}

// The reset of a server that closes with bytes unread went through a partition.
func TestACloseDoesNotPassAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		client, server := memEnds(t, n)
		n.Partition("pbx1")
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_ = server.Close()
		if _, err := client.Write([]byte("y")); err != nil {
			t.Errorf("write in a partition: %v", err)
		}
		_ = client.SetReadDeadline(time.Now().Add(time.Second))
		_, err := client.Read(make([]byte, 1))
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("read in a partition: %v", err)
		}
		_ = client.SetReadDeadline(time.Time{})
		n.Heal("pbx1")
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("read after healing: %v", err)
		}
	})
}

// An end that closed with bytes unread was told that the other had reset it.
func TestAWriteAfterCloseIsErrClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		client, server := memEnds(t, n)
		_, _ = server.Write([]byte("unread"))
		_ = client.Close()
		if _, err := client.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write after Close: %v", err)
		}
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after Close: %v", err)
		}
		_ = server.Close()
	})
}

// A connection that a closed listener refused was counted for ever.
func TestARefusedConnectionIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		n.SetLink("", Link{Latency: 50 * time.Millisecond})
		l, err := n.Listen("pbx1:5038")
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(20*time.Millisecond, func() { _ = l.Close() })
		if _, err := n.DialContext(t.Context(), "tcp", "pbx1:5038"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("dial: %v", err)
		}
		if k := n.Conns("pbx1"); k != 0 {
			t.Errorf("%d connections of a host that refused its only one", k)
		}
	})
}

// The contract of net.Conn: what must wake a Read and a Write, and what they return.
func TestMemConnContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		n.SetBuffer(10)
		client, server := memEnds(t, n)
		read, wrote := make(chan error, 1), make(chan error, 1)
		var k int
		go func() { _, err := client.Read(make([]byte, 1)); read <- err }()
		go func() { var err error; k, err = client.Write(make([]byte, 25)); wrote <- err }()
		synctest.Wait()
		_ = client.SetDeadline(time.Now().Add(-time.Second))
		var ne net.Error
		if err := <-read; !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("read: %v", err)
		}
		if err := <-wrote; !errors.As(err, &ne) || !ne.Timeout() || k != 10 {
			t.Errorf("wrote %d: %v", k, err)
		}
		_ = client.SetDeadline(time.Time{})
		go func() { _, err := client.Read(make([]byte, 1)); read <- err }()
		go func() { var err error; k, err = client.Write(make([]byte, 25)); wrote <- err }()
		synctest.Wait()
		_, _ = io.ReadFull(server, make([]byte, 10))
		synctest.Wait()
		_ = client.Close()
		if err := <-read; !errors.Is(err, net.ErrClosed) {
			t.Errorf("read: %v", err)
		}
		if err := <-wrote; !errors.Is(err, net.ErrClosed) || k != 10 {
			t.Errorf("wrote %d: %v", k, err)
		}
		if rest, err := io.ReadAll(server); len(rest) != 10 || err != nil {
			t.Errorf("read %d, %v", len(rest), err)
		}
		_ = server.Close()
	})
}

// A server that went away in a partition never was missed: the client waited for ever, healed or not.
func TestACloseInAPartitionArrivesWhenItIsHealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		client, server := memEnds(t, n)
		n.Partition("pbx1")
		_ = server.Close()
		time.AfterFunc(time.Second, func() { n.Heal("pbx1") })
		_ = client.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("a minute after a server went away: %v", err)
		}
	})
}
