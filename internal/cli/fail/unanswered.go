package fail

import "github.com/apntalk/amictl/pkg/ami"

// ofCall classifies a call that was originated and not answered.
func (f *Failure) ofCall(outcome ami.Outcome, where string) {
	f.Code, f.Message, f.Hint = CodeCall, where+": the call failed", callHint(outcome)
	if outcome != ami.OutcomeFailed {
		f.Message += ": " + outcome.String()
	}
}

// callHint says what an outcome of a call means for who made it.
func callHint(outcome ami.Outcome) string {
	switch outcome {
	case ami.OutcomeBusy:
		return "the far end is in another call, or refuses calls: try again later"
	case ami.OutcomeNoAnswer:
		return "nobody took it; --ring allows more time"
	case ami.OutcomeCongestion:
		return "a trunk or the far end is congested, or does not know the number"
	}
	return "Asterisk gives no reason: is there such a channel, endpoint or extension, and is it registered? Its console says more after `core set verbose 3`"
}
