package bus

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/apntalk/amictl/internal/bus/batch"
	"github.com/apntalk/amictl/internal/bus/subject"
	"github.com/apntalk/amictl/pkg/ami"
)

// ErrFenced: another bridge has written behind this one's last batch. Whatever this one still has is not to be written.
var ErrFenced = errors.New("bus: another bridge owns the node now")

// Times of a publish.
const (
	ackTime   = 5 * time.Second        // for one attempt
	retryWait = 250 * time.Millisecond // between two; an election takes seconds
)

// A publisher puts one node's batches on the bus, in order, each exactly once, until another owner has written. It is for one
// goroutine.
//
// Each batch names the sequence of the one before it, so that the server refuses it behind anything else, and an ID, by which
// a batch that was stored without our hearing of it is recognised when it is sent again. Hence one batch is in flight at most.
type publisher struct {
	js      jetstream.JetStream
	stream  string
	subject string
	node    string
	epoch   uint64 // of the lease
	number  uint64 // of the batch, within the epoch
	last    uint64 // sequence of the subject's last message; 0: none
}

// takeOver begins an epoch: it finds the end of what others wrote, and writes behind it that the node has another owner, and that
// events may be missing. From then on nobody who owned the node before can write.
//
// A later epoch than ours means that the lease is lost, or that an admin made the leases anew: confirm says which.
func takeOver(ctx context.Context, js jetstream.JetStream, cluster, node string, o batch.Owner, confirm func(context.Context) error) (p *publisher, err error) {
	p = &publisher{js: js, stream: eventStream(cluster), subject: subject.Events(cluster, node), node: node}
	for {
		last, err := p.lastMessage(ctx)
		if err != nil {
			return nil, err
		}
		p.last = 0
		if last != nil {
			p.last = last.Sequence
			if before, _ := placeOf(last.id()); before.epoch >= o.Epoch {
				if err := confirm(ctx); err != nil {
					return nil, err
				}
				o.Epoch = before.epoch + 1
			}
		}
		p.epoch = o.Epoch
		var w batch.Writer
		w.AddOwner(o)
		if last != nil { // nobody knows what came between
			w.Add(&ami.Event{Received: o.Time, Gap: &ami.Gap{Reason: ami.GapDisconnect, Since: last.Time}})
		}
		err = p.publish(ctx, w.Batch(nil))
		if errors.Is(err, ErrFenced) { // the owner before us wrote meanwhile: he cannot do so twice
			continue
		}
		return p, err
	}
}

// publish stores a batch behind the last one. It tries until it is stored (nil), another owner has written (ErrFenced), ctx is
// done, or the bus refuses it for good.
func (p *publisher) publish(ctx context.Context, data []byte) error {
	id := p.node + "." + strconv.FormatUint(p.epoch, 10) + "." + strconv.FormatUint(p.number+1, 10)
	for {
		seq, err := p.attempt(ctx, id, data)
		switch {
		case err == nil:
			p.last = seq
			p.number++
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrFenced) || errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrConnectionClosed):
			return err
		}
		select {
		case <-time.After(retryWait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// attempt sends a batch once, and returns its sequence if it is stored.
func (p *publisher) attempt(ctx context.Context, id string, data []byte) (seq uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, ackTime)
	defer cancel()
	ack, err := p.js.Publish(ctx, p.subject, data, jetstream.WithMsgID(id), jetstream.WithExpectLastSequencePerSubject(p.last), jetstream.WithExpectStream(p.stream), jetstream.WithRetryAttempts(0))
	if err == nil {
		return ack.Sequence, nil // a duplicate's is that of the first
	}
	if !wrongSequence(err) {
		return 0, wrap("publish for "+p.node, err)
	}
	// Something is behind what we know of: our own batch, whose answer was lost, or another owner's.
	last, err := p.lastMessage(ctx)
	switch {
	case err != nil:
		return 0, err
	case last != nil && last.id() == id:
		return last.Sequence, nil
	case last == nil: // all of the node's batches are older than the stream keeps, or an admin has taken them away
		p.last = 0
		return 0, errEmptied
	}
	return 0, ErrFenced
}

// errEmptied: the subject has no messages any more; the next attempt begins it anew.
var errEmptied = errors.New("bus: the node's batches have gone from the stream")

// wrongSequence reports whether the server refused a message because the one before it is another; replicated streams may
// have another code for it.
func wrongSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// A stored message, as the stream's leader knows it.
type stored struct {
	Sequence uint64    `json:"seq"`
	Header   []byte    `json:"hdrs"`
	Data     []byte    `json:"data"`
	Time     time.Time `json:"time"`
}

// id is the message's Nats-Msg-Id.
func (s *stored) id() string {
	header, err := nats.DecodeHeadersMsg(s.Header)
	if err != nil {
		return ""
	}
	return header.Get(jetstream.MsgIDHeader)
}

// lastMessage is the last message of the node, nil if there is none.
func (p *publisher) lastMessage(ctx context.Context) (*stored, error) {
	return lastOf(ctx, p.js, p.stream, p.subject)
}

// lastOf asks a stream's leader for a subject's last message, nil if there is none. A direct get would be faster, and may be
// answered by a replica that is behind.
func lastOf(ctx context.Context, js jetstream.JetStream, stream, subject string) (*stored, error) {
	what := "ask for the last message of " + subject
	request, err := json.Marshal(map[string]string{"last_by_subj": subject})
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
