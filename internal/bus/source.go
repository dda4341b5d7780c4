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

// batches are where a consumer's messages come from.
type batches interface {
	// next waits for the next message, until ctx is done.
	next(ctx context.Context) (jetstream.Msg, error)
	// acknowledge says that a message, and all before it, need not come again, and which batches of nodes are the last of these.
	acknowledge(last jetstream.Msg, places map[string]place)
	close()
}

// A source is the messages of a stream, from a start on. The client follows a stream that its server has for a while not, but not
// one that was deleted and made anew: it would wait for sequences that may come in years.
type source struct {
	js jetstream.JetStream
	o  ReadOptions

	stream   jetstream.Stream
	made     time.Time // the stream was
	messages jetstream.MessagesContext
}

// open begins to read.
func (s *source) open(ctx context.Context) (err error) {
	what := "read the stream of cluster " + s.o.Cluster
	if s.stream, err = s.js.Stream(ctx, eventStream(s.o.Cluster)); err != nil {
		return wrap(what, err)
	}
	s.made = s.stream.CachedInfo().Created
	c := jetstream.OrderedConsumerConfig{}
	if c.FilterSubjects, err = s.o.subjects(ctx, s.stream); err != nil {
		return err
	}
	c.DeliverPolicy, c.OptStartTime = s.o.Start.policy()
	ordered, err := s.stream.OrderedConsumer(ctx, c)
	if err == nil {
		s.messages, err = ordered.Messages()
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

// lookAfter is how long nothing has to come until a source looks whether its stream is still there.
const lookAfter = time.Second

// next waits for the next message, until ctx is done.
func (s *source) next(ctx context.Context) (jetstream.Msg, error) {
	for {
		limited, cancel := context.WithTimeout(ctx, lookAfter)
		m, err := s.messages.Next(jetstream.NextContext(limited))
		cancel()
		switch {
		case err == nil, ctx.Err() != nil, !errors.Is(err, context.DeadlineExceeded):
			return m, err
		}
		s.look(ctx)
	}
}

// look begins with the first message of a stream that was made anew. Those that were lost with the one before show in the places of
// the batches.
func (s *source) look(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, ackTime)
	defer cancel()
	stream, err := s.js.Stream(limited, eventStream(s.o.Cluster))
	if err != nil || stream.CachedInfo().Created.Equal(s.made) {
		return // the bus is away, or a bridge has yet to make the stream: it is asked again
	}
	anew := &source{js: s.js, o: s.o}
	anew.o.Start = Start{All: true}
	if anew.open(limited) == nil { // else it is tried again
		s.close()
		*s = *anew
	}
}

// acknowledge has nothing to do: where an ordered consumer stands is known to its client alone.
func (s *source) acknowledge(jetstream.Msg, map[string]place) {}

func (s *source) close() { s.messages.Stop() }
