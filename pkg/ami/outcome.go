package ami

import "github.com/apntalk/amictl/pkg/ami/wire"

// An Outcome is how the call of an Originate ended that waited for its OriginateResponse (Action.AwaitOriginate).
type Outcome uint8

const (
	// OutcomeUnknown: no OriginateResponse said so.
	OutcomeUnknown Outcome = iota
	// OutcomeAnswered: the channel was answered, and the call goes on in the dialplan.
	OutcomeAnswered
	// OutcomeBusy: the far end is busy.
	OutcomeBusy
	// OutcomeNoAnswer: it rang until the Originate's Timeout.
	OutcomeNoAnswer
	// OutcomeCongestion: no line, or the far end could not be reached.
	OutcomeCongestion
	// OutcomeFailed: any other end, such as a channel that does not exist.
	OutcomeFailed
)

// String returns "answered", "busy", "no-answer", "congestion", "failed", or "" for an unknown outcome.
func (o Outcome) String() string {
	return [...]string{"", "answered", "busy", "no-answer", "congestion", "failed"}[min(o, OutcomeFailed)]
}

// Outcome returns how the call ended if the reply is an Originate's that was waited for, else OutcomeUnknown.
func (r *Reply) Outcome() Outcome { return OriginateOutcome(&r.End) }

// OriginateOutcome returns how a call ended of which an OriginateResponse event tells; OutcomeUnknown if the message is
// something else. It comes from the event's Reason, which is the number of the control frame that ended the attempt (frame.h;
// pbx_outgoing_attempt in pbx.c). The event's Uniqueid is the ChannelId of the Originate, whatever the outcome (manager.c,
// fast_originate), so that whoever chose it needs no ActionID.
func OriginateOutcome(m *wire.Message) Outcome {
	if !wire.EqualFold(m.Name(), "OriginateResponse") {
		return OutcomeUnknown
	}
	switch m.Get("Reason") {
	case "3":
		return OutcomeNoAnswer
	case "4":
		if !wire.EqualFold(m.Get("Response"), "Failure") {
			return OutcomeAnswered
		}
	case "5":
		return OutcomeBusy
	case "8":
		return OutcomeCongestion
	}
	return OutcomeFailed
}
