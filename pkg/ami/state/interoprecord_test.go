package state_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apntalk/amictl/internal/skip"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

const (
	tolerance = 50 * time.Millisecond // how far a record's times may be from those of CEL
	mostPlays = 3                     // of a scene whose times alone are further: a busy host delays a server between the two that it tells
)

// TestRealRecords compares the records of calls with what a real server's own CEL and CDR say of them: times, legs, causes,
// transfers, outcomes.
func TestRealRecords(t *testing.T) {
	for _, version := range []string{"22", "16"} {
		t.Run(version, func(t *testing.T) { newCallLab(t, version).run() })
	}
}

// labConfig is the login of a lab's server, or the end of the test.
func labConfig(t *testing.T, version string) ami.Config {
	addr := os.Getenv("AMICTL_LAB_" + version + "_ADDR")
	if addr == "" {
		skip.Loudly(t, "not compared with a real Asterisk: AMICTL_LAB_"+version+"_ADDR is not set")
	}
	return ami.Config{
		Name: "lab", Addr: addr, Username: "admin", Secret: ami.StaticSecret(os.Getenv("AMICTL_LAB_" + version + "_SECRET_ADMIN")),
		Events: "on",
	}
}

// A callLab is a real server on which calls are made, one after the other.
type callLab struct {
	t       *testing.T
	node    *ami.Node
	watcher *state.Watcher
	books   *ami.Subscription     // CEL and CDR
	cel     map[string][]celEvent // by Linkedid
	cdr     map[string][]string   // a channel's Uniqueid → dispositions
}

// A celEvent is a line of the Channel Event Log.
type celEvent struct {
	name, uniqueid string
	at             time.Time
	extra          map[string]any
}

func newCallLab(t *testing.T, version string) *callLab {
	l := &callLab{t: t, cel: make(map[string][]celEvent), cdr: make(map[string][]string)}
	cluster := ami.NewCluster(ami.ClusterConfig{})
	t.Cleanup(func() { _ = cluster.Close() })
	var err error
	if l.books, err = cluster.Subscribe(ami.SubscribeOptions{Events: []string{"CEL", "Cdr"}}); err != nil {
		t.Fatal(err)
	}
	if l.node, err = cluster.Add(labConfig(t, version)); err != nil {
		t.Fatal(err)
	}
	if l.watcher, err = state.Follow(t.Context(), cluster, state.Options{Audit: -1}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.watcher.Close)
	return l
}

// A play is a scene of calls.
type play struct {
	name     string
	play     func(*callLab)
	transfer string // the kind that its record has
}

// plays are what is played. Each leaves nothing behind once everything is hung up.
var plays = []play{
	{name: "a call", play: func(l *callLab) { l.call("100/n", "Dial", "Local/202@default/n,5"); l.pause(3) }},
	{name: "a Local channel that is optimised away", play: func(l *callLab) { l.call("210", "Wait", "4"); l.pause(3) }},
	{name: "busy", play: func(l *callLab) { l.call("300", "Wait", "1"); l.pause(0.5) }},
	{name: "congestion", play: func(l *callLab) { l.call("301", "Wait", "1"); l.pause(0.5) }},
	{name: "nobody answers", play: func(l *callLab) { l.call("303", "Wait", "1"); l.pause(1.5) }},
	{name: "a queue", play: func(l *callLab) { l.call("100/n", "Queue", "support,r,,,30"); l.pause(3.5) }},
	{name: "a queue that the caller leaves", play: func(l *callLab) { l.call("100/n", "Queue", "empty,r,,,30"); l.pause(1); l.hangup("/^Local.100.*;1$/") }},
	{name: "the action Bridge", play: func(l *callLab) {
		l.call("100/n", "Wait", "30")
		l.call("400/n", "Wait", "30")
		l.pause(0.5)
		l.do("Bridge", "Channel1", l.channel("Local/100", ";1"), "Channel2", l.channel("Local/400", ";1"), "Tone", "no")
		l.pause(1)
	}},
	{name: "a blind transfer", transfer: "blind", play: func(l *callLab) {
		l.call("100/n", "Dial", "Local/400@default/n,5")
		l.pause(1)
		l.do("BlindTransfer", "Channel", l.channel("Local/100", ";1"), "Context", "default", "Exten", "202")
		l.pause(1)
	}},
	{name: "an attended transfer", transfer: "attended", play: func(l *callLab) {
		l.call("500/n", "Dial", "Local/100@default/n,5,tT") // a conference sends audio, which digits need to be heard
		l.pause(1)
		transferer := l.channel("Local/500", ";1")
		l.do("Atxfer", "Channel", transferer, "Context", "default", "Exten", "202")
		l.await(l.t, "the transferer talks to the one he consults", func() bool { return l.channel("Local/202", ";1") != "none" })
		l.pause(1)
		l.hangup(transferer)
		l.pause(1)
	}},
	{name: "a pickup", transfer: "pickup", play: func(l *callLab) {
		l.call("215/n", "Wait", "30")
		l.pause(0.5)
		l.call("100/n", "PickupChan", l.channel("Local/213", ";1"))
		l.pause(1)
	}},
	{name: "parking, and fetching back", play: func(l *callLab) {
		l.call("100/n", "Park", "")
		l.pause(0.5)
		l.call("100/n", "ParkedCall", "default,701")
		l.pause(1)
	}},
}

