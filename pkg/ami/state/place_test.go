package state

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A list is applied between the events before it and those behind it, and not at all if a gap came since it was asked
// for.
func TestListIsAppliedAtItsPlace(t *testing.T) {
	at := func(seq uint64, name string, kv ...string) func(*follower) {
		return func(f *follower) {
			f.take(&ami.Event{Message: *message(name, kv...), Node: "pbx", Session: 1, Seq: seq, Received: clockStart})
		}
	}
	list := func(seq, epoch uint64, items ...*wire.Message) func(*follower) {
		return func(f *follower) {
			q := &question{
				survey: &survey{t: f.tenders["pbx"], epoch: epoch}, list: &listings[0],
				answer: answer{items: items, end: message("CoreShowChannelsComplete")},
			}
			f.due["pbx"] = append(f.due["pbx"], arrival{q, 1, seq, clockStart})
		}
	}
	disconnect := func(f *follower) {
		f.take(&ami.Event{Node: "pbx", Received: clockStart, Gap: &ami.Gap{Reason: ami.GapDisconnect}})
	}
	idle := func(f *follower) { f.settleAll() }
	one := message("CoreShowChannel", channel("1", "6")...)
	tests := []struct {
		name  string
		steps []func(*follower)
		want  string
	}{
		{"it waits for the events before it", []func(*follower){list(9, 0, one), at(4, "Newchannel", channel("2", "4")...)}, "2 ring"},
		{"and replaces what they told", []func(*follower){list(9, 0, one), at(4, "Newchannel", channel("2", "4")...), idle}, "1 up"},
		{"the events behind it come after it", []func(*follower){list(9, 0, one), at(10, "Hangup", channel("1", "6")...)}, ""},
		{"whichever", []func(*follower){list(9, 0, one), at(10, "Newchannel", channel("2", "4")...)}, "1 up, 2 ring"},
		{"a gap makes it void", []func(*follower){list(9, 0, one), disconnect, idle}, ""},
		{"even if it arrives after that", []func(*follower){disconnect, list(9, 0, one), idle}, ""},
		{"one asked for since is good", []func(*follower){disconnect, list(9, 1, one), idle}, "1 up"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, _ := Options{}.withDefaults()
			f := &follower{
				Watcher: newWatcher(o, func() {}), due: make(map[string][]arrival),
				tenders: map[string]*tender{"pbx": {name: "pbx", again: make(chan struct{}, 1), soon: make(chan struct{}, 1)}},
			}
			for _, s := range tt.steps {
				s(f)
			}
			if diff := cmp.Diff(tt.want, held(f.core)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
