package state_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// dial logs in to a server as a user with those rights.
func dial(t *testing.T, s *amitest.Server, write string) *ami.Conn {
	t.Helper()
	c, err := ami.Dial(t.Context(), ami.Config{Name: "pbx1", Addr: s.Addr(), Username: write, Secret: ami.StaticSecret("word")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func user(write string) amitest.User {
	return amitest.User{Name: write, Secret: "word", Write: amitest.ParseClass(write)}
}

// What is listed once is what there is, without an event; what may not be listed is told from what is not there.
func TestList(t *testing.T) {
	s := amitest.NewServer(amitest.WithName("pbx1"), amitest.WithUsers(user("reporting"), user("system,reporting")))
	defer s.Close()
	s.State().AddQueue(amitest.Queue{Name: "sales", Members: []amitest.QueueMember{{Name: "Alice", Interface: "PJSIP/alice"}}})
	s.State().AddEndpoint(amitest.Endpoint{Name: "alice", Contact: "sip:alice@192.0.2.1:5060"})
	c := s.Dial("", amitest.Channel{Name: "PJSIP/bob"})
	s.Answer(c.Uniqueid)
	s.JoinQueue("sales", c.Uniqueid)

	held, err := state.List(t.Context(), dial(t, s, "reporting"), "pbx1", state.KindQueue, state.KindMember, state.KindCaller, state.KindEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	type counts struct{ Queues, Members, Callers, Endpoints int }
	got := counts{len(held.Queues), len(held.Members), len(held.Callers), len(held.Endpoints)}
	if diff := cmp.Diff(counts{Queues: 1, Members: 1, Callers: 1}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if held.Queues[0].Callers != 1 || held.Callers[0].Joined.IsZero() {
		t.Errorf("the queue is %+v, its caller %+v", held.Queues[0], held.Callers[0])
	}
	known := func(n *state.Node) (how []string) {
		for _, k := range []state.Kind{state.KindQueue, state.KindEndpoint, state.KindNode} {
			how = append(how, n.Knows(k))
		}
		return how
	}
	if diff := cmp.Diff([]string{state.Listed, state.Events, state.Followed}, known(held.Nodes[0])); diff != "" || held.Nodes[0].Stale {
		t.Errorf("how it is known (-want +got):\n%s%+v", diff, held.Nodes[0])
	}

	held, err = state.List(t.Context(), dial(t, s, "system,reporting"), "pbx1", state.KindEndpoint)
	if err != nil {
		t.Fatal(err)
	}
	if len(held.Endpoints) != 1 || held.Nodes[0].Knows(state.KindEndpoint) != state.Listed {
		t.Errorf("there is %+v, of %+v", held.Endpoints, held.Nodes[0])
	}
}

func TestListFails(t *testing.T) {
	s := amitest.NewServer(amitest.WithName("pbx1"), amitest.WithUsers(user("system,reporting")))
	defer s.Close()
	c := dial(t, s, "system,reporting")
	if _, err := state.List(t.Context(), c, "pbx1", "channels"); err == nil {
		t.Error("a kind that there is not was listed")
	}
	s.Handle("QueueStatus", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.ListStart("Queue status will follow")
		w.Item("QueueParams", "Queue", "sales")
		w.Item("QueueStatusComplete", "EventList", "Complete", "ListItems", "7")
	})
	if held, err := state.List(t.Context(), c, "pbx1", state.KindQueue); !errors.Is(err, state.ErrShort) {
		t.Errorf("a list without its end came to %+v, %v", held, err)
	}
	_ = c.Close()
	if _, err := state.List(t.Context(), c, "pbx1", state.KindChannel); !errors.As(err, new(*ami.OpError)) {
		t.Errorf("without a session: %v", err)
	}
}
