package state_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// A bench is one server, its cluster and a watcher.
type bench struct {
	t       *testing.T
	srv     *amitest.Server
	cluster *ami.Cluster
	watcher *state.Watcher
	config  ami.Config
}

// watch runs a test on a bench in virtual time.
func watch(t *testing.T, mask string, o state.Options, f func(*bench), opts ...amitest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := amitest.NewNetwork()
		srv := amitest.NewServer(append([]amitest.Option{amitest.WithNetwork(net), amitest.WithName("pbx")}, opts...)...)
		defer srv.Close()
		cluster := ami.NewCluster(ami.ClusterConfig{})
		defer cluster.Close()
		b := &bench{t: t, srv: srv, cluster: cluster, config: ami.Config{
			Name: "pbx", Addr: srv.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret),
			Events: mask, Dial: net.DialContext,
		}}
		b.add()
		watcher, err := state.Follow(t.Context(), cluster, o)
		if err != nil {
			t.Fatal(err)
		}
		defer watcher.Close()
		b.watcher = watcher
		f(b)
	})
}

func (b *bench) add() {
	if _, err := b.cluster.Add(b.config); err != nil {
		b.t.Fatal(err)
	}
}

// settle lets so much time pass and returns what is held then.
func (b *bench) settle(d time.Duration) *state.Snapshot {
	time.Sleep(d)
	synctest.Wait()
	return b.watcher.Snapshot()
}

func (b *bench) node() *state.Node {
	nodes := b.watcher.Snapshot().Nodes
	if len(nodes) != 1 {
		b.t.Fatalf("%d nodes", len(nodes))
	}
	return nodes[0]
}

var full = map[string]string{
	"channels": "followed", "bridges": "followed", "queues": "followed", "conferences": "followed", "parked": "followed",
	"pjsip": "followed", "sip": "absent", "iax": "absent", "devices": "followed", "hints": "followed",
	"pjsip-registrations": "followed", "sip-registrations": "absent", "iax-registrations": "followed",
}

func with(parts map[string]string, changed ...string) map[string]string {
	m := map[string]string{}
	for k, v := range parts {
		m[k] = v
	}
	for i := 0; i+1 < len(changed); i += 2 {
		m[changed[i]] = changed[i+1]
	}
	return m
}

// How each part is known is said; what a server lacks, or does not let the user ask, is no error.
func TestPartsSayHowTheyAreKnown(t *testing.T) {
	few := amitest.WithUsers(amitest.User{
		Name: amitest.DefaultUser, Secret: amitest.DefaultSecret, Read: amitest.ClassAll, Write: amitest.ParseClass("call"),
	})
	tests := []struct {
		name, mask string
		opts       []amitest.Option
		want       map[string]string
	}{
		{name: "all", mask: "on", want: full},
		{name: "series 16", mask: "on", opts: []amitest.Option{amitest.WithVersion(amitest.Version16)}, want: full},
		{name: "series 13", mask: "on", opts: []amitest.Option{amitest.WithVersion(amitest.Version13)}, want: full},
		{name: "classes by name", mask: "call,agent,system,dialplan", want: full},
		{name: "without agent", mask: "call,system", want: with(full, "queues", "listed")},
		{name: "no events", mask: "off", want: with(full, "channels", "listed", "bridges", "listed", "queues", "listed",
			"conferences", "listed", "parked", "listed", "pjsip", "listed", "devices", "listed", "hints", "listed",
			"pjsip-registrations", "listed", "iax-registrations", "listed")},
		// CoreShowChannels is refused and Status is not.
		{name: "a user of few rights", mask: "on", opts: []amitest.Option{few}, want: with(full, "sip", "events", "iax", "events",
			"sip-registrations", "events", "pjsip", "events", "pjsip-registrations", "events", "iax-registrations", "events", "conferences", "events")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			watch(t, tt.mask, state.Options{}, func(b *bench) {
				held := b.settle(time.Second)
				n := b.node()
				if n.Stale || len(held.Channels) != 1 {
					t.Errorf("stale %v, %d channels", n.Stale, len(held.Channels))
				}
				if diff := cmp.Diff(tt.want, n.Parts); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}, append(tt.opts, amitest.WithSetup(func(s *amitest.Server) {
				furnish(s)
				s.State().AddChannel(amitest.Channel{Name: "PJSIP/alice-00000001", State: 6}) // before anybody lists
			}))...)
		})
	}
}

