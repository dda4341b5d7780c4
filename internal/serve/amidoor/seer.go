package amidoor

import (
	"slices"
	"strings"

	"github.com/apntalk/amictl/internal/manager"
	"github.com/apntalk/amictl/internal/serve/relay"
	"github.com/apntalk/amictl/internal/serve/users"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A seer decides which events a client sees, and how: two kinds of events that go to everybody carry the ActionID of the action
// that they tell of.
//
//   - OriginateResponse ends an Originate with Async. Only the client that sent it sees it, with its own ActionID.
//   - UserEvent repeats the action's headers. The client that sent it sees its own ActionID, others see none: theirs may be the
//     same.
//
// Either may come before the answer that says which ActionID the action had; then it is kept until that comes.
type seer struct {
	c     *client
	user  *users.User // whose rights sees has
	sees  map[string]bool
	named adopted
	early []ami.Event // came while the client waited for an answer, and may be its own
}

// Bounds of a seer.
const (
	mostSeen  = 1024 // names of events whose right is remembered
	mostEarly = 256
)

// see appends an event to dst if the client is to see it now. telling says that the client waits for the answer to an action
// that the event may tell of.
func (s *seer) see(dst []byte, ev *ami.Event, v *view, telling bool) []byte {
	if ev.Gap != nil || ev.Kind() != wire.Event {
		return dst
	}
	name := ev.Name()
	if isTold(name) {
		if id := ev.Get("ActionID"); s.c.door.up.Own(id) {
			if telling && !s.named.has(id) {
				return s.keep(dst, ev, v)
			}
			return s.told(dst, ev, id, v)
		}
	}
	if !v.mask.Sees(ev.Get("Privilege")) || !s.right(name) || len(v.filters) > 0 && !manager.Passes(v.filters, ev.Text()) {
		return dst
	}
	return append(dst, ev.Text()...)
}

// isTold reports whether events of that name carry the ActionID of the action that they tell of.
func isTold(event string) bool {
	return len(event) == len("OriginateResponse") && wire.EqualFold(event, "OriginateResponse") ||
		len(event) == len("UserEvent") && wire.EqualFold(event, "UserEvent")
}

// right reports whether the user may see events of that name.
func (s *seer) right(event string) bool {
	if u := s.c.user.Load(); u != s.user || len(s.sees) >= mostSeen {
		s.user, s.sees = u, make(map[string]bool)
	}
	sees, known := s.sees[event]
	if !known {
		sees = s.user.SeesEvent(event)
		s.sees[strings.Clone(event)] = sees
	}
	return sees
}

// told appends an event that tells of an action of some client of the daemon's.
func (s *seer) told(dst []byte, ev *ami.Event, id string, v *view) []byte {
	own, mine := s.named.take(id)
	response := wire.EqualFold(ev.Name(), "OriginateResponse")
	if response && !mine || !response && !s.right(ev.Name()) || !v.mask.Sees(ev.Get("Privilege")) {
		return dst // what ends an own Originate belongs to its answer, which who may originate may see
	}
	start := len(dst)
	dst = relay.AppendRenamed(dst, ev.Text(), id, own)
	if len(v.filters) > 0 && !manager.Passes(v.filters, string(dst[start:])) {
		return dst[:start]
	}
	return dst
}

// keep keeps an event that may be the client's own until the answer tells.
func (s *seer) keep(dst []byte, ev *ami.Event, v *view) []byte {
	if len(s.early) == mostEarly {
		first := s.early[0]
		s.early = s.early[1:]
		dst = s.told(dst, &first, first.Get("ActionID"), v)
	}
	s.early = append(s.early, *ev)
	return dst
}

// answered appends what was kept until an answer came, which may have been to an action that events tell of.
func (s *seer) answered(dst []byte, n *named, v *view) []byte {
	if n != nil {
		s.named.add(n)
	}
	for i := range s.early {
		dst = s.told(dst, &s.early[i], s.early[i].Get("ActionID"), v)
	}
	s.early = nil
	return dst
}

// named is an action that events will tell of: its ActionID on the server, and the client's, which may be "".
type named struct{ id, own string }

// adopted are a client's named actions, a bounded number of them: the oldest go, for some are never told of.
type adopted struct {
	own   map[string]string
	order []string // the oldest first, with some that were taken
	bytes int
}

// Bounds of adopted.
const (
	mostAdopted = 256 << 10 // bytes: 1,500 calls that ring
	adoptedCost = 128       // bytes of one beside its texts
)

func (a *adopted) has(id string) bool { _, ok := a.own[id]; return ok }

func (a *adopted) add(n *named) {
	if a.own == nil {
		a.own = make(map[string]string)
	}
	a.own[n.id] = n.own
	a.order = append(a.order, n.id)
	a.bytes += adoptedCost + len(n.id) + len(n.own)
	for a.bytes > mostAdopted {
		a.take(a.order[0])
		a.order = a.order[1:]
	}
	if len(a.order) > 16+4*len(a.own) {
		a.order = slices.DeleteFunc(a.order, func(id string) bool { return !a.has(id) })
	}
}

func (a *adopted) take(id string) (own string, ok bool) {
	if own, ok = a.own[id]; ok {
		delete(a.own, id)
		a.bytes -= adoptedCost + len(id) + len(own)
	}
	return own, ok
}