func (l *callLab) run() {
	records := make(chan *state.Record, 1000)
	go func() {
		for ch, err := range l.watcher.Changes(l.t.Context()) {
			if err != nil {
				return
			}
			if r, ok := ch.Object.(*state.Record); ok {
				records <- r
			}
		}
	}()
	l.await(l.t, "the node is synced", func() bool {
		n := l.watcher.Snapshot().Nodes
		return len(n) == 1 && !n[0].Stale
	})
	l.finish(l.t) // what somebody else left
	for len(records) > 0 {
		<-records
	}
	for _, p := range plays {
		l.t.Run(p.name, func(t *testing.T) {
			var late []string
			for range mostPlays {
				if late = l.scene(t, p, records); len(late) == 0 || t.Failed() {
					break
				}
				t.Logf("played again, for times are apart: %s", strings.Join(late, "; "))
			}
			if len(late) > 0 {
				t.Error(strings.Join(late, "\n"))
			}
		})
	}
}

// scene plays a scene, and returns which times of its records are too far from those of CEL.
func (l *callLab) scene(t *testing.T, p play, records <-chan *state.Record) (late []string) {
	p.play(l)
	l.finish(t)
	kinds := ""
	n := 0
	for ; len(records) > 0; n++ {
		r := <-records
		for _, tr := range r.Transfer {
			kinds += tr.Kind
		}
		late = append(late, l.compare(t, r)...)
	}
	if n == 0 {
		t.Error("no call was recorded")
	}
	if kinds != p.transfer {
		t.Errorf("the records' transfers are %q, want %q", kinds, p.transfer)
	}
	return late
}

func (l *callLab) pause(seconds float64) { time.Sleep(time.Duration(seconds * float64(time.Second))) }

func (l *callLab) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to be that %s", what)
		}
	}
}

// do sends an action. One that is refused fails the test: nothing was played.
func (l *callLab) do(name string, headers ...string) *ami.Reply {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 10*time.Second)
	defer cancel()
	reply, err := l.node.Do(ctx, ami.NewAction(name, headers...))
	if err != nil {
		l.t.Errorf("%s: %v", name, err)
	}
	return reply
}

func (l *callLab) call(to, app, data string) {
	l.t.Helper()
	l.do("Originate", "Channel", "Local/"+strings.Replace(to, "/", "@default/", 1), "Application", app, "Data", data, "Async", "true", "CallerID", `"Al" <111>`)
}

// hangup hangs channels up; nobody may be there any more.
func (l *callLab) hangup(channel string) {
	_, _ = l.node.Do(l.t.Context(), ami.NewAction("Hangup", "Channel", channel))
}

// channel finds the first channel whose name begins and ends so.
func (l *callLab) channel(begin, end string) string {
	reply := l.do("CoreShowChannels")
	for i := range reply.Events {
		if name := reply.Events[i].Get("Channel"); strings.HasPrefix(name, begin) && strings.HasSuffix(name, end) {
			return name
		}
	}
	return "none"
}

// finish hangs everything up and reads the books.
func (l *callLab) finish(t *testing.T) {
	l.hangup("/^.*$/")
	l.await(t, "no channel is left", func() bool {
		return len(l.do("CoreShowChannels").Events) == 0 && len(l.watcher.Snapshot().Calls) == 0
	})
	clear(l.cel)
	clear(l.cdr)
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // CDRs are posted in batches of a moment
		ev, err := l.books.Next(ctx)
		cancel()
		if err != nil {
			return
		}
		if ev.Name() == "Cdr" {
			l.cdr[ev.Get("UniqueID")] = append(l.cdr[ev.Get("UniqueID")], ev.Get("Disposition"))
			continue
		}
		e := celEvent{name: ev.Get("EventName"), uniqueid: ev.Get("UniqueID"), at: ev.Received}
		var seconds float64
		if _, err := fmt.Sscan(ev.Get("Timestamp"), &seconds); err == nil {
			e.at = time.UnixMicro(int64(seconds * 1e6))
		}
		_ = json.Unmarshal([]byte(ev.Get("Extra")), &e.extra) // some have none
		l.cel[ev.Get("LinkedID")] = append(l.cel[ev.Get("LinkedID")], e)
	}
}

