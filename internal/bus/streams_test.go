package bus

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// Whatever a cluster is called, it has a stream and leases, and no other cluster has the same.
func TestNamesOfClusters(t *testing.T) {
	js := withJetStream(t, aBus(t))
	seen := make(map[string]bool)
	for _, name := range []string{"prod", "pbx.example.com", "a b", "a_20b", "a=20b", "a_b", "a_5Fb", "büro", "%", "*", ">", "$G/1"} {
		s := Storage{Replicas: 1, MaxBytes: 1 << 20}
		if err := errors.Join(ensureStream(t.Context(), js, name, s), ensureBucket(t.Context(), js, name, s)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		for _, made := range []string{eventStream(name), leaseBucket(name)} {
			if seen[made] {
				t.Errorf("%q shares %s with another cluster", name, made)
			}
			seen[made] = true
		}
	}
}

// Bridges that begin at once want the same stream, of which a server may have room for one.
func TestStreamMadeAtOnce(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 100 << 20})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(patience) {
		t.Fatal("no server")
	}
	bridges := make([]jetstream.JetStream, 8)
	for i := range bridges {
		if bridges[i], err = jetstream.New(dial(t, s.ClientURL())); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		var all sync.WaitGroup
		for _, js := range bridges {
			all.Go(func() {
				if err := ensureStream(t.Context(), js, "c", Storage{Replicas: 1, MaxBytes: 60 << 20}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := bridges[0].DeleteStream(t.Context(), eventStream("c")); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	if err := ensureStream(t.Context(), bridges[0], "c", Storage{Replicas: 1, MaxBytes: 200 << 20}); err == nil || time.Since(start) > patience {
		t.Errorf("more than there is room for: %v", err)
	}
}
