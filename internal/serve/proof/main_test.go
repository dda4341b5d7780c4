package proof

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// long reports whether there is time for the whole of a proof.
func long() bool { return os.Getenv("AMICTL_PROVE") != "" }

// TestVirtualDay is a day of the daemon's, or a morning or an hour if there is less time: what is held is as much at its end as in the middle,
// nothing is left behind, and all books agree.
func TestVirtualDay(t *testing.T) {
	length := 3 * time.Hour
	switch {
	case long():
		length = 24 * time.Hour
	case testing.Short():
		length = time.Hour
	}
	synctest.Test(t, func(t *testing.T) {
		newWorld(t, virtual).run(length)
	})
}

// TestMixedLoad is the same in real time, on sockets and at a higher pace: half an hour, or as long as AMICTL_MIXED says.
func TestMixedLoad(t *testing.T) {
	length := 5 * time.Second
	if long() {
		length = 30 * time.Minute
	}
	if said := os.Getenv("AMICTL_MIXED"); said != "" {
		var err error
		if length, err = time.ParseDuration(said); err != nil {
			t.Fatal(err)
		}
	}
	newWorld(t, lifelike).run(length)
}
