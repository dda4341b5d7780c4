package proof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// servers are one nats-server or a cluster of them, each a process that can be killed and started again.
type servers struct {
	t       testing.TB
	names   []string
	all     map[string]*natsProcess
	program string  // nats-server
	clocks  *clocks // of the processes; nil: all have the host's
}

// A natsProcess is one of them.
type natsProcess struct {
	*process
	name, url, config string
	within            []string // what it is started by
}

// startServers starts so many, with JetStream; extra is added to the configuration of each.
func startServers(t testing.TB, n int, extra string) *servers {
	t.Helper()
	s := &servers{t: t, all: make(map[string]*natsProcess), program: natsServer(t)}
	dir := t.TempDir()
	var routes []string
	inner := make([]string, n)
	for i := range n {
		inner[i] = freePort(t)
		routes = append(routes, "nats://"+inner[i])
	}
	for i := range n {
		name := fmt.Sprintf("s%d", i+1)
		p := &natsProcess{name: name, url: "nats://" + freePort(t), config: filepath.Join(dir, name+".conf")}
		text := fmt.Sprintf("server_name: %s\nlisten: %q\n%s\n", name, strings.TrimPrefix(p.url, "nats://"), extra)
		if !strings.Contains(extra, "jetstream") {
			text += fmt.Sprintf("jetstream { store_dir: %q, max_file_store: 20G, max_memory_store: 64M }\n", filepath.Join(dir, name))
		}
		if n > 1 {
			text += fmt.Sprintf("cluster { name: proof, listen: %q, routes: [%s] }\n", inner[i], strings.Join(routes, ", "))
		}
		if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.names = append(s.names, name)
		s.all[name] = p
	}
	return s
}

// start starts all that do not run.
func (s *servers) start() *servers {
	s.t.Helper()
	for _, name := range s.names {
		if p := s.all[name]; p.process == nil {
			args := append(append([]string{}, p.within...), s.program, "-c", p.config)
			p.process = start(s.t, name, []string{s.clocks.of(name)}, args[0], args[1:]...)
		}
	}
	return s
}

// kill kills one, as kill -9 does.
func (s *servers) kill(name string) {
	s.all[name].kill()
	s.all[name].process = nil
}

// urls are those of all, for clients.
func (s *servers) urls() string {
	var all []string
	for _, name := range s.names {
		all = append(all, s.all[name].url)
	}
	return strings.Join(all, ",")
}

// connect waits until there is a server, and JetStream is on.
func (s *servers) connect(options ...nats.Option) jetstream.JetStream {
	s.t.Helper()
	options = append(options, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.RetryOnFailedConnect(true),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	conn, err := nats.Connect(s.urls(), options...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "JetStream is on", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := js.AccountInfo(ctx)
		return err == nil
	})
	return js
}

// leader is the name of the server that leads a stream, "" if there is none now.
func leader(js jetstream.JetStream, stream string) string {
	if info := infoOf(js, stream); info != nil && info.Cluster != nil {
		return info.Cluster.Leader
	}
	return ""
}

// whole reports whether a stream has a leader, and so many replicas that have all of it.
func wholeStream(js jetstream.JetStream, stream string, replicas int) bool {
	info := infoOf(js, stream)
	if info == nil || info.Cluster == nil || info.Cluster.Leader == "" {
		return false
	}
	current := 1
	for _, r := range info.Cluster.Replicas {
		if r.Current && !r.Offline {
			current++
		}
	}
	return current == replicas
}

func infoOf(js jetstream.JetStream, stream string) *jetstream.StreamInfo {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return nil
	}
	return s.CachedInfo()
}

// freePort is HOST:PORT of a port that nobody listens at, and that the system gives nobody else by itself.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 15_000+rand.IntN(15_000)))
		if err == nil {
			defer func() { _ = l.Close() }()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}
