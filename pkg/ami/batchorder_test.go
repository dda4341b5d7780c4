package ami_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/amitest"
)

// What comes right behind a list, or a refusal, is seen behind it: the answer is there before.
func TestBatchIsAheadOfWhatComesBehind(t *testing.T) {
	s := amitest.NewServer(amitest.WithName("pbx"))
	defer s.Close()
	const behind = "Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: Behind\r\n\r\n"
	s.Handle("List", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.ListStart("Here they are")
		w.Item("Thing", "Key", "1")
		w.ListEnd("ListComplete")
		w.Raw(behind)
	})
	s.Handle("Refuse", func(_ *amitest.Request, w *amitest.ResponseWriter) {
		w.Error("No such thing")
		w.Raw(behind)
	})
	c := mustDial(t, ami.Config{Name: "pbx", Addr: s.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret), Events: "on"})
	defer func() { _ = c.Close() }()
	events, err := c.Subscribe(ami.SubscribeOptions{Events: []string{"UserEvent"}})
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	var b ami.Batch[int]
	const many = 16 // that come in one read
	for range 100 {
		for i := range many {
			action := []string{"List", "Refuse"}[i%2]
			if err := b.Submit(t.Context(), c, ami.NewAction(action), i); err != nil {
				t.Fatal(err)
			}
		}
		deadline := time.Now().Add(10 * time.Second)
		for i := range many {
			for _, ok := events.PollBorrowed(); !ok; _, ok = events.PollBorrowed() {
				if runtime.Gosched(); time.Now().After(deadline) {
					t.Fatal("an event did not come")
				}
			}
			if r, ok := b.Poll(); !ok || r.Value != i || r.Reply == nil {
				t.Fatalf("event %d was seen before the answer that it stood behind: %v, %+v", i, ok, r)
			}
		}
	}
}

// Ready tells of what came before it was asked for, and of what comes.
func TestBatchReady(t *testing.T) {
	s := amitest.NewServer(amitest.WithName("pbx"))
	defer s.Close()
	c := mustDial(t, ami.Config{Name: "pbx", Addr: s.Addr(), Username: amitest.DefaultUser, Secret: ami.StaticSecret(amitest.DefaultSecret)})
	defer func() { _ = c.Close() }()
	var b ami.Batch[int]
	for i := range 100 {
		if err := b.Submit(t.Context(), c, ami.NewAction("CoreStatus"), i); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if _, err := c.Do(t.Context(), ami.NewAction("CoreStatus")); err != nil { // whose answer is behind the first
				t.Fatal(err)
			}
		}
		for taken := false; !taken; {
			select {
			case <-b.Ready():
			case <-time.After(10 * time.Second):
				t.Fatalf("round %d: nothing is ready", i)
			}
			for r, ok := b.Poll(); ok; r, ok = b.Poll() {
				if taken = true; r.Value != i || r.Err != nil {
					t.Fatalf("round %d: %+v", i, r)
				}
			}
		}
	}
	select {
	case <-b.Ready():
		if r, ok := b.Poll(); ok {
			t.Errorf("there is %+v", r)
		}
	default:
	}
}