// A relay that cannot ask a server now has not said that a part is absent, or empty, however often it says so; one that may not ask has
// said that the user may not.
func TestWhatARelaySaysIsNotTheServers(t *testing.T) {
	refuse := func(message string, times int) amitest.Option {
		return amitest.WithSetup(func(s *amitest.Server) {
			furnish(s)
			left := atomic.Int64{}
			left.Store(int64(times))
			s.Handle("ParkedCalls", func(_ *amitest.Request, w *amitest.ResponseWriter) {
				if left.Add(-1) < 0 {
					w.ListStart("Parked calls will follow")
					w.Item("ParkedCallsComplete", "EventList", "Complete", "ListItems", "0")
					return
				}
				w.Reply("Error", amitest.Header{Name: "Message", Value: message}, amitest.Header{Name: ami.RelaySent, Value: "no"})
			})
		})
	}
	for _, message := range []string{"The server pbx is away", "no bridge that takes actions owns it now", "Too many actions a second"} {
		watch(t, "on", state.Options{Audit: -1}, func(b *bench) {
			if b.settle(time.Second); !b.node().Stale {
				t.Errorf("%s: it is not stale", message)
			}
			b.settle(2 * time.Minute)
			if diff := cmp.Diff(full, b.node().Parts); diff != "" || b.node().Stale {
				t.Errorf("%s: stale %v, -want +got:\n%s", message, b.node().Stale, diff)
			}
		}, refuse(message, 6))
	}
	watch(t, "on", state.Options{Audit: -1}, func(b *bench) {
		b.settle(time.Second)
		if diff := cmp.Diff(with(full, "parked", "events"), b.node().Parts); diff != "" || b.node().Stale {
			t.Errorf("stale %v, -want +got:\n%s", b.node().Stale, diff)
		}
	}, refuse("Permission denied", 1000))
}

// Without events the audits alone keep it up to date.
func TestAuditsAloneFollow(t *testing.T) {
	watch(t, "off", state.Options{Audit: time.Minute}, func(b *bench) {
		b.settle(time.Second)
		b.srv.Dial("", amitest.Channel{Name: "PJSIP/alice"})
		if held := b.settle(2 * time.Minute); len(held.Channels) != 1 {
			t.Errorf("%d channels after an audit", len(held.Channels))
		}
		if n := b.node(); n.Drift != 0 {
			t.Errorf("%d of what nobody could tell is called drift", n.Drift)
		}
	})
}

// What changes without an event is found by an audit and counted; what an event explains is not.
func TestDriftIsCounted(t *testing.T) {
	watch(t, "on", state.Options{}, func(b *bench) {
		b.settle(time.Second)
		b.srv.State().AddChannel(amitest.Channel{Name: "PJSIP/ghost-00000001", State: 6})
		b.srv.DelayEvents(time.Second)
		for range 20 { // one of these is under way when the audit comes
			b.srv.Dial("", amitest.Channel{Name: "PJSIP/alice"})
			time.Sleep(30 * time.Second)
		}
		held := b.settle(time.Minute)
		if n := b.node(); n.Drift != 1 || len(held.Channels) != 21 {
			t.Errorf("drift %d with %d channels, want 1 with 21", n.Drift, len(held.Channels))
		}
	})
}

