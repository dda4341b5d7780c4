package act

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

func TestReadHint(t *testing.T) {
	for events, want := range map[string]string{
		"Hangup":                              "must allow call",
		"Hangup Queue*":                       "must allow agent, call",
		"Hangup QueueMemberAdded FullyBooted": "must allow agent, call, system",
		"Hangup QueueMemberAdded FullyBooted PeerStatus DTMFEnd": "must allow the events' classes",
		"Nosuch": "must allow the events' classes",
		"*":      "must allow the events' classes",
		"":       "must allow the events' classes",
	} {
		if got := ReadHint(strings.Fields(events)); !strings.HasSuffix(got, want) {
			t.Errorf("%q: %s, want %s", events, got, want)
		}
	}
}

// A run that goes on is told while nothing comes, once; one in which something came is not.
func TestSilence(t *testing.T) {
	for name, test := range map[string]struct {
		events []string
		down   bool
		says   int
	}{
		"nothing comes":  {[]string{"Hangup"}, false, 1},
		"something came": {[]string{"UserEvent"}, false, 0},
		"it is away":     {[]string{"Hangup"}, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := amitest.NewNetwork()
				srv := amitest.NewServer(amitest.WithNetwork(network), amitest.WithName("pbx"))
				defer srv.Close()
				c := ami.NewCluster(ami.ClusterConfig{})
				defer func() { _ = c.Close() }()
				n, err := c.Add(ami.Config{Name: "pbx", Addr: "pbx:5038", Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Dial: network.DialContext, Events: "on"})
				if err != nil {
					t.Fatal(err)
				}
				var said strings.Builder // the bubble's goroutines take turns at it
				s, err := ListenFor(t.Context(), run.New(nil, nil, nil, &said, nil), c, test.events)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if _, err := n.Do(t.Context(), ami.NewAction("UserEvent", "UserEvent", "x")); err != nil {
					t.Fatal(err)
				}
				srv.SetDown(test.down)
				time.Sleep(unheard)
				synctest.Wait()
				if got := strings.Count(said.String(), "nothing that was asked for has come"); got != test.says {
					t.Errorf("it said %q", said.String())
				}
				s.End()
				s.End()
				if got := strings.Count(said.String(), "\n"); got != test.says {
					t.Errorf("in the end it said %q", said.String())
				}
			})
		})
	}
}
