package state_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/state"
)

// ownCounters are what the server itself counts of its queues and their members.
func (l *callLab) ownCounters() map[string]string {
	counters := map[string]string{}
	reply := l.do("QueueStatus")
	for i := range reply.Events {
		switch e := &reply.Events[i]; e.Name() {
		case "QueueParams":
			counters[e.Get("Queue")] = fmt.Sprintf("completed %s, abandoned %s, sl %s", e.Get("Completed"), e.Get("Abandoned"), e.Get("ServicelevelPerf"))
		case "QueueMember":
			if n := e.Get("CallsTaken"); n != "0" {
				counters[e.Get("Queue")+" "+e.Get("Location")] = "completed " + n
			}
		}
	}
	return counters
}

// TestRealFigures compares what is counted of queues with a real server's own counters: calls that are answered, given up,
// that run out of time, that wait for longer than the service level.
func TestRealFigures(t *testing.T) {
	for _, version := range []string{"22", "16"} {
		t.Run(version, func(t *testing.T) {
			l := newCallLab(t, version)
			l.await(t, "the node is synced", func() bool {
				n := l.watcher.Snapshot().Nodes
				return len(n) == 1 && !n[0].Stale
			})
			l.finish(t)
			for _, m := range l.watcher.Snapshot().Members {
				if m.Queue == "empty" { // left there by another test
					l.do("QueueRemove", "Queue", "empty", "Interface", m.Interface)
				}
			}
			l.do("QueueReset")
			var mu sync.Mutex
			figures := state.NewFigures(state.FiguresOptions{})
			go func() {
				for ch, err := range l.watcher.Changes(t.Context()) {
					if err != nil {
						return
					}
					mu.Lock()
					figures.Add(&ch)
					mu.Unlock()
				}
			}()
			// Nobody who talks is hung up, and no agent has two calls: app_queue then counts fewer than were completed, by the moment.
			for range 3 {
				l.call("100/n", "Queue", "support,r,,,30")
				l.call("100/n", "Queue", "empty,r,,,1")
				l.pause(3.5)
				l.call("100/n", "Queue", "empty,r,,,30")
				l.pause(0.7)
				l.hangup("/^Local.100.*;1$/")
				l.pause(1)
			}
			l.finish(t)
			l.pause(4) // for what app_queue counts without telling
			want, got := l.ownCounters(), map[string]string{}
			mu.Lock()
			defer mu.Unlock()
			answered, abandoned := 0, 0
			for _, q := range figures.Queues(time.Now()) {
				answered, abandoned = answered+q.Answered, abandoned+q.Abandoned
				got[q.Queue] = fmt.Sprintf("completed %d, abandoned %d, sl %.1f", q.Completed, q.Abandoned, q.Service)
				for _, m := range q.Members {
					got[q.Queue+" "+m.Interface] = fmt.Sprintf("completed %d", m.Completed)
				}
				if q.Gaps > 0 || q.Offered != q.Answered+q.Abandoned+q.Left+q.Unknown {
					t.Errorf("%+v", q)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-server +counted:\n%s", diff)
			}
			if answered == 0 || abandoned == 0 {
				t.Errorf("%d were answered and %d abandoned", answered, abandoned)
			}
		})
	}
}
