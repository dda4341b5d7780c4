package state

import (
	"iter"
	"time"

	"github.com/apntalk/amictl/pkg/ami"
)

// Replay iterates over the changes that a record of events makes, a call's Record among them. No server can be asked, so
// what existed before the record is only known as far as events mention it, no node is ever synced, and after a gap its Node
// stays Stale. An event without a node's name belongs to the node "". Options.Nodes, Audit and Buffer have no effect.
//
// It runs in the caller's goroutine; changes are made as they are taken. An error of the events ends it.
func Replay(events iter.Seq2[ami.Event, error], o Options) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		o, err := o.withDefaults()
		if err != nil {
			yield(Change{}, err)
			return
		}
		c := newCore(o.Limit, o.Kinds)
		var ticked time.Time
		for ev, err := range events {
			if err != nil {
				yield(Change{}, err)
				return
			}
			if ev.Gap != nil {
				c.gap(ev.Node, ev.Gap.Reason, ev.Received)
			} else {
				c.event(ev.Node, ev.Session, &ev.Message, ev.Received)
			}
			if ev.Received.Sub(ticked) >= time.Second {
				ticked = ev.Received
				c.tick(ticked)
			}
			for _, ch := range c.take() {
				if !yield(ch, nil) {
					return
				}
			}
		}
	}
}
