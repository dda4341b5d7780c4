package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nuid"

	"github.com/apntalk/amictl/pkg/ami"
)

// errMoved: the node was handed over to another bridge.
var errMoved = errors.New("bus: the node was moved to another bridge")

// mostMarks is how many events may come between two bridges that compare theirs: some seconds of a flood.
const mostMarks = 1 << 20

// A departure is the way of a node from its owner to another bridge, without a gap.
//
// The other bridge begins a session of its own, while the owner goes on. Each asks the server for an answer on its session: what was sent
// to everybody before the server saw the question stands before the answer. So the owner knows that the other's first event is
// among those that he has read since he asked, and that he has all that the other had when it answered. If those stand at one place
// only, he knows which of his is the other's first (align). Then he stores what he has read, and gives the lease to the other bridge by
// one write, which also says how many of its events are stored. That write decides: before it the node is the owner's, who has
// lost nothing and goes on if anything fails, and behind it the other's.
type departure struct {
	id string // of the move
	to string // the process

	mu      sync.Mutex // guards what follows
	marks   []mark     // of what was read since begin
	broken  bool       // events are missing among them, or there are too many
	aligned bool       // the node is to be handed over now
	first   int        // of marks: the other's first event
	attempt int        // that began; for compare alone, and then for whoever has claimed it
	claimed bool       // whoever puts events into batches hands it over, or has given that up
	over    bool       // nothing comes of it any more

	ended chan error // gets what became of it once it is claimed: nil if the lease is the other's
}

func newDeparture(to string) *departure {
	return &departure{id: nuid.Next(), to: to, ended: make(chan error, 1)}
}

// begin forgets what was read.
func (d *departure) begin(attempt int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.marks, d.broken, d.attempt = d.marks[:0], false, attempt
}

// lost reports whether events are missing since begin.
func (d *departure) lost() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.broken
}

// note takes what the owner puts into a batch.
func (d *departure) note(ev *ami.Event) {
	m, ok := markOf(ev)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case ev.Gap != nil || len(d.marks) == mostMarks:
		d.broken = true
	case ok:
		d.marks = append(d.marks, m)
	}
}

// align reports whether it is known where the other's first event stands. From then on the node is to be handed over.
func (d *departure) align(comes []mark) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.broken {
		d.first, d.aligned = align(d.marks, comes)
	}
	return d.aligned
}

// claim reports whether the node is to be handed over now, once.
func (d *departure) claim() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.aligned || d.over || d.claimed {
		return false
	}
	d.claimed = true
	return true
}

// giveUp reports whether the node stays: false if it is being handed over in this moment.
func (d *departure) giveUp() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	return !d.claimed
}

// handedOver is what the other bridge has to know: it stands in the lease that is given to it.
type handedOver struct {
	Move    string `json:"move"`
	Attempt int    `json:"attempt"`
	Skip    int    `json:"skip"`    // so many of its events for everybody are stored
	Digest  string `json:"digest"`  // of their marks
	Behind  string `json:"behind"`  // the last batch
	Singles bool   `json:"singles"` // all single events of these are stored, too
	From    uint64 `json:"from"`    // see tenure
}

// handOver gives the node to another bridge: all that was read is stored. nil means that it is still ours, and events go on.
func (o *owner) handOver(ctx context.Context, p *publisher, d *departure) error {
	d.mu.Lock()
	broken, marks := d.broken, d.marks[d.first:]
	d.mu.Unlock()
	if broken {
		d.ended <- errors.New("events are missing since the other bridge began to read")
		return nil
	}
	note := &handedOver{Move: d.id, Attempt: d.attempt, Skip: len(marks), Digest: digestOf(marks), Behind: p.id(p.number), Singles: o.singles.drain(ctx), From: o.actions.from}
	o.actions.hold(true) // what comes from now on is refused, by us or by the other bridge
	err := o.lease.pass(ctx, d.to, note)
	d.ended <- wrap("hand the lease over", err)
	switch {
	case err == nil:
		return errMoved
	case ctx.Err() != nil || errors.Is(err, errTaken):
		return err
	}
	o.actions.hold(false)
	return nil
}

// depart moves the node to another bridge, unless ctx ends before it is known how.
func (o *owner) depart(ctx context.Context, d *departure) error {
	o.departure.Store(d)
	defer o.departure.Store(nil)
	err := o.compare(ctx, d)
	if err != nil {
		return err
	}
	o.interrupt()
	select {
	case err = <-d.ended:
		return err
	case <-o.gone:
		err = errNotOwner
	case <-ctx.Done():
		err = ctx.Err()
	}
	if !d.giveUp() {
		err = <-d.ended
	}
	return err
}

// errNotOwner: the owner has lost the node, or is about to give it back.
var errNotOwner = errors.New("the bridge that owned it no longer does")

// Pauses between two comparisons, which may fail because the same events come again and again.
const (
	compareWait     = 5 * time.Millisecond
	compareWaitMost = 50 * time.Millisecond

	// So many events, or what comes within such a time, have to be the same in both: two servers, or two users who see different events, are
	// not the same for a moment alone.
	enoughAlike = 16
	lookFor     = 200 * time.Millisecond

	// mostAlike is how many events are compared until it is better to begin anew.
	mostAlike = 1024
)

// compare compares what is read here with what the other bridge reads, until it is known where the one stands in the other. Both begin
// anew where nothing comes, as there is then nothing to compare, and where what comes tells nothing.
func (o *owner) compare(ctx context.Context, d *departure) error {
	wait, anew, before := compareWait, true, 0
	var begun time.Time
	var session uint64
	for attempt := 1; ; attempt++ {
		if anew {
			base, err := o.session.Ping(ctx)
			if err != nil {
				return err
			}
			d.begin(attempt)
			begun, session = time.Now(), base.Session
		}
		answer, err := o.bridge.ask(ctx, &takeRequest{Op: takeCome, To: d.to, Node: o.node.Name, Move: d.id, Attempt: d.attempt})
		if err != nil {
			return err
		}
		comes := unpackMarks(answer.Marks)
		same := !answer.Again
		if same {
			if same, err = o.catchUp(ctx, session); err != nil {
				return err
			}
			if same && (len(comes) >= enoughAlike || time.Since(begun) > lookFor) && d.align(comes) {
				return nil
			}
		}
		nothing := len(comes) == before && time.Since(begun) > lookFor
		anew, before = !same || nothing || len(comes) > mostAlike || d.lost(), len(comes)
		select {
		case <-time.After(wait):
		case <-o.gone:
			return errNotOwner
		case <-ctx.Done():
			return fmt.Errorf("the events that both bridges read could not be told apart, or are not the same: %w", ctx.Err())
		}
		wait = min(2*wait, compareWaitMost)
	}
}

// catchUp returns when all is in a batch that the server has sent by now. It reports whether that is still the same session: where another one
// began, events are missing, although their gap may have yet to come.
func (o *owner) catchUp(ctx context.Context, session uint64) (same bool, err error) {
	now, err := o.session.Ping(ctx)
	if err != nil {
		return false, err
	}
	st := o.session.Events.Stats()
	for o.passed.Load() < st.Delivered+st.Queued {
		select {
		case <-time.After(time.Millisecond):
		case <-o.gone:
			return false, errNotOwner
		case <-ctx.Done():
			return false, fmt.Errorf("events wait for the bus: %w", ctx.Err())
		}
	}
	return now.Session == session, nil
}
