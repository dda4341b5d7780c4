package bus

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A source is the messages of a stream, from a start on. The client follows a stream that its server has for a while not, but not
// one that was deleted and made anew: it would wait for sequences that may come in years. Nor does it notice by itself when the
// servers have forgotten its consumer, as they do when they are killed.
type source struct {
	js jetstream.JetStream
	o  ReadOptions

	stream   jetstream.Stream
	made     time.Time // the stream was
	filters  []string  // subjects; none: all
	messages jetstream.MessagesContext
	last     uint64 // sequence of what was read last, or of what was there before the start; 0: none
	broken   bool   // messages gives none any more
	due      uint64 // sequence of what was there to be read, and had not come, when it was looked for last; 0: none
}

// open begins to read, behind the last message if there is one.
func (s *source) open(ctx context.Context) (err error) {
	what := "read the stream of cluster " + s.o.Cluster
	if s.stream, err = s.js.Stream(ctx, eventStream(s.o.Cluster)); err != nil {
		return wrap(what, err)
	}
	info := s.stream.CachedInfo()
	s.made = info.Created
	if s.filters, err = s.subjects(ctx); err != nil {
		return err
	}
	// The client would try for good to make a consumer of the same name anew, also one that was to be on a server which has gone.
	c := jetstream.OrderedConsumerConfig{FilterSubjects: s.filters, MaxResetAttempts: 1}
	switch {
	case s.last == 0 && s.o.Start.All:
		c.DeliverPolicy = jetstream.DeliverAllPolicy
	case s.last == 0 && !s.o.Start.Since.IsZero():
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &s.o.Start.Since
	default: // by its number: what a consumer of new messages has to make anew before the first, the client begins with the oldest
		if s.last == 0 {
			s.last = info.State.LastSeq
		}
		c.DeliverPolicy, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, s.last+1
	}
	ordered, err := s.stream.OrderedConsumer(ctx, c)
	if err == nil {
		s.messages, err = ordered.Messages()
	}
	return wrap(what, err)
}

// subjects are those of the nodes that are asked for, none if they cannot be told beforehand. The bus knows nodes by the case in
// which their bridges write them.
func (s *source) subjects(ctx context.Context) (all []string, err error) {
	if len(s.o.Nodes) == 0 || slices.ContainsFunc(s.o.Nodes, ami.IsGlob) {
		return nil, nil
	}
	info, err := s.stream.Info(ctx, jetstream.WithSubjectFilter(subject.AllEvents(s.o.Cluster)))
	if err != nil {
		return nil, wrap("ask for the nodes of cluster "+s.o.Cluster, err)
	}
	for _, name := range s.o.Nodes {
		found := false
		for subj := range info.State.Subjects {
			if node, err := subject.Node(subj); err == nil && wire.EqualFold(node, name) {
				all, found = append(all, subj), true
			}
		}
		if !found { // it may come
			all = append(all, subject.Events(s.o.Cluster, name))
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// lookAfter is how long nothing has to come until a source looks whether its stream is still there, and whether nothing should have
// come.
const lookAfter = time.Second

// next waits for the next message, until ctx is done or the connection was closed.
func (s *source) next(ctx context.Context) (jetstream.Msg, error) {
	for {
		if s.broken {
			select {
			case <-time.After(retryWait):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		} else {
			limited, cancel := context.WithTimeout(ctx, lookAfter)
			m, err := s.messages.Next(jetstream.NextContext(limited))
			s.broken = err != nil && limited.Err() == nil
			cancel()
			switch {
			case err == nil:
				if at, err := m.Metadata(); err == nil {
					s.last, s.due = at.Sequence.Stream, 0
				}
				return m, nil
			case ctx.Err() != nil, s.js.Conn().IsClosed():
				return nil, err
			}
		}
		s.look(ctx)
	}
}

// look begins anew: with the first message of a stream that was made anew, those that were lost with the one before show in the places
// of the batches; and behind the last message if the consumer is broken, or the same message is due for a second time.
func (s *source) look(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, ackTime)
	defer cancel()
	stream, err := s.js.Stream(limited, eventStream(s.o.Cluster))
	if err != nil {
		return // the bus is away, or a bridge has yet to make the stream: it is asked again
	}
	anew := &source{js: s.js, o: s.o, last: s.last}
	switch before := s.due; {
	case !stream.CachedInfo().Created.Equal(s.made):
		anew.last, anew.o.Start = 0, Start{All: true}
	case !s.broken:
		if s.due, err = s.firstBehind(limited, stream); err != nil || s.due == 0 || s.due != before {
			return
		}
	}
	if anew.open(limited) == nil { // else it is tried again
		s.close()
		*s = *anew
	}
}

// firstBehind is the sequence of the first message behind the last that was read; 0: there is none.
func (s *source) firstBehind(ctx context.Context, stream jetstream.Stream) (first uint64, err error) {
	if stream.CachedInfo().State.LastSeq <= s.last {
		return 0, nil
	}
	filters := s.filters
	if len(filters) == 0 {
		filters = []string{subject.AllEvents(s.o.Cluster)}
	}
	for _, filter := range filters {
		m, err := stream.GetMsg(ctx, s.last+1, jetstream.WithGetMsgSubject(filter))
		switch {
		case errors.Is(err, jetstream.ErrMsgNotFound):
		case err != nil:
			return 0, err
		case first == 0 || m.Sequence < first:
			first = m.Sequence
		}
	}
	return first, nil
}

func (s *source) close() { s.messages.Stop() }
