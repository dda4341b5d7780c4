package bench

import (
	"testing"

	"github.com/apntalk/amictl/internal/bench"
)

// The secrets of real servers go over no bus in the clear but this host's own.
func TestSecrecy(t *testing.T) {
	real := []bench.Target{{}}
	for at, refused := range map[string]bool{
		"": false, "nats://127.0.0.1:4222": false, "nats://localhost": false, "tls://bus.example.com": false, "wss://bus.example.com": false,
		"nats://bus.example.com": true, "ws://10.0.0.1": true, "tls://bus1.example.com, nats://bus2.example.com": true, "nats://[::1]:4222": false,
	} {
		if err := checkSecrecy(&options{nats: at}, real); (err != nil) != refused {
			t.Errorf("%q: %v", at, err)
		}
		if err := checkSecrecy(&options{nats: at}, nil); err != nil {
			t.Errorf("%q with simulated servers: %v", at, err)
		}
	}
}
