package state_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// A labWorld is a real Asterisk, what goes on at it, and who watches.
type labWorld struct {
	t       *testing.T
	version string
	rng     *rand.Rand
	driver  *ami.Node // gives the server something to do
	config  ami.Config
	watcher *state.Watcher

	mu   sync.Mutex
	conn net.Conn // guarded by mu: the watcher's, to be cut
}

// TestRealServers plays random calls, transfers, queues, conferences and parking on real servers, cuts the watcher's
// session twenty times in ten minutes and kills the server five times (with AMICTL_LAB_MAY_KILL=1), and compares each five
// seconds what is held with what somebody finds who comes new.
//
// AMICTL_STATE_LAB says how long, 30s if nothing is said: then there is one of each.
func TestRealServers(t *testing.T) {
	for _, version := range []string{"22", "16"} {
		t.Run(version, func(t *testing.T) {
			w := &labWorld{t: t, version: version, rng: rand.New(rand.NewPCG(uint64(environment("AMICTL_SEED", 1)), 2)), config: labConfig(t, version)}
			w.run()
		})
	}
}

func (w *labWorld) run() {
	length, err := time.ParseDuration(os.Getenv("AMICTL_STATE_LAB"))
	if err != nil {
		length = 30 * time.Second
	}
	idle := w.config
	idle.Events = "off"
	cluster := ami.NewCluster(ami.ClusterConfig{})
	defer cluster.Close()
	if w.driver, err = cluster.Add(idle); err != nil {
		w.t.Fatal(err)
	}
	own := w.config
	own.Wrap = func(c net.Conn) net.Conn {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.conn = c
		return c
	}
	watched := ami.NewCluster(ami.ClusterConfig{})
	defer watched.Close()
	if _, err := watched.Add(own); err != nil {
		w.t.Fatal(err)
	}
	if w.watcher, err = state.Follow(w.t.Context(), watched, state.Options{Audit: 20 * time.Second}); err != nil {
		w.t.Fatal(err)
	}
	defer w.watcher.Close()
	mirror := newMirror(w.t, w.watcher)
	defer mirror.close()
	compared, cuts, kills := 0, 0, 0
	for begin := time.Now(); time.Since(begin) < length && !w.t.Failed(); compared++ {
		done := float64(time.Since(begin)) / float64(length)
		if cuts < int(done*max(1, 20*length.Minutes()/10)+0.5) {
			cuts++
			w.cut()
		}
		if os.Getenv("AMICTL_LAB_MAY_KILL") == "1" && kills < int(done*max(1, 5*length.Minutes()/10)+0.5) {
			kills++
			w.kill()
		}
		for pause := time.Now().Add(5 * time.Second); time.Now().Before(pause); {
			w.act()
			time.Sleep(time.Duration(w.rng.Int64N(int64(200 * time.Millisecond))))
		}
		w.revive()
		w.compare()
	}
	w.do("Hangup", "Channel", "/^.*$/")
	time.Sleep(time.Second)
	w.compare()
	mirror.mu.Lock()
	defer mirror.mu.Unlock()
	n := w.watcher.Snapshot().Nodes[0]
	w.t.Logf("%d comparisons, %d sessions cut, %d kills, %d calls ended, node %+v", compared, cuts, kills, mirror.records, n)
	if n.Drift > 0 {
		w.t.Errorf("%d findings of audits that no event explains", n.Drift)
	}
}

// cut ends the watcher's session.
func (w *labWorld) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		_ = w.conn.Close()
	}
}

// kill ends the server as a crash would, and starts it again.
func (w *labWorld) kill() {
	w.lab("kill")
	w.lab("start")
}

func (w *labWorld) lab(verb string) {
	script := os.Getenv("AMICTL_LAB_SCRIPT")
	if out, err := exec.CommandContext(w.t.Context(), script, verb, w.version).CombinedOutput(); err != nil { //nolint:gosec // the lab's own
		w.t.Fatalf("%s %s %s: %v\n%s", script, verb, w.version, err, out)
	}
}

// revive starts a server again that has died by itself, as 16 does at times: "munmap_chunk(): invalid pointer".
func (w *labWorld) revive() {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	if w.driver.WaitReady(ctx) == nil || os.Getenv("AMICTL_LAB_MAY_KILL") != "1" {
		return
	}
	w.t.Logf("%s has died", w.version)
	w.lab("start")
}

func (w *labWorld) do(name string, headers ...string) *ami.Reply {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	action := ami.NewAction(name, headers...)
	action.WaitReady = true
	reply, _ := w.driver.Do(ctx, action) // a refusal is as good
	return reply
}

