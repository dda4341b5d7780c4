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

// Follow originates a call and, once it is answered, waits for its channel's Hangup. What is told of the call's end
// goes to ends; the reply is as from Do, the error the call's.
func Follow(ctx context.Context, r *run.Run, c *ami.Conn, action ami.Action, ends chan<- output.Record) (*ami.Reply, error) {
	sub, err := c.Subscribe(ami.SubscribeOptions{Events: []string{"Hangup"}, RingEvents: target.RingEvents, RingBytes: target.RingBytes})
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
		return reply, &fail.Error{Code: fail.CodeCondition, Message: c.Name() + ": OriginateResponse names no Uniqueid, so the call cannot be followed", Hint: "the call goes on; `amictl tail Hangup` shows how calls end"}
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
			return reply, &fail.Error{Code: fail.CodeGap, Sent: "yes", Message: c.Name() + ": events are missing, the call's end may be one of them", Hint: "`amictl send CoreShowChannels` shows whether it goes on"}
		case ev.Get("Uniqueid") != id:
			continue
		}
		ends <- endRecord(reply, &ev)
		return reply, endError(c.Name(), &ev)
	}
}

// endRecord tells how an answered call ended. Its time is from the answer, as OriginateResponse was read, to the
// Hangup.
func endRecord(reply *ami.Reply, ev *ami.Event) output.Record {
	lasted := max(ev.Received.Sub(reply.Received), 0)
	return output.Record{
		{Key: "type", Value: "call"},
		{Key: "node", Value: reply.Node},
		{Key: "time", Value: ev.Received, Text: ev.Received.Local().Format(time.TimeOnly)},
		{Key: "channel", Value: ev.Get("Channel")},
		{Key: "uniqueid", Value: ev.Get("Uniqueid")},
		{Key: "outcome", Value: reply.Outcome().String()},
		{Key: "cause", Value: ev.Get("Cause")},
		{Key: "cause_text", Value: ev.Get("Cause-txt")},
		{Key: "duration_us", Value: lasted.Microseconds(), Text: output.Duration(lasted)},
	}
}

// endError is nil for a normal end: causes.h's normal clearing (16) and normal, unspecified (31), and 0, which Local
// channels give.
func endError(node string, ev *ami.Event) error {
	cause, err := strconv.Atoi(ev.Get("Cause"))
	if err == nil && (cause == 0 || cause == 16 || cause == 31) {
		return nil
	}
	return &fail.Error{Code: fail.CodeCall, Message: node + ": the call ended with cause " + ev.Get("Cause") + ", " + ev.Get("Cause-txt"), Hint: "the far end or a trunk ended it so; 16 and 31 are normal ends"}
}
