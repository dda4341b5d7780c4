package top

import (
	"context"
	"strings"

	"github.com/apntalk/amictl/internal/cli/replay"
	"github.com/apntalk/amictl/internal/cli/target"
	"github.com/apntalk/amictl/internal/cli/timeline"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// A telling follows the events of one call.
type telling struct {
	out    chan told
	cancel context.CancelFunc
}

// told is a line of a call's story.
type told struct {
	text string
	over bool
}

// lines is where they come; nothing comes of no telling.
func (t *telling) lines() <-chan told {
	if t == nil {
		return nil
	}
	return t.out
}

// end ends it, if there is one.
func (t *telling) end() {
	if t != nil {
		t.cancel()
	}
}

// tell begins to follow a call: the channels that it has, and then its events. It is nil if nothing can be subscribed to.
func (s *shell) tell(ctx context.Context, c *state.Call) *telling {
	ctx, cancel := context.WithCancel(ctx)
	sub, err := s.watch.Cluster.Subscribe(ami.SubscribeOptions{Nodes: []string{c.Node}, RingEvents: target.RingEvents})
	if err != nil {
		cancel()
		return nil
	}
	t := &telling{out: make(chan told, 256), cancel: cancel}
	line, chart := timeline.New(c.Linkedid), timeline.NewChart(s.model.width, max(c.Legs, 4))
	var known []told
	for _, uid := range c.Channels {
		if ch := s.model.channels[id{c.Node, state.KindChannel, uid}]; ch != nil {
			l := line.Join(ch.Uniqueid, ch.Linkedid, ch.Name)
			if l == nil { // there are too many
				break
			}
			known = append(known, told{text: chart.Line(s.model.now, l, strings.TrimSpace("is "+ch.State+" "+ch.Application))})
		}
	}
	go func() {
		defer sub.Close()
		for _, k := range known {
			if !t.put(ctx, k) {
				return
			}
		}
		for !line.Over() {
			ev, err := sub.NextBorrowed(ctx)
			if err != nil {
				return
			}
			text := ""
			switch {
			case ev.Gap != nil:
				text = "           -- events are missing here"
			case line.Take(&ev.Message) && timeline.Shows(nil, ev.Name()):
				if l, words := line.Words(&ev.Message); l != nil {
					text = chart.Line(replay.Moment(ev), l, words)
				}
			}
			if text != "" && !t.put(ctx, told{text: text}) {
				return
			}
		}
		t.put(ctx, told{over: true})
	}()
	return t
}

func (t *telling) put(ctx context.Context, line told) bool {
	select {
	case t.out <- line:
		return true
	case <-ctx.Done():
		return false
	}
}