// channel returns the name of one that is up.
func (w *labWorld) channel() string {
	reply := w.do("CoreShowChannels")
	if reply == nil || len(reply.Events) == 0 {
		return "none"
	}
	return reply.Events[w.rng.IntN(len(reply.Events))].Get("Channel")
}

// act does something at random.
func (w *labWorld) act() {
	call := func(to, app, data string) {
		w.do("Originate", "Channel", "Local/"+to+"@default", "Application", app, "Data", data, "Async", "true",
			"CallerID", fmt.Sprintf(`"Caller %d" <%d>`, w.rng.IntN(100), 100+w.rng.IntN(100)))
	}
	pick := func(of ...string) string { return of[w.rng.IntN(len(of))] }
	switch w.rng.IntN(15) {
	case 0, 1:
		call(pick("100", "200", "100/n"), "Dial", pick("Local/202@default/n,5", "Local/203@default,5", "Local/302@default/n,2", "Local/300@default/n,2"))
	case 2, 3:
		call("100/n", "Queue", "support,r,,,"+pick("1", "30"))
	case 4:
		call("400", "Wait", "3")
	case 5:
		call("100/n", "ConfBridge", pick("room1", "room2"))
	case 6:
		call(pick("200", "201", "303"), "Wait", "1")
	case 7:
		w.do("Hangup", "Channel", w.channel())
	case 8:
		w.do("BlindTransfer", "Channel", w.channel(), "Context", "default", "Exten", pick("200", "202", "500"))
	case 9:
		w.do("Bridge", "Channel1", w.channel(), "Channel2", w.channel(), "Tone", "no")
	case 10:
		w.do("Park", "Channel", w.channel(), "Timeout", "3000")
	case 11:
		w.do("QueuePause", "Interface", pick("Local/202@default/n", "Local/203@default/n"), "Paused", pick("true", "false"), "Reason", "tea")
	case 12:
		w.do(pick("QueueAdd", "QueueRemove"), "Queue", "empty", "Interface", "Local/201@default")
	case 13:
		w.do("Redirect", "Channel", w.channel(), "Context", "default", "Exten", pick("200", "400", "500"), "Priority", "1")
	case 14:
		w.do("Setvar", "Channel", w.channel(), "Variable", "CHANNEL(accountcode)", "Value", pick("a", "b"))
	}
	if n := w.rng.IntN(40); n == 0 { // so that it does not grow without end
		w.do("Hangup", "Channel", "/^Local.*$/")
	}
}

// compare looks for an instant at which what is held and what a newcomer finds are equal; calls go on meanwhile.
func (w *labWorld) compare() {
	w.t.Helper()
	var diff string
	for begin := time.Now(); time.Since(begin) < time.Minute; { // a server that was killed is found again in half a minute
		fresh := ami.NewCluster(ami.ClusterConfig{})
		if _, err := fresh.Add(w.config); err != nil {
			w.t.Fatal(err)
		}
		watcher, err := state.Follow(w.t.Context(), fresh, state.Options{Audit: -1})
		if err != nil {
			w.t.Fatal(err)
		}
		for range 200 {
			if n := watcher.Snapshot().Nodes; len(n) == 1 && !n[0].Stale {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		for range 20 { // events of the one stream are a moment ahead of the other's
			found, held := watcher.Snapshot(), w.watcher.Snapshot()
			diff = cmp.Diff(known(found), known(held))
			if diff == "" && !held.Nodes[0].Stale {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		watcher.Close()
		_ = fresh.Close()
		if diff == "" {
			return
		}
	}
	w.t.Errorf("-fresh +held:\n%s", diff)
}

// known is comparable without what real servers tell by lists alone.
func known(p *state.Snapshot) map[string]any {
	all := comparable(p)
	for key, o := range all {
		switch o := o.(type) {
		case *state.Channel:
			c := *o
			c.Application, c.Data = "", "" // an Originate's application begins without a Newexten
			all[key] = &c
		case *state.Queue:
			q := *o
			q.Completed, q.HoldUS, q.TalkUS, q.ServicePerf = 0, 0, 0, ""
			all[key] = &q
		case *state.Member:
			m := *o
			m.LastCall, m.LastPause, m.Login, m.CallsTaken, m.InCall = time.Time{}, time.Time{}, time.Time{}, 0, false
			all[key] = &m
		case *state.Bridge:
			b := *o
			b.Technology = "" // it changes without an event
			all[key] = &b
		case *state.Parked:
			k := *o
			k.By = ""
			all[key] = &k
		case *state.Device:
			if strings.HasPrefix(o.Name, "Queue:") {
				delete(all, key)
			}
		}
	}
	return all
}
