package state_test

import (
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// What comes right behind a list is applied behind it, however late whoever asked for the list is told of its answer.
func TestEventRightBehindItsList(t *testing.T) {
	srv := amitest.NewServer(amitest.WithName("pbx"))
	defer srv.Close()
	const leg = "Channel: PJSIP/alice-00000001\r\nChannelState: 6\r\nChannelStateDesc: Up\r\nUniqueid: 1700000000.1\r\nLinkedid: 1700000000.1\r\n"
	srv.Handle("CoreShowChannels", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.ListStart("Channels will follow")
		w.Item("CoreShowChannel", "Channel", "PJSIP/alice-00000001", "ChannelState", "6", "ChannelStateDesc", "Up", "Uniqueid", "1700000000.1", "Linkedid", "1700000000.1")
		w.ListEnd("CoreShowChannelsComplete")
		w.Raw("Event: Hangup\r\nPrivilege: call,all\r\n" + leg + "Cause: 16\r\n\r\n")
	})
	cluster := ami.NewCluster(ami.ClusterConfig{})
	defer cluster.Close()
	if _, err := cluster.Add(ami.Config{
		Name: "pbx", Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Events: "on",
	}); err != nil {
		t.Fatal(err)
	}
	for range 200 {
		w, err := state.Follow(t.Context(), cluster, state.Options{Kinds: []state.Kind{state.KindChannel}})
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Microsecond) {
			held := w.Snapshot()
			if !held.Nodes[0].Stale && len(held.Channels) == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("stale %v, held %+v, though its Hangup stood behind the list", held.Nodes[0].Stale, held.Channels)
			}
		}
		w.Close()
	}
}
