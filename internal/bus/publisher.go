package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/pkg/ami"
)

// errFenced: another bridge has written behind this one's last batch. Whatever this one still has is not to be written.
var errFenced = errors.New("bus: another bridge owns the node now")

// Times of a publish.
const (
	sendTime  = 2 * time.Second        // for one attempt: so soon the log says that the bus takes nothing, and an election is noticed to be over
	ackTime   = 5 * time.Second        // for one request
	retryWait = 250 * time.Millisecond // between two; an election takes seconds
)

// A chain stores messages of one node, in order, each exactly once, until another owner has written. It is for one goroutine.
//
// Each message names the sequence of the one before it, so that the server refuses it behind anything else, and has an ID, by which
// one that was stored without our hearing of it is recognised when it is sent again. Hence one message is in flight at most.
type chain struct {
	js      jetstream.JetStream
	stream  string
	subject string // of the chain's messages, with wildcards if there are several
	node    string
	last    uint64 // sequence of the last message; 0: none

	header  nats.Header                 // of the next message, beside what the server reads
	confirm func(context.Context) error // whether the lease is ours: errTaken if it is not
	restore func(context.Context) error // makes the stream anew if it has gone
	log     *slog.Logger
}

// A publisher puts one node's batches on the bus.
type publisher struct {
	chain
	epoch  uint64         // of the lease
	before uint64         // of the owner who wrote last; 0: nobody has
	number uint64         // of the batch, within the epoch
	stored *atomic.Uint64 // sequence of the last batch, for others to see
}

// newPublisher returns a publisher that has yet to take over.
func newPublisher(js jetstream.JetStream, cluster, node string, log *slog.Logger) *publisher {
	return &publisher{chain: chain{js: js, stream: eventStream(cluster), subject: subject.Events(cluster, node), node: node, log: log}, stored: new(atomic.Uint64)}
}

// takeOver begins an epoch: it finds the end of what others wrote, and writes behind it that the node has another owner, and that
// events may be missing. From then on nobody who owned the node before can write.
//
// Where there is nothing to stand behind, or a later epoch than ours, the lease alone says who may write: confirm asks for it. A
// later epoch may also mean that an admin made the leases anew.
//
// meets reports whether it is known what comes behind the last batch: then nothing is missing. It is asked again if another batch came
// meanwhile, or the bus could not be asked: an error. nil: nobody knows.
//
// Whoever stood by has lost what he knows when he gives up. So the bus is asked until it answers.
func (p *publisher) takeOver(ctx context.Context, o batch.Owner, meets func(ctx context.Context, last *stored) (bool, error)) (whole bool, err error) {
	for failing := false; ; {
		last, err := p.lastMessage(ctx)
		if whole = false; err == nil && meets != nil && last != nil {
			whole, err = meets(ctx, last)
		}
		if err != nil {
			if !failing {
				failing = true
				p.log.Warn("the bus does not say what is stored; it is asked again", slog.Any("cause", err))
			}
			if err := p.again(ctx, err); err != nil {
				return false, err
			}
			continue
		}
		gap := ami.Gap{Reason: ami.GapDisconnect} // nobody knows what came between, nor whether there was anybody before
		p.last, p.epoch = 0, o.Epoch
		if last != nil {
			p.last, gap.Since = last.Sequence, last.Time
			before, _ := placeOf(last.id())
			p.before, p.epoch = before.epoch, max(o.Epoch, before.epoch+1)
		}
		if p.epoch != o.Epoch || last == nil {
			if err := p.confirm(ctx); err != nil {
				return false, err
			}
		}
		o.Epoch = p.epoch
		var w batch.Writer
		w.AddOwner(o)
		if whole {
			p.header = nats.Header{afterHeader: []string{last.id()}}
		} else {
			w.Add(&ami.Event{Received: o.Time, Gap: &gap})
		}
		err = p.publish(ctx, w.Batch(nil))
		p.header = nil
		if !errors.Is(err, errFenced) { // the owner before us wrote meanwhile: he cannot do so twice
			return whole, err
		}
	}
}

