package amitest

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A queue in which one call has ended, one was given up and one waits is the same wherever it is shown, and QueueReset starts
// its counters anew.
func TestQueueIsTheSameEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := NewNetwork()
		s := NewServer(WithNetwork(n), WithVersion(Version13))
		defer s.Close()
		s.State().AddQueue(Queue{Name: "sales", Strategy: "ringall", ServiceLevel: 5, Members: []QueueMember{{Name: "Alice", Interface: "PJSIP/alice", Status: 1}}})
		calls := func() (in string) {
			in = s.Dial("", Channel{Name: "PJSIP/trunk"}).Uniqueid
			s.Answer(in)
			s.JoinQueue("sales", in)
			return in
		}
		taken := calls()
		agent := s.Dial(taken, Channel{Name: "PJSIP/alice"}).Uniqueid
		s.ConnectQueue("sales", taken, "PJSIP/alice", agent)
		s.Hangup(taken, 16)
		s.Hangup(agent, 16)
		s.LeaveQueue("sales", calls(), true)
		waits := calls()
		time.Sleep(65 * time.Second)

		conn, err := n.DialContext(t.Context(), "tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		c := wrap(t, conn)
		c.line()
		c.login("off")
		name := s.State().channel(waits).Name
		ask := func(action string, packets int, want ...string) {
			t.Helper()
			got := c.ask(action)
			for range packets - 1 {
				got += "\n" + c.packet()
			}
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("%s has no %q:\n%s", action, w, got)
				}
			}
		}
		figures := func(completed, abandoned int, level string) string {
			return fmt.Sprintf("sales has 1 calls (max unlimited) in 'ringall' strategy (0s holdtime, 0s talktime), W:0, C:%d, A:%d, SL:%s%%", completed, abandoned, level)
		}
		caller := "      1. " + name + " (wait: 1:05, prio: 0)"
		ask("Action: QueueStatus", 5, "Calls: 1", "Completed: 1", "Abandoned: 1", "ServicelevelPerf: 100.0", "CallsTaken: 1", "Wait: 65")
		ask("Action: QueueSummary", 3, "Callers: 1", "LongestHoldTime: 65")
		ask("Action: Command\nCommand: queue show sales", 2, figures(1, 1, "100.0")+", SL2:100.0% within 5s", "has taken 1 calls (last was 65 secs ago)", caller)
		ask("Action: Queues", 1, figures(1, 1, "100.0")+" within 5s", "has taken 1 calls (last was 65 secs ago)", caller)
		ask("Action: QueueReset\nQueue: sales", 1, "Queue stats reset successfully")
		ask("Action: QueueStatus", 5, "Calls: 1", "Completed: 0", "Abandoned: 0", "ServicelevelPerf: 0.0", "CallsTaken: 0", "LastCall: 0")
		ask("Action: Queues", 1, figures(0, 0, "0.0")+" within 5s", "has taken no calls yet", caller)
	})
}
