package state

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A clocked core tells figures what it makes of events at times of the test's.
type clocked struct {
	*core
	t       *testing.T
	figures *Figures
}

func newClocked(t *testing.T, o FiguresOptions) *clocked {
	return &clocked{newCore(100, []Kind{KindQueueCall}), t, NewFigures(o)}
}

func (c *clocked) say(after time.Duration, name string, kv ...string) {
	c.event("pbx", 1, message(name, kv...), clockStart.Add(after))
	c.pass()
}

func (c *clocked) pass() {
	for _, ch := range c.take() {
		c.figures.Add(&ch)
	}
}

// caller is the headers of a caller in queue q.
func caller(id string, more ...string) []string {
	return append([]string{"Queue", "q", "Position", "1", "Channel", "PJSIP/c-" + id, "Uniqueid", id, "Linkedid", id}, more...)
}

func by(member, hold string) []string {
	return []string{"Interface", "PJSIP/" + member, "MemberName", member, "HoldTime", hold, "DestUniqueid", "m" + member}
}

// through lets a caller come at a time, wait, and talk.
func (c *clocked) through(id, member string, at, wait, talk time.Duration) {
	hold := fmt.Sprint(int(wait / time.Second))
	c.say(at, "QueueCallerJoin", caller(id)...)
	c.say(at+wait, "QueueCallerLeave", caller(id)...)
	c.say(at+wait, "AgentConnect", caller(id, by(member, hold)...)...)
	c.say(at+wait+talk, "AgentComplete", caller(id, by(member, hold)...)...)
}

// brief is what of a queue's figures matters here.
func brief(q *QueueFigures) string {
	s := fmt.Sprintf("offered %d answered %d (%d, %.1f%%) completed %d abandoned %d left %d unknown %d sl2 %.1f%% wait %v/%v talk %v gaps %d",
		q.Offered, q.Answered, q.InTime, q.Service, q.Completed, q.Abandoned, q.Left, q.Unknown, q.Within,
		time.Duration(q.WaitAvgUS)*time.Microsecond, time.Duration(q.WaitP95US)*time.Microsecond, time.Duration(q.TalkUS)*time.Microsecond, q.Gaps)
	for _, m := range q.Members {
		s += fmt.Sprintf("; %s %d/%d", m.Name, m.Answered, m.Completed)
	}
	return s
}

func (c *clocked) want(after time.Duration, want string) {
	c.t.Helper()
	got := "nothing"
	if all := c.figures.Queues(clockStart.Add(after)); len(all) > 0 {
		got = brief(all[0])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Errorf("-want +got:\n%s", diff)
	}
}

// countedQueues are what happens in a queue, and its figures an hour later.
var countedQueues = map[string]struct {
	play func(*clocked)
	want string
}{
	"answered, in time and not": {func(c *clocked) {
		c.through("1", "alice", 0, 20*time.Second, 60*time.Second)
		c.through("2", "bob", 0, 21*time.Second, 30*time.Second)
	}, "offered 2 answered 2 (1, 50.0%) completed 2 abandoned 0 left 0 unknown 0 sl2 50.0% wait 20.5s/21s talk 1m30s gaps 0; alice 1/1; bob 1/1"},
	"by the server's own seconds": {
		func(c *clocked) { c.through("1", "alice", 0, 20*time.Second+999*time.Millisecond, time.Second) },
		"offered 1 answered 1 (1, 100.0%) completed 1 abandoned 0 left 0 unknown 0 sl2 100.0% wait 20.999s/20.999s talk 1s gaps 0; alice 1/1",
	},
	"given up": {func(c *clocked) {
		c.say(0, "QueueCallerJoin", caller("1")...)
		c.say(5*time.Second, "QueueCallerAbandon", caller("1", "HoldTime", "5")...)
		c.say(5*time.Second, "QueueCallerLeave", caller("1")...)
		c.say(6*time.Second, "Hangup", caller("1")...)
	}, "offered 1 answered 0 (0, 0.0%) completed 0 abandoned 1 left 0 unknown 0 sl2 100.0% wait 0s/0s talk 0s gaps 0"},
	"left by a key": {func(c *clocked) {
		c.say(0, "QueueCallerJoin", caller("1")...)
		c.say(5*time.Second, "QueueCallerLeave", caller("1")...)
		c.say(5*time.Second, "Newexten", caller("1", "Application", "Playback")...)
	}, "offered 1 answered 0 (0, 0.0%) completed 0 abandoned 0 left 1 unknown 0 sl2 0.0% wait 0s/0s talk 0s gaps 0"},
	"an AGI of the queue's own is no leaving": {func(c *clocked) {
		c.say(0, "QueueCallerJoin", caller("1")...)
		c.say(5*time.Second, "QueueCallerLeave", caller("1")...)
		c.say(5*time.Second, "Newexten", caller("1", "Application", "AGI")...)
		c.say(6*time.Second, "AgentConnect", caller("1", by("alice", "6")...)...)
	}, "offered 1 answered 1 (1, 100.0%) completed 0 abandoned 0 left 0 unknown 0 sl2 100.0% wait 6s/6s talk 0s gaps 0; alice 1/0"},
	"one that began before anybody looked": {func(c *clocked) {
		c.say(30*time.Second, "AgentComplete", caller("1", append(by("alice", "4"), "TalkTime", "9")...)...)
	}, "offered 0 answered 0 (0, 0.0%) completed 1 abandoned 0 left 0 unknown 0 sl2 0.0% wait 0s/0s talk 9s gaps 0; alice 0/1"},
	"the caller is gone when it is over": {func(c *clocked) {
		c.through("1", "alice", 0, time.Second, time.Second)
		c.say(2*time.Second, "QueueCallerJoin", caller("2")...)
		c.say(3*time.Second, "AgentConnect", caller("2", by("bob", "1")...)...)
		c.say(9*time.Second, "AgentComplete", append([]string{"Queue", "q"}, by("bob", "1")...)...)
	}, "offered 2 answered 2 (2, 100.0%) completed 2 abandoned 0 left 0 unknown 0 sl2 100.0% wait 1s/1s talk 7s gaps 0; alice 1/1; bob 1/1"},
	"its end was not told": {func(c *clocked) {
		c.say(0, "Newchannel", channel("1", "6")...)
		c.say(0, "QueueCallerJoin", caller("1")...)
		c.say(time.Second, "AgentConnect", caller("1", by("bob", "1")...)...)
		c.tick(clockStart.Add(2 * time.Second))
		c.say(5*time.Second, "Hangup", channel("1", "6", "Cause", "16")...)
		for n := range 4 {
			c.tick(clockStart.Add(time.Duration(6+n) * time.Second))
		}
		c.say(9*time.Second, "AgentComplete", caller("1", by("bob", "1")...)...) // late, and counted already
	}, "offered 1 answered 1 (1, 100.0%) completed 1 abandoned 0 left 0 unknown 0 sl2 100.0% wait 1s/1s talk 4s gaps 0; bob 1/1"},
	"he is gone behind a gap": {func(c *clocked) {
		c.say(0, "Newchannel", channel("1", "6")...)
		c.say(0, "QueueCallerJoin", caller("1")...)
		c.tick(clockStart.Add(time.Second))
		gap(c.core)
		listedOn(2, "channels", 0)(c.core)
		listedOn(2, "queues", 0)(c.core)
		for n := range 20 {
			c.tick(clockStart.Add(time.Duration(6+n) * time.Second))
		}
		c.pass()
	}, "offered 1 answered 0 (0, 0.0%) completed 0 abandoned 0 left 0 unknown 1 sl2 0.0% wait 0s/0s talk 0s gaps 1"},
	"a list is ahead of him": {func(c *clocked) { // it has him in the next queue call already
		c.say(0, "Newchannel", channel("1", "6")...)
		c.say(0, "QueueCallerJoin", caller("1")...)
		listed("queues", 1, message("QueueEntry", "Queue", "r", "Position", "1", "Uniqueid", "1", "Wait", "0"))(c.core)
		c.say(time.Second, "QueueCallerAbandon", caller("1", "HoldTime", "1")...)
		c.say(time.Second, "QueueCallerLeave", caller("1")...)
	}, "offered 1 answered 0 (0, 0.0%) completed 0 abandoned 1 left 0 unknown 0 sl2 100.0% wait 0s/0s talk 0s gaps 0"},
}

