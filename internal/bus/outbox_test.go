package bus

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/internal/manager"
	"github.com/apntalk/amictl/pkg/ami"
)

// A reader notes what an outbox lets out, as if it wrote it; what it is told of between stands between.
type outboxReader struct {
	o    *outbox
	read []string
	done chan struct{}
}

// reading reads an outbox that begins behind batch 10, until the session ends. The test runs in a bubble.
func reading(mask manager.Class) *outboxReader {
	r := &outboxReader{o: newOutbox(mask, 10), done: make(chan struct{})}
	go func() {
		defer close(r.done)
		for {
			text, ok := r.o.take()
			if !ok {
				return
			}
			for packet := range strings.SplitAfterSeq(string(text), "\r\n\r\n") {
				if _, rest, ok := strings.Cut(packet, "N: "); ok {
					n, _, _ := strings.Cut(rest, "\r\n")
					r.read = append(r.read, n)
				}
			}
		}
	}()
	return r
}

var epochOfTest = time.Unix(1_700_000_000, 0)

// batch puts a batch of events in the outbox.
func (r *outboxReader) batch(at uint64, received time.Time, events ...int) {
	for _, n := range events {
		r.o.add(&ami.Event{Message: anEvent(fmt.Sprintf("Event: E\r\nPrivilege: call,all\r\nN: %d\r\n\r\n", n)).Message, Received: received})
	}
	r.o.end(at)
}

func (r *outboxReader) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(want, r.read); diff != "" {
		t.Errorf("-want +read:\n%s", diff)
	}
}

// answer is a request whose answer belongs behind a batch; its place is noted when it may be written.
func (r *outboxReader) answer(ctx context.Context, behind uint64, oldest time.Time) (ok <-chan bool) {
	end := make(chan bool, 1)
	go func() {
		may := r.o.await(ctx, behind)
		if may {
			r.read = append(r.read, "answer")
		}
		r.o.free(oldest)
		end <- may
	}()
	return end
}

// Events wait while an answer is due, and it comes behind the batch that it belongs behind, whether that comes before it or later.
func TestOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := reading(manager.All)
		r.batch(11, epochOfTest, 1, 2)
		r.want(t, "1", "2")
		r.o.hold()
		r.batch(13, epochOfTest, 3)
		r.batch(17, epochOfTest, 4, 5)
		r.want(t, "1", "2")
		if !<-r.answer(t.Context(), 13, time.Time{}) { // its batch was there before
			t.Error("no answer may be written")
		}
		r.want(t, "1", "2", "3", "answer", "4", "5")
		r.o.hold()
		ok := r.answer(t.Context(), 21, time.Time{})
		r.batch(20, epochOfTest, 6)
		r.want(t, "1", "2", "3", "answer", "4", "5", "6")
		r.batch(21, epochOfTest) // nothing in it is for this session
		r.batch(22, epochOfTest, 7)
		if !<-ok {
			t.Error("no answer may be written")
		}
		r.want(t, "1", "2", "3", "answer", "4", "5", "6", "answer", "7")
		r.o.hold()
		if !<-r.answer(t.Context(), 5, time.Time{}) { // a batch from before the session
			t.Error("no answer may be written")
		}
		r.o.close()
		<-r.done
	})
}

// What came before a loss is written, also where an answer is due; then the session ends.
func TestOutboxEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := reading(manager.All)
		r.o.hold()
		ok := r.answer(t.Context(), 12, time.Time{})
		r.batch(11, epochOfTest, 1)
		r.o.add(&ami.Event{Message: anEvent("Event: E\r\nPrivilege: call,all\r\nN: 2\r\n\r\n").Message, Received: epochOfTest})
		r.o.finish() // in the midst of batch 12
		r.batch(12, epochOfTest, 3)
		if <-ok {
			t.Error("an answer stands behind a loss")
		}
		<-r.done
		r.want(t, "1", "2")
	})
	synctest.Test(t, func(t *testing.T) {
		r := reading(manager.All)
		ctx, cancel := context.WithCancel(t.Context())
		r.o.hold()
		ok := r.answer(ctx, 12, time.Time{})
		synctest.Wait()
		cancel()
		if <-ok {
			t.Error("an answer that nobody waits for any more")
		}
		r.batch(12, epochOfTest, 1)
		r.want(t, "1")
		r.o.close()
		<-r.done
	})
}

// A session ends where events are too many, or so old that the answer before them is too far ahead.
func TestOutboxGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := reading(manager.All)
		r.o.hold()
		if !<-r.answer(t.Context(), 10, epochOfTest) {
			t.Error("no answer may be written")
		}
		r.batch(11, epochOfTest, 1)
		r.want(t, "answer", "1")
		r.batch(12, epochOfTest.Add(-1), 2)
		<-r.done
		r.want(t, "answer", "1")
	})
	synctest.Test(t, func(t *testing.T) {
		r := reading(manager.All)
		r.o.hold()
		for at := uint64(11); !r.o.last; at++ {
			r.o.batch = make([]byte, mostWaiting/4)
			r.o.end(at)
		}
		<-r.done
		if r.o.bytes > 0 {
			t.Errorf("%d bytes wait", r.o.bytes)
		}
	})
}

// A session gets the classes that it asks for, and each event says when it was made, or else when its bridge had it.
func TestOutboxOfAMask(t *testing.T) {
	o := newOutbox(manager.Call, 0)
	at := time.UnixMicro(1_700_000_000_000_042)
	for _, text := range []string{
		"Event: A\r\nPrivilege: call,all\r\nN: 1\r\n\r\n",
		"Event: B\r\nPrivilege: call,all\r\nTimestamp: 1.5\r\nN: 2\r\n\r\n",
		"Event: C\r\nPrivilege: call,all\r\nSequenceNumber: 7\r\nTimestamp: 2.5\r\nN: 3\r\n\r\n",
		"Event: D\r\nPrivilege: dialplan,all\r\nN: 4\r\n\r\n",
		"Event: E\r\nPrivilege: call,reporting,all\r\nN: 5\r\n\r\n",
		"Response: Success\r\nPrivilege: call,all\r\n\r\n",
		"Event: F\r\nPrivilege: call,all\r\n\r\n",
	} {
		o.add(&ami.Event{Message: anEvent(text).Message, Received: at})
	}
	o.end(1)
	text, _ := o.take()
	want := "Event: A\r\nPrivilege: call,all\r\nTimestamp: 1700000000.000042\r\nN: 1\r\n\r\n" +
		"Event: B\r\nPrivilege: call,all\r\nTimestamp: 1.5\r\nN: 2\r\n\r\n" +
		"Event: C\r\nPrivilege: call,all\r\nSequenceNumber: 7\r\nTimestamp: 2.5\r\nN: 3\r\n\r\n" +
		"Event: F\r\nPrivilege: call,all\r\nTimestamp: 1700000000.000042\r\n\r\n"
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("-want +written:\n%s", diff)
	}
}
