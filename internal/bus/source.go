package bus

import (
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// batches are where a consumer's messages come from.
type batches interface {
	// next waits for the next message, until ctx is done.
	next(ctx context.Context) (jetstream.Msg, error)
	// acknowledge says that a message, and all before it, need not come again, and which batches of nodes are the last of these.
	acknowledge(last jetstream.Msg, places map[string]place)
	close()
}

// A source is the messages of a stream, from a start on. The client follows a stream that its server has for a while not, but not
// one that was deleted and made anew: it would wait for sequences that may come in years. When the servers have forgotten its consumer,
// as they do when they are killed, it makes another one, but may try so for good at a server that has gone.
type source struct {
	js jetstream.JetStream
	o  ReadOptions

	stream   jetstream.Stream
	made     time.Time // the stream was
	messages jetstream.MessagesContext
	last     uint64 // sequence of what was read last, or of what was there before the start; 0: none
	end      uint64 // of the last message when it began; 0: there was none to be read
	broken   bool   // messages gives none any more
}

// open begins to read, behind the last message if there is one.
func (s *source) open(ctx context.Context) (err error) {
	what := "read the stream of cluster " + s.o.Cluster
	if s.stream, err = s.js.Stream(ctx, eventStream(s.o.Cluster)); err != nil {
		return wrap(what, err)
	}
	info := s.stream.CachedInfo()
	s.made = info.Created
	// The client would try for good to make a consumer of the same name anew, also one that was to be on a server which has gone.
	c := jetstream.OrderedConsumerConfig{MaxResetAttempts: 1}
	if c.FilterSubjects, err = s.o.subjects(ctx, s.stream); err != nil {
		return err
	}
	c.DeliverPolicy, c.OptStartTime = s.o.Start.policy()
	if s.last > 0 || c.DeliverPolicy == jetstream.DeliverNewPolicy {
		// By its number: what a consumer of new messages has to make anew before the first, the client begins with the oldest.
		if s.last == 0 {
			s.last = info.State.LastSeq
		}
		c.DeliverPolicy, c.OptStartTime, c.OptStartSeq = jetstream.DeliverByStartSequencePolicy, nil, s.last+1
	}
	ordered, err := s.stream.OrderedConsumer(ctx, c)
	if err == nil {
		if ordered.CachedInfo().NumPending > 0 {
			s.end = info.State.LastSeq
		}
		s.messages, err = ordered.Messages(jetstream.PullHeartbeat(heartbeat))
	}
	return wrap(what, err)
}

// policy is a start as JetStream knows it.
func (s Start) policy() (jetstream.DeliverPolicy, *time.Time) {
	switch {
	case s.All:
		return jetstream.DeliverAllPolicy, nil
	case !s.Since.IsZero():
		return jetstream.DeliverByStartTimePolicy, &s.Since
	}
	return jetstream.DeliverNewPolicy, nil
}

// subjects are those of the nodes that are asked for, none if they cannot be told beforehand. The bus knows nodes by the case in
// which their bridges write them.
func (o *ReadOptions) subjects(ctx context.Context, stream jetstream.Stream) (all []string, err error) {
	if len(o.Nodes) == 0 || slices.ContainsFunc(o.Nodes, ami.IsGlob) {
		return nil, nil
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(subject.AllEvents(o.Cluster)))
	if err != nil {
		return nil, wrap("ask for the nodes of cluster "+o.Cluster, err)
	}
	for _, name := range o.Nodes {
		found := false
		for subj := range info.State.Subjects {
			if node, err := subject.Node(subj); err == nil && wire.EqualFold(node, name) {
				all, found = append(all, subj), true
			}
		}
		if !found { // it may come
			all = append(all, subject.Events(o.Cluster, name))
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

const (
	// While nothing comes the server says so each second. Nothing at all for two means that it has forgotten the consumer: that error
	// comes only if it is waited for longer.
	heartbeat = time.Second
	lookAfter = 3 * heartbeat // until a source looks whether its stream is still there
)

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
					s.last = at.Sequence.Stream
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
// of the batches; and behind the last message if the consumer is broken.
func (s *source) look(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, ackTime)
	defer cancel()
	stream, err := s.js.Stream(limited, eventStream(s.o.Cluster))
	if err != nil {
		return // the bus is away, or a bridge has yet to make the stream: it is asked again
	}
	anew := &source{js: s.js, o: s.o, last: s.last}
	switch same := stream.CachedInfo().Created.Equal(s.made); {
	case same && !s.broken:
		return
	case !same:
		anew.last, anew.o.Start = 0, Start{All: true}
	}
	if anew.open(limited) == nil { // else it is tried again
		s.close()
		*s = *anew
	}
}

// acknowledge has nothing to do: where an ordered consumer stands is known to its client alone.
func (s *source) acknowledge(jetstream.Msg, map[string]place) {}

func (s *source) close() { s.messages.Stop() }
