package call

import (
	"context"
	"strconv"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/output"
)

// follow originates a call and, once it is answered, waits for its end: the hangup of the channel that it is on by then, for
// a Local channel may be optimised away, and the call be picked up or transferred. What is told of the call's end goes to ends;
// the reply is as from Do, the error the call's.
func follow(ctx context.Context, r *run.Run, c *ami.Conn, action ami.Action, ends chan<- output.Record) (*ami.Reply, error) {
	sub, err := c.Subscribe(ami.SubscribeOptions{Events: ami.FollowedEvents(), RingEvents: target.RingEvents, RingBytes: target.RingBytes})
	if err != nil {
		return nil, err
	}
	defer sub.Close()
	reply, err := c.Do(ctx, action)
	if err != nil || reply.Outcome() != ami.OutcomeAnswered {
		return reply, err
	}
	id := reply.End.Get("Uniqueid")
	if id == "" {
		return reply, &fail.Error{Code: fail.CodeCondition, Message: c.Name() + ": OriginateResponse has no Uniqueid, so the call cannot be followed", Hint: "the call goes on; `amictl tail Hangup` shows how calls end"}
	}
	if r.StderrIsTerminal() { // the answer itself is printed with the end
		r.Note("%s: %s was answered; waiting for its end", c.Name(), reply.End.Get("Channel"))
	}
	wait := ctx
	if r.Flags.Timeout.Given {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, r.Flags.Timeout.Value)
		defer cancel()
	}
	var follower ami.CallFollower
	followed := follower.Follow(id)
	for {
		ev, err := sub.Next(wait)
		switch {
		case ctx.Err() != nil:
			return reply, ctx.Err()
		case wait.Err() != nil:
			return reply, &fail.Error{Code: fail.CodeTimeout, Sent: "yes", Message: c.Name() + ": the call was not over within " + r.Flags.Timeout.String(), Hint: "it goes on; --timeout allows more time"}
		case err != nil || ev.Gap != nil && ev.Gap.Reason == ami.GapDisconnect:
			return reply, &fail.Error{Code: fail.CodeLost, Sent: "yes", Message: c.Name() + ": the connection was lost during the call", Hint: "the call may go on"}
		case ev.Gap != nil:
			return reply, &fail.Error{Code: fail.CodeGap, Sent: "yes", Message: c.Name() + ": events are missing, and the call's end may be one of them", Hint: "`amictl send CoreShowChannels` shows whether it goes on"}
		}
		if follower.Event(&ev.Message) == followed && followed.Ended {
			ends <- EndRecord(reply.Node, reply.Received, ev.Received, followed)
			return reply, EndError(reply.Node, followed)
		}
	}
}

// EndRecord tells how a call ended that was answered then, as OriginateResponse was read.
func EndRecord(node string, answered, ended time.Time, c *ami.FollowedCall) output.Record {
	lasted := max(ended.Sub(answered), 0)
	return output.Record{
		{Key: "type", Value: "call"},
		{Key: "node", Value: node},
		{Key: "time", Value: ended, Text: ended.Local().Format(time.TimeOnly)},
		{Key: "channel", Value: c.Name},
		{Key: "uniqueid", Value: c.ID},
		{Key: "outcome", Value: ami.OutcomeAnswered.String()},
		{Key: "cause", Value: c.Cause},
		{Key: "cause_text", Value: c.CauseText},
		{Key: "duration_us", Value: lasted.Microseconds(), Text: output.Duration(lasted)},
	}
}

// EndError is nil for a normal end: causes.h's normal clearing (16) and normal, unspecified (31), and 0, which Local
// channels give.
func EndError(node string, c *ami.FollowedCall) error {
	cause, err := strconv.Atoi(c.Cause)
	if err == nil && (cause == 0 || cause == 16 || cause == 31) {
		return nil
	}
	return &fail.Error{Code: fail.CodeCall, Message: node + ": the call ended with cause " + c.Cause + ", " + c.CauseText, Hint: "the far end or a trunk ended it with this cause; 16 and 31 are normal"}
}
