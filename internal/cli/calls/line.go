package calls

import (
	"slices"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

// normalClearing is the cause of a call that was simply hung up.
const normalClearing = 16

// line is a call for people.
func (e *end) line(r *state.Record, object output.Record) string {
	words := []string{objects.Moment(r.End, time.Now())}
	if len(e.Nodes) > 1 {
		words = append(words, r.Node)
	}
	words = append(words, r.Outcome+strings.Repeat(" ", max(0, len("unavailable")-len(r.Outcome))))
	if len(e.Form.Fields) == 0 {
		words = append(words, story(r)...)
	}
	for i := range object {
		if p := &object[i]; slices.Contains(e.Form.Fields, p.Key) {
			words = append(words, p.Key+"="+objects.Cell(p))
		}
	}
	text := output.Safe(strings.Join(words, "  "))
	if e.Form.Width > 0 {
		return output.Cut(text, e.Form.Width)
	}
	return text
}

// story says who talked to whom, how long, and what else is of interest.
func story(r *state.Record) []string {
	words := []string{orNobody(objects.PartyText(r.Caller)) + " → " + orNobody(objects.PartyText(r.Callee))}
	add := func(name string, us int64) {
		if s := run.Span(time.Duration(us) * time.Microsecond); s != "" {
			words = append(words, name+" "+s)
		}
	}
	add("talk", r.TalkUS)
	add("ring", r.RingUS)
	add("hold", r.HoldUS)
	if r.Queue != "" {
		add("wait", r.WaitUS)
		words = append(words, strings.TrimSpace("queue "+r.Queue+" "+r.Member))
	}
	for i := range r.Transfer {
		words = append(words, objects.TransferText(&r.Transfer[i]))
	}
	if r.By != "" {
		words = append(words, "ended by "+r.By)
	}
	if r.Cause != 0 && r.Cause != normalClearing {
		words = append(words, r.CauseText)
	}
	if r.Partial {
		words = append(words, "(partial)")
	}
	return words
}

func orNobody(party string) string {
	if party == "" {
		return "?"
	}
	return party
}