// A lost session makes a node stale until it was listed again.
func TestGapMakesStale(t *testing.T) {
	watch(t, "on", state.Options{Kinds: []state.Kind{state.KindNode, state.KindChannel}}, func(b *bench) {
		var story []string
		go func() {
			for ch, err := range b.watcher.Changes(b.t.Context()) {
				if err != nil {
					return
				}
				switch o := ch.Object.(type) {
				case *state.Node:
					story = append(story, fmt.Sprintf("%s node, stale %v", ch.Op, o.Stale))
				case *state.Channel:
					story = append(story, fmt.Sprintf("%s %s", ch.Op, o.Endpoint))
				}
			}
		}()
		a := b.srv.Dial("", amitest.Channel{Name: "PJSIP/alice"})
		b.settle(time.Second)
		b.srv.Kick()
		b.srv.Hangup(a.Name, 16)
		b.srv.Dial("", amitest.Channel{Name: "PJSIP/bob"})
		b.settle(10 * time.Second)
		story = compact(story)
		want := []string{
			"add node, stale true", "add PJSIP/alice", "change node, stale false", "synced node, stale false",
			"change node, stale true", "add PJSIP/bob", "remove PJSIP/alice", "change node, stale false", "synced node, stale false",
		}
		if diff := cmp.Diff(want, story); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func compact(s []string) (out []string) {
	for _, v := range s {
		if len(out) == 0 || out[len(out)-1] != v {
			out = append(out, v)
		}
	}
	return out
}

// A consumer that is too slow is told to begin anew, and holds up nobody.
func TestSlowConsumerBeginsAnew(t *testing.T) {
	watch(t, "on", state.Options{Buffer: 50}, func(b *bench) {
		b.settle(time.Second)
		var lost uint64
		mirror := map[string]state.Object{}
		slow := make(chan struct{})
		go func() {
			for ch, err := range b.watcher.Changes(b.t.Context()) {
				if err != nil {
					return
				}
				<-slow
				switch ch.Op {
				case state.OpReset:
					lost += ch.Lost
					clear(mirror)
				case state.OpAdd, state.OpChange:
					mirror[string(ch.Object.Kind())+ch.Object.Key()] = ch.Object
				case state.OpRemove:
					delete(mirror, string(ch.Object.Kind())+ch.Object.Key())
				}
			}
		}()
		for range 100 {
			a := b.srv.Dial("", amitest.Channel{Name: "PJSIP/alice"})
			b.srv.Dial(a.Name, amitest.Channel{Name: "PJSIP/bob"})
			b.settle(10 * time.Millisecond)
			b.srv.Hangup(a.Name, 16)
		}
		held := b.settle(time.Second)
		if len(held.Channels) != 100 {
			t.Fatalf("%d channels, want 100: somebody was held up", len(held.Channels))
		}
		close(slow)
		held = b.settle(time.Second)
		want := map[string]state.Object{}
		for o := range held.Objects() {
			want[string(o.Kind())+o.Key()] = o
		}
		if diff := cmp.Diff(want, mirror); diff != "" || lost == 0 {
			t.Errorf("%d changes were lost; -held +mirrored:\n%s", lost, diff)
		}
	})
}

// A node that is removed is forgotten, and one that comes later is found.
func TestNodesComeAndGo(t *testing.T) {
	watch(t, "on", state.Options{}, func(b *bench) {
		b.srv.Dial("", amitest.Channel{Name: "PJSIP/alice"})
		if held := b.settle(time.Second); len(held.Channels) != 1 {
			t.Fatalf("%d channels", len(held.Channels))
		}
		if err := b.cluster.Remove("pbx"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&state.Snapshot{}, b.settle(3*time.Second), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		b.add()
		if held := b.settle(3 * time.Second); len(held.Channels) != 1 {
			t.Errorf("%d channels after it was added again", len(held.Channels))
		}
	})
}

// What a module answers that was not loaded yet is asked again once the server is up; a reload makes all be listed.
func TestListsAgainAfterBootAndReload(t *testing.T) {
	var booted atomic.Bool
	watch(t, "on", state.Options{Audit: -1}, func(b *bench) {
		builtin := b.srv.State()
		b.srv.Handle("QueueStatus", func(_ *amitest.Request, w *amitest.ResponseWriter) {
			if !booted.Load() {
				w.Error("Invalid/unknown command: QueueStatus. Use Action: ListCommands to show available commands.")
				return
			}
			w.ListStart("Queue status will follow")
			w.Item("QueueParams", "Queue", "sales", "Strategy", "ringall")
			w.ListEnd("QueueStatusComplete")
		})
		b.settle(time.Second)
		if how := b.node().Parts["queues"]; how != state.Absent {
			t.Fatalf("before it is up, queues are %q", how)
		}
		booted.Store(true)
		b.srv.SetBooted()
		if held := b.settle(time.Second); len(held.Queues) != 1 || b.node().Parts["queues"] != state.Followed {
			t.Errorf("after FullyBooted: %d queues, %q", len(held.Queues), b.node().Parts["queues"])
		}
		builtin.AddEndpoint(amitest.Endpoint{Name: "new"})
		b.srv.EmitEvent("Reload", "Module", "res_pjsip.so", "Status", "0")
		if held := b.settle(5 * time.Second); len(held.Endpoints) != 1 {
			t.Errorf("after a reload: %d endpoints", len(held.Endpoints))
		}
		builtin.AddEndpoint(amitest.Endpoint{Name: "newer"})
		for range 6 { // and none puts it off by another
			b.srv.EmitEvent("Reload", "Module", "res_pjsip.so", "Status", "0")
			b.settle(500 * time.Millisecond)
		}
		if held := b.settle(0); len(held.Endpoints) != 2 {
			t.Errorf("while it reloads all the time: %d endpoints", len(held.Endpoints))
		}
	}, amitest.WithoutBoot())
}

func TestCloseEndsChanges(t *testing.T) {
	watch(t, "on", state.Options{}, func(b *bench) {
		got := make(chan error, 2)
		for range 2 {
			go func() {
				for _, err := range b.watcher.Changes(context.Background()) {
					if err != nil {
						got <- err
					}
				}
			}()
		}
		b.settle(time.Second)
		b.watcher.Close()
		for range 2 {
			if err := <-got; !errors.Is(err, state.ErrClosed) {
				t.Errorf("changes end with %v", err)
			}
		}
		for _, err := range b.watcher.Changes(context.Background()) {
			if err != nil && !errors.Is(err, state.ErrClosed) {
				t.Errorf("changes of a closed watcher end with %v", err)
			}
		}
	})
}

func TestChangesEndWithTheCluster(t *testing.T) {
	watch(t, "on", state.Options{}, func(b *bench) {
		b.settle(time.Second)
		_ = b.cluster.Close()
		var last error
		for _, err := range b.watcher.Changes(context.Background()) {
			last = err
		}
		if !errors.Is(last, ami.ErrClosed) {
			t.Errorf("changes end with %v", last)
		}
	})
}

func TestOptionsThatCannotBe(t *testing.T) {
	cluster := ami.NewCluster(ami.ClusterConfig{})
	for _, o := range []state.Options{{Limit: -1}, {Buffer: -1}, {Kinds: []state.Kind{"call"}}} {
		if w, err := state.Follow(t.Context(), cluster, o); err == nil {
			w.Close()
			t.Errorf("%+v was taken", o)
		}
	}
	_ = cluster.Close()
	if _, err := state.Follow(t.Context(), cluster, state.Options{}); !errors.Is(err, ami.ErrClosed) {
		t.Errorf("a closed cluster: %v", err)
	}
}

// What comes between the call of Changes and its iteration waits, records of calls among it, and whoever is done with it leaves
// nothing behind.
func TestChangesBeginWhenCalled(t *testing.T) {
	watch(t, "on", state.Options{}, func(b *bench) {
		ctx, cancel := context.WithCancel(b.t.Context())
		changes := b.watcher.Changes(ctx)
		b.settle(time.Second)
		a := b.srv.Dial("", amitest.Channel{Name: "PJSIP/dave", Exten: "999"})
		b.srv.Hangup(a.Uniqueid, 1)
		b.settle(time.Second)
		synced := false
		for ch, err := range changes {
			if err != nil {
				t.Fatal(err)
			}
			synced = synced || ch.Op == state.OpSynced
			if ch.Op == state.OpRecord {
				break
			}
		}
		if !synced {
			t.Error("the record came before what there was")
		}
		left := b.watcher.Changes(ctx)
		cancel()
		synctest.Wait()
		for ch, err := range left {
			if errors.Is(err, context.Canceled) {
				return
			}
			if err != nil || ch.Op != state.OpAdd && ch.Op != state.OpSynced {
				t.Errorf("%v, %v", ch, err)
			}
		}
	})
}