func TestFigures(t *testing.T) {
	for name, test := range countedQueues {
		t.Run(name, func(t *testing.T) {
			c := newClocked(t, FiguresOptions{})
			test.play(c)
			c.want(time.Hour, test.want)
		})
	}
}

// Of the last minute only what was in it counts, each step of a call at its own time.
func TestFiguresOfTheLast(t *testing.T) {
	const s = time.Second
	c := newClocked(t, FiguresOptions{Last: time.Minute, ServiceLevel: 5 * s})
	c.through("1", "alice", 0, 10*s, 40*s)
	c.through("2", "bob", 30*s, 2*s, 5*s)
	c.want(55*s, "offered 2 answered 2 (1, 50.0%) completed 2 abandoned 0 left 0 unknown 0 sl2 50.0% wait 6s/10s talk 45s gaps 0; alice 1/1; bob 1/1")
	c.want(65*s, "offered 1 answered 2 (1, 50.0%) completed 2 abandoned 0 left 0 unknown 0 sl2 50.0% wait 6s/10s talk 45s gaps 0; alice 1/1; bob 1/1")
	c.want(100*s, "offered 0 answered 0 (0, 0.0%) completed 1 abandoned 0 left 0 unknown 0 sl2 0.0% wait 0s/0s talk 40s gaps 0; alice 0/1")
	c.want(time.Hour, "offered 0 answered 0 (0, 0.0%) completed 0 abandoned 0 left 0 unknown 0 sl2 0.0% wait 0s/0s talk 0s gaps 0")
}

// Whatever a server says, figures are bounded: counts go on, times are of the last calls.
func TestFiguresAreBounded(t *testing.T) {
	for _, last := range []time.Duration{0, 1000 * time.Hour} {
		f := NewFigures(FiguresOptions{Last: last})
		const n = 2 * maxSamples
		for i := range n {
			at := clockStart.Add(time.Duration(i) * time.Second)
			f.Add(&Change{Op: OpStep, Object: &QueueCall{Queue: "q", State: QueueTalking, Answered: at, WaitUS: int64(i), Member: fmt.Sprint("m", i%10), HoldS: -1}})
		}
		q := f.Queues(clockStart.Add(n * time.Second))[0]
		if kept := len(f.queues[[2]string{"", "q"}].samples); kept > maxSamples*5/4 {
			t.Errorf("last %v: %d samples are kept", last, kept)
		}
		switch {
		case last == 0 && (q.Answered != n || len(q.Members) != 10):
			t.Errorf("%d were answered, by %d, want %d", q.Answered, len(q.Members), n)
		case last > 0 && (q.Answered > maxSamples*5/4 || q.Since.IsZero()):
			t.Errorf("%d were answered since %v", q.Answered, q.Since)
		}
		if q.WaitP95US < n*9/10 {
			t.Errorf("last %v: the 95th percentile is %d", last, q.WaitP95US)
		}
	}
}
