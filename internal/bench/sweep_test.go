package bench

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// What a run's calls have left is hung up, and nothing else, in a second or two on a way of 200 ms too; who cannot be reached is
// given up in under a second, for the others are to have ended in three.
func TestHangUpLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 150
		network := amitest.NewNetwork()
		server := amitest.NewServer(amitest.WithNetwork(network), amitest.WithName("pbx"), amitest.WithCallTimes(10*time.Millisecond, time.Hour))
		defer server.Close()
		cfg := ami.Config{Name: "pbx", Addr: "pbx:5038", Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Dial: network.DialContext}
		conn, err := ami.Dial(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for i := range calls + 1 {
			id := fmt.Sprint(channelPrefix, "gone-1-", i)
			if i == calls {
				id = channelPrefix + "other-1-1"
			}
			if _, err := conn.Do(t.Context(), ami.NewAction("Originate", "Channel", "Local/s@default", "Exten", "s", "Context", "default", "Priority", "1", "ChannelId", id, "OtherChannelId", id+"-2", "Async", "true")); err != nil {
				t.Fatal(err)
			}
		}
		_ = conn.Close()
		time.Sleep(time.Second)
		network.SetLink("pbx", amitest.Link{Latency: 100 * time.Millisecond})
		start, before := time.Now(), len(server.State().Channels())
		n, err := HangUpLeft(t.Context(), []Target{{Node: "pbx", Config: cfg}}, "gone")
		left := server.State().Channels()
		if took := time.Since(start); err != nil || n == 0 || n+len(left) != before || len(left) == 0 || len(left) > 2 || took > 3*time.Second {
			t.Errorf("%d of %d channels were hung up in %s, %d are left: %v", n, before, took, len(left), err)
		}
		network.Partition("pbx")
		start = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := HangUpLeft(ctx, []Target{{Node: "pbx", Config: cfg}}, "gone"); err == nil || time.Since(start) > time.Second {
			t.Errorf("who cannot be reached was given up after %s: %v", time.Since(start), err)
		}
	})
}