// again waits a while when the bus could not be asked, and makes the stream if that is what is wrong. The error says that it is of no use.
func (c *chain) again(ctx context.Context, err error) error {
	if ctx.Err() != nil || final(err) {
		return err
	}
	_ = c.restore(ctx)
	select {
	case <-time.After(retryWait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// publish stores a batch behind the last one; its errors are those of store.
func (p *publisher) publish(ctx context.Context, data []byte) error {
	err := p.store(ctx, p.subject, p.id(p.number+1), data)
	if err == nil {
		p.number++
		p.stored.Store(p.last)
	}
	return err
}

// id is a batch's.
func (p *publisher) id(number uint64) string {
	return p.node + "." + strconv.FormatUint(p.epoch, 10) + "." + strconv.FormatUint(number, 10)
}

// store stores a message behind the last one. It tries until it is stored (nil), another owner has written (errFenced) or has the
// lease (errTaken), the message is larger than the bus takes (nats.ErrMaxPayload), the connection was closed, or ctx is done.
func (c *chain) store(ctx context.Context, subject, id string, data []byte) error {
	failing := false
	for {
		seq, err := c.attempt(ctx, subject, id, data)
		switch {
		case err == nil:
			if failing {
				c.log.Info("the bus takes batches again")
			}
			c.last = seq
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case final(err):
			return err
		case !failing:
			failing = true
			c.log.Error("the bus does not take a batch; it is tried again", slog.Any("error", err))
		}
		select {
		case <-time.After(retryWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// final reports whether trying again would change nothing.
func final(err error) bool {
	return errors.Is(err, errFenced) || errors.Is(err, errTaken) || errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrConnectionClosed)
}

// attempt sends a message once, and returns its sequence if it is stored.
func (c *chain) attempt(ctx context.Context, subject, id string, data []byte) (seq uint64, err error) {
	sending, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	m := &nats.Msg{Subject: subject, Header: maps.Clone(c.header), Data: data}
	ack, err := c.js.PublishMsg(sending, m, jetstream.WithMsgID(id), c.behind(subject), jetstream.WithExpectStream(c.stream), jetstream.WithRetryAttempts(0))
	switch {
	case err == nil:
		return ack.Sequence, nil // a duplicate's is that of the first
	case hasCode(err, tooLarge):
		return 0, nats.ErrMaxPayload // of the stream, which is another limit than the server's
	case errors.Is(err, jetstream.ErrNoStreamResponse):
		return 0, errors.Join(wrap("publish for "+c.node, err), c.restore(ctx))
	case !wrongSequence(err):
		return 0, wrap("publish for "+c.node, err)
	}
	// Something is behind what we know of: our own message, whose answer was lost, or another owner's. Or a leader of replicas has not
	// yet put away that our message before this one, which it has acknowledged, is stored.
	last, err := c.lastMessage(ctx)
	switch {
	case err != nil:
		return 0, err
	case last != nil && last.id() == id:
		return last.Sequence, nil
	case last != nil && last.Sequence == c.last:
		return 0, errInProcess
	case last != nil:
		return 0, fmt.Errorf("%w: its batch %s stands at %d, and our last at %d", errFenced, last.id(), last.Sequence, c.last)
	}
	// All of the node's messages are older than the stream keeps, or an admin has taken them away: there is nothing to stand behind.
	if err := c.confirm(ctx); err != nil {
		return 0, err
	}
	c.last = 0
	return 0, errEmptied
}

// errInProcess: nobody has written; the next attempt may be taken.
var errInProcess = errors.New("bus: the message before is still in process")

// behind has the server refuse a message if another one is the last.
func (c *chain) behind(subject string) jetstream.PublishOpt {
	if subject == c.subject {
		return jetstream.WithExpectLastSequencePerSubject(c.last)
	}
	return jetstream.WithExpectLastSequenceForSubject(c.last, c.subject)
}

// errEmptied: the subject has no messages any more; the next attempt begins it anew.
var errEmptied = errors.New("bus: the node's batches have gone from the stream")

// tooLarge is the code of a message that is larger than its stream takes (JSStreamMessageExceedsMaximumErr).
const tooLarge jetstream.ErrorCode = 10054

// wrongSequence reports whether the server refused a message because the one before it is another; replicated streams may
// have another code for it.
func wrongSequence(err error) bool {
	return hasCode(err, jetstream.JSErrCodeStreamWrongLastSequence) || hasCode(err, jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

func hasCode(err error, code jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == code
}

// A stored message, as the stream's leader knows it.
type stored struct {
	Sequence uint64    `json:"seq"`
	Header   []byte    `json:"hdrs"`
	Data     []byte    `json:"data"`
	Time     time.Time `json:"time"`
}

// id is the message's Nats-Msg-Id.
func (s *stored) id() string { return s.header().Get(jetstream.MsgIDHeader) }

// isValue reports whether a message of a bucket holds a value, and is not the mark of one that was deleted or has expired.
func (s *stored) isValue() bool {
	h := s.header()
	return h.Get(operationHeader) == "" && h.Get("Nats-Marker-Reason") == ""
}

// header is what the message has of one; nobody can read one that is broken.
func (s *stored) header() nats.Header {
	header, _ := nats.DecodeHeadersMsg(s.Header)
	return header
}

// lastMessage is the last message of the node, nil if there is none.
func (c *chain) lastMessage(ctx context.Context) (*stored, error) {
	return lastOf(ctx, c.js, c.stream, c.subject)
}

// lastOf asks a stream's leader for a subject's last message, nil if there is none. A direct get would be faster, and may be
// answered by a replica that is behind.
func lastOf(ctx context.Context, js jetstream.JetStream, stream, subject string) (*stored, error) {
	return storedOf(ctx, js, stream, "ask for the last message of "+subject, map[string]any{"last_by_subj": subject})
}

// nextOf asks it for the first one from a sequence on, nil if there is none.
func nextOf(ctx context.Context, js jetstream.JetStream, stream, subject string, from uint64) (*stored, error) {
	return storedOf(ctx, js, stream, "ask for a message of "+subject, map[string]any{"seq": from, "next_by_subj": subject})
}

func storedOf(ctx context.Context, js jetstream.JetStream, stream, what string, which map[string]any) (*stored, error) {
	ctx, cancel := context.WithTimeout(ctx, ackTime) // a request whose connection is lost is never answered
	defer cancel()
	request, err := json.Marshal(which)
	if err != nil {
		return nil, err
	}
	answer, err := js.Conn().RequestWithContext(ctx, jetstream.DefaultAPIPrefix+"STREAM.MSG.GET."+stream, request)
	if err != nil {
		return nil, wrap(what, err)
	}
	var got struct {
		Message *stored             `json:"message"`
		Error   *jetstream.APIError `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &got); err != nil {
		return nil, wrap(what, err)
	}
	switch {
	case got.Error != nil && got.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound:
		return nil, nil //nolint:nilnil // there is none
	case got.Error != nil:
		return nil, wrap(what, got.Error)
	}
	return got.Message, nil
}
