package bus

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// Singles are the events of a node that go onto the bus one by one, behind the batches that hold them: what is not in the stream of
// batches is nowhere. They have a queue of their own, so that batches wait for nothing here. A nil *singles has no events.
type singles struct {
	chain
	bridge *bridge
	epoch  uint64
	whole  bool            // the owner before has stored all of his, and we have what comes behind
	gaps   uint64          // that were stored
	known  map[string]bool // names of events, and whether they are asked for

	mu     sync.Mutex // guards what follows
	queue  []ami.Event
	bytes  int  // of their text
	idle   bool // all that was taken out of the queue is stored
	closed bool
	came   chan struct{} // there is something in the queue, or it is closed
}

// What waits for the bus, of each node.
const (
	mostSingles      = 64 << 10
	mostSinglesBytes = 32 << 20

	// drainTime is how long the last of them may take, while the node waits for another owner.
	drainTime = 2 * time.Second
	mostKnown = 1000
)

// gapToken is the event in the subject of a gap.
const gapToken = "gap"

func newSingles(b *bridge, p *publisher, log *slog.Logger) *singles {
	if len(b.o.Each) == 0 {
		return nil
	}
	s := &singles{chain: p.chain, bridge: b, epoch: p.epoch, known: make(map[string]bool), came: make(chan struct{}, 1)}
	s.stream, s.subject, s.log = oneStream(b.o.Cluster), subject.NodeOne(b.o.Cluster, p.node), log.With(slog.String("stream", oneStream(b.o.Cluster)))
	s.restore = func(ctx context.Context) error { return ensureOne(ctx, b.js, b.o.Cluster, b.o.Storage) }
	return s
}

// begin publishes until end, which waits a while for what is in the queue.
func (s *singles) begin(ctx context.Context) (end func()) {
	if s == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.run(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("no more single events", slog.Any("error", err))
		}
	}()
	return func() {
		s.close()
		limit := time.AfterFunc(drainTime, cancel)
		defer limit.Stop()
		<-ended
		cancel()
	}
}

// wants reports whether an event is asked for. It is for the goroutine of the batches.
func (s *singles) wants(ev *ami.Event) bool {
	if s == nil || ev.Kind() != wire.Event {
		return false
	}
	wanted, known := s.known[ev.Name()]
	if !known {
		for _, glob := range s.bridge.o.Each {
			wanted = wanted || ami.MatchGlob(glob, ev.Name())
		}
		if len(s.known) < mostKnown {
			s.known[strings.Clone(ev.Name())] = wanted
		}
	}
	return wanted
}

// offer puts events and gaps of a stored batch into the queue. What it has no room for is a gap in its place.
func (s *singles) offer(events []ami.Event) {
	if s == nil || len(events) == 0 {
		return
	}
	s.mu.Lock()
	for i := range events {
		s.add(&events[i])
	}
	s.mu.Unlock()
	s.wake()
}

func (s *singles) add(ev *ami.Event) {
	if len(s.queue) < mostSingles && s.bytes < mostSinglesBytes {
		s.queue = append(s.queue, *ev)
		s.bytes += len(ev.Text())
		return
	}
	lost := uint64(1)
	if ev.Gap != nil {
		lost = ev.Gap.Dropped
	}
	if last := s.queue[len(s.queue)-1].Gap; last != nil && last.Reason == ami.GapOverflow {
		last.Dropped += lost
		return
	}
	s.queue = append(s.queue, gapOf(s.node, ami.GapOverflow, lost))
}

func (s *singles) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.wake()
}

func (s *singles) wake() {
	select {
	case s.came <- struct{}{}:
	default:
	}
}

// take waits for events; none mean that there will be no more.
func (s *singles) take(ctx context.Context) (all []ami.Event) {
	for {
		s.mu.Lock()
		all, s.queue, s.bytes = s.queue, nil, 0
		s.idle = len(all) == 0
		closed := s.closed
		s.mu.Unlock()
		if len(all) > 0 || closed {
			return all
		}
		select {
		case <-s.came:
		case <-ctx.Done():
			return nil
		}
	}
}

// drain reports whether all that was offered is stored, and waits a while for that. It is for the goroutine that offers.
func (s *singles) drain(ctx context.Context) bool {
	if s == nil {
		return false
	}
	limit := time.After(drainTime)
	for {
		s.mu.Lock()
		idle := s.idle && len(s.queue) == 0
		s.mu.Unlock()
		if idle {
			return true
		}
		select {
		case <-time.After(time.Millisecond):
		case <-limit:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

func (s *singles) run(ctx context.Context) error {
	if err := s.takeOver(ctx); err != nil {
		return err
	}
	var line []byte
	for {
		all := s.take(ctx)
		if len(all) == 0 {
			return nil
		}
		for i := range all {
			ev := &all[i]
			line = s.bridge.o.Line(line[:0], ev)
			err := s.put(ctx, ev, line)
			if errors.Is(err, nats.ErrMaxPayload) {
				gap := gapOf(s.node, batch.GapUnpublished, 1)
				err = s.put(ctx, &gap, s.bridge.o.Line(nil, &gap))
			}
			if err != nil {
				return err
			}
		}
	}
}

// takeOver stores a gap behind what the owner before wrote: nobody knows what he had yet to write, and from then on he cannot.
func (s *singles) takeOver(ctx context.Context) error {
	for {
		last, err := s.lastMessage(ctx)
		if err != nil {
			if err := s.again(ctx, err); err != nil {
				return err
			}
			continue
		}
		gap := gapOf(s.node, ami.GapDisconnect, 0)
		s.last = 0
		if last != nil {
			if epochOf(last.id()) > s.epoch {
				return errFenced
			}
			if s.last, gap.Gap.Since = last.Sequence, last.Time; s.whole {
				return nil
			}
		} else if err := s.confirm(ctx); err != nil { // there is nothing to stand behind
			return err
		}
		if err := s.put(ctx, &gap, s.bridge.o.Line(nil, &gap)); !errors.Is(err, errFenced) {
			return err
		}
	}
}

// put stores one event or gap, which its ID names.
func (s *singles) put(ctx context.Context, ev *ami.Event, line []byte) error {
	id := s.node + "." + strconv.FormatUint(s.epoch, 10) + "."
	if ev.Gap != nil {
		s.gaps++
		return s.store(ctx, subject.One(s.bridge.o.Cluster, s.node, gapToken), id+gapToken+"."+strconv.FormatUint(s.gaps, 10), line)
	}
	id += strconv.FormatUint(ev.Session, 10) + "." + strconv.FormatUint(ev.Seq, 10)
	return s.store(ctx, subject.One(s.bridge.o.Cluster, s.node, ev.Name()), id, line)
}

// epochOf reads the epoch of an ID of put; 0 if there is none.
func epochOf(id string) uint64 {
	for range 2 {
		id, _, _ = cutLast(id)
	}
	_, text, _ := cutLast(id)
	epoch, _ := strconv.ParseUint(text, 10, 64)
	return epoch
}
