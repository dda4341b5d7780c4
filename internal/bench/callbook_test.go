package bench

import (
	"testing"

	"github.com/apntalk/amictl/pkg/ami"
)

// How a call is booked, and whether its Hangup is still waited for.
func TestCallBook(t *testing.T) {
	for name, tt := range map[string]struct {
		kind     endKind
		outcome  ami.Outcome
		answered uint64
		open     bool
	}{
		"answered":               {endReply, ami.OutcomeAnswered, 1, true},
		"busy":                   {endError, ami.OutcomeBusy, 0, false},
		"nobody took it":         {endError, ami.OutcomeNoAnswer, 0, false},
		"refused":                {endError, ami.OutcomeUnknown, 0, false},
		"never sent":             {endUnsent, ami.OutcomeUnknown, 0, false},
		"no answer in time":      {endTimeout, ami.OutcomeUnknown, 0, true},
		"the connection is lost": {endMaybe, ami.OutcomeUnknown, 0, true},
		"taken, and no more":     {endReply, ami.OutcomeUnknown, 0, true},
	} {
		b := &callBook{open: map[uint64]*openCall{7: {}}}
		b.answered(7, tt.kind, tt.outcome)
		if b.c.Answered != tt.answered || b.c.Answered+b.c.Failed != 1 || (len(b.open) == 1) != tt.open {
			t.Errorf("%s: %+v, %d open", name, b.c, len(b.open))
		}
	}
}