// compare looks for what the books say otherwise than a record, and returns which times are too far apart.
func (l *callLab) compare(t *testing.T, r *state.Record) (late []string) {
	t.Helper()
	log := l.logOf(r)
	near := func(what string, got, want time.Time) {
		t.Helper()
		differ := fmt.Sprintf("%s: %s is %v, CEL says %v", r.Linkedid, what, got, want)
		switch d := got.Sub(want).Abs(); {
		case got.IsZero() != want.IsZero():
			t.Error(differ)
		case d > tolerance:
			late = append(late, differ)
		}
	}
	first := func(name, uid string) (at time.Time) {
		for _, e := range log {
			if e.name == name && (uid == "" || e.uniqueid == uid) {
				return e.at
			}
		}
		return at
	}
	last := log[len(log)-1]
	near("the start", r.Start, first("CHAN_START", ""))
	near("the answer", r.Answer, first("ANSWER", ""))
	near("the end", r.End, last.at)
	for _, leg := range r.Legs {
		near(leg.Channel+"'s start", leg.Start, first("CHAN_START", leg.Uniqueid))
		near(leg.Channel+"'s answer", leg.Answer, first("ANSWER", leg.Uniqueid))
		near(leg.Channel+"'s end", leg.End, first("HANGUP", leg.Uniqueid))
		for _, e := range log {
			if cause, _ := e.extra["hangupcause"].(float64); e.name == "HANGUP" && e.uniqueid == leg.Uniqueid && int(cause) != leg.Cause {
				t.Errorf("%s: %s has the cause %d, CEL %v", r.Linkedid, leg.Channel, leg.Cause, cause)
			}
		}
	}
	if talk := talked(log); (talk - time.Duration(r.TalkUS)*time.Microsecond).Abs() > 2*tolerance {
		late = append(late, fmt.Sprintf("%s: it talked for %dµs, CEL says %v", r.Linkedid, r.TalkUS, talk))
	}
	if got, want := l.dispositions(r), dispositions[r.Outcome]; !slices.Contains(got, want) {
		t.Errorf("%s: the outcome is %s, and CDR has none that is %q but %q", r.Linkedid, r.Outcome, want, got)
	}
	if t.Failed() || len(late) > 0 {
		text, _ := json.MarshalIndent(r, "", "  ")
		t.Logf("%s", text)
		for _, e := range log {
			t.Logf("%s %-16s %s %v", e.at.UTC().Format("05.000000"), e.name, e.uniqueid, e.extra)
		}
	}
	return late
}

// logOf is what CEL has of a record's channels, under whatever Linkedid they had.
func (l *callLab) logOf(r *state.Record) (log []celEvent) {
	for _, events := range l.cel {
		for _, e := range events {
			if slices.ContainsFunc(r.Legs, func(leg state.Leg) bool { return leg.Uniqueid == e.uniqueid }) {
				log = append(log, e)
			}
		}
	}
	slices.SortStableFunc(log, func(a, b celEvent) int { return a.at.Compare(b.at) })
	return log
}

// talked adds up the times in which two or more of the channels were in one bridge.
func talked(log []celEvent) (total time.Duration) {
	in := map[string]int{}
	var since time.Time
	for _, e := range log {
		bridge, _ := e.extra["bridge_id"].(string)
		switch e.name {
		case "BRIDGE_ENTER":
			in[bridge]++
		case "BRIDGE_EXIT":
			in[bridge]--
		default:
			continue
		}
		talks := false
		for _, n := range in {
			talks = talks || n > 1
		}
		switch {
		case talks && since.IsZero():
			since = e.at
		case !talks && !since.IsZero():
			total += e.at.Sub(since)
			since = time.Time{}
		}
	}
	return total
}

// dispositions are what CDR calls outcomes. It has no congestion unless cdr.conf asks for it, and an answer is one to it who
// ever gave it.
var dispositions = map[string]string{
	"answered": "ANSWERED", "abandoned": "ANSWERED", "busy": "BUSY", "congestion": "FAILED", "no-answer": "NO ANSWER", "cancelled": "NO ANSWER",
	"unavailable": "FAILED", "failed": "FAILED",
}

// dispositions returns those of a record's channels, of which an answer outweighs all others.
func (l *callLab) dispositions(r *state.Record) (all []string) {
	for _, leg := range r.Legs {
		all = append(all, l.cdr[leg.Uniqueid]...)
	}
	if slices.Contains(all, "ANSWERED") {
		return []string{"ANSWERED"}
	}
	return all
}
