package act

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apntalk/amictl/internal/cli/run"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/catalog"
)

// mostClasses is how many classes of events a hint names.
const mostClasses = 3

// ReadHint says what a user must be allowed to read to see events, which are named or meant by globs; none mean all.
func ReadHint(events []string) string {
	var classes []string
	for _, name := range catalog.EventNames() {
		if slices.ContainsFunc(events, func(glob string) bool { return ami.MatchGlob(glob, name) }) {
			e, _ := catalog.LookupEvent(name)
			classes = append(classes, e.Classes...)
		}
	}
	slices.Sort(classes)
	classes = slices.Compact(classes)
	what := strings.Join(classes, ", ")
	if len(classes) == 0 || len(classes) > mostClasses {
		what = "the events' classes"
	}
	return "the user's read= in manager.conf must allow " + what
}

// unheard is how long nothing may come before it is said what may be why.
const unheard = 30 * time.Second

// A Silence waits for the first of some events, and says once what may be why if none comes: AMI tells no user what he may not
// read. A nil Silence says nothing.
type Silence struct {
	stop  context.CancelFunc
	over  chan struct{} // closed at the end of its goroutine
	heard bool          // valid then
	tell  func()
}

// ListenFor begins to wait for events of a cluster, by name or glob; none mean all.
func ListenFor(ctx context.Context, r *run.Run, c *ami.Cluster, events []string) (*Silence, error) {
	sub, err := c.Subscribe(ami.SubscribeOptions{Events: events, RingEvents: 1})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	s := &Silence{stop: stop, over: make(chan struct{}), tell: sync.OnceFunc(func() {
		if slices.ContainsFunc(c.Nodes(), (*ami.Node).Ready) { // else there is another reason, which was told
			r.Note("nothing that was asked for has come; if it should have, %s", ReadHint(events))
		}
	})}
	late := time.AfterFunc(unheard, s.tell)
	go func() {
		defer close(s.over)
		defer sub.Close()
		defer late.Stop()
		for over := false; !over && !s.heard; {
			_, err := sub.Next(ctx)
			came := sub.Stats() // also what came as it ended
			over, s.heard = err != nil, came.Offered > came.Filtered
		}
	}()
	return s, nil
}

// Stop ends it without a word.
func (s *Silence) Stop() {
	if s != nil {
		s.stop()
		<-s.over
	}
}

// End is Stop where the run ends as it should, and says what was not said yet.
func (s *Silence) End() {
	if s.Stop(); s != nil && !s.heard {
		s.tell()
	}
}
