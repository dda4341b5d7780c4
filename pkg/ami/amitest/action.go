package amitest

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/apntalk/amictl/internal/manager"
)

// HandlerFunc answers one action.
type HandlerFunc func(*Request, *ResponseWriter)

// action is one entry of the server's action table.
type action struct {
	name     string
	synopsis string
	class    Class
	run      HandlerFunc
	preAuth  bool // works before login
	since    int  // first series that has it, 0 for all
	until    int  // last series that has it, 0 for all
}

// maxActionName bounds the names that are looked up without an allocation.
const maxActionName = 64

// builtins is the table of the actions that the simulator claims, by lower-case
// name. It is filled once, when it is first asked, and never changed.
var builtins func() map[string]*action

// It is set here because ListCommands, one of its entries, walks the table.
func init() { builtins = sync.OnceValue(buildTable) }

func buildTable() map[string]*action {
	t := make(map[string]*action, 128)
	for _, group := range [][]action{
		coreActions, sessionActions, commandActions, channelActions, originateActions,
		queueActions, pjsipActions, dbActions, configActions, miscActions,
	} {
		for _, a := range group {
			key := strings.ToLower(a.name)
			if k, ok := catalogue()[key]; ok {
				a.synopsis, a.class = k.synopsis, k.class
				switch k.series {
				case "22":
					a.since = 22
				case "16":
					a.until = 16
				}
			}
			t[key] = &a
		}
	}
	return t
}

// refused says whether a real server has the action and would refuse it to this
// session, though the simulator does not claim it.
func (s *session) refused(name []byte) bool {
	k, ok := catalogue()[strings.ToLower(string(name))]
	return ok && k.class != 0 && s.write&k.class == 0
}

// Handle registers a handler for an action that everyone who is logged in may
// run. It replaces a built-in one of that name. Names ignore case.
func (s *Server) Handle(name string, h HandlerFunc) { s.HandleClass(name, ClassNone, h) }

// HandleClass registers a handler for an action that needs any of the classes in
// the user's write=.
func (s *Server) HandleClass(name string, class Class, h HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	table := make(map[string]*action)
	if p := s.custom.Load(); p != nil {
		table = maps.Clone(*p)
	}
	table[strings.ToLower(name)] = &action{name: name, class: class, run: h}
	s.custom.Store(&table)
}

// find looks an action up; nil if this server has none of that name.
func (s *Server) find(name []byte) *action {
	if len(name) > maxActionName {
		return nil
	}
	var low [maxActionName]byte
	for i, c := range name {
		low[i] = manager.Lower(c)
	}
	key := low[:len(name)]
	if p := s.custom.Load(); p != nil {
		if a := (*p)[string(key)]; a != nil {
			return a
		}
	}
	a := builtins()[string(key)]
	if a == nil || !a.in(s.cfg.version) {
		return nil
	}
	return a
}

func (a *action) in(v Version) bool {
	return (a.since == 0 || v.Major >= a.since) && (a.until == 0 || v.Major <= a.until)
}

// describe returns the synopsis as that version words it.
func (a *action) describe(v Version) string {
	now, before, changed := strings.Cut(a.synopsis, "|")
	if changed && v.Major < 18 {
		return before
	}
	return now
}

// actions returns the action table sorted by name, as ListCommands walks it.
func (s *Server) actions() []*action {
	all := make(map[string]*action, len(builtins()))
	for k, a := range builtins() {
		if a.in(s.cfg.version) {
			all[k] = a
		}
	}
	if p := s.custom.Load(); p != nil {
		maps.Copy(all, *p)
	}
	list := slices.Collect(maps.Values(all))
	slices.SortFunc(list, func(a, b *action) int {
		return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name))
	})
	return list
}

// message runs one message (process_message in manager.c) and says whether the
// session goes on.
func (s *session) message(v manager.Verdict) bool {
	s.tally.actions++
	r, w := &s.req, &s.w
	r.action, r.id = s.in.First("Action", true), s.in.First("ActionID", false)
	w.closing = false
	if s.srv.book.ids != nil {
		s.srv.book.byID(r.id)
	}
	switch {
	case v == manager.GotTooMany:
		w.Error(manager.TooManyText)
		return true
	case v == manager.GotTooLong:
		w.Error(manager.TooLongText)
		return true
	case len(r.action) == 0:
		w.Error(manager.NoActionText)
		return true
	case s.srv.stopping.Load():
		w.Error("Asterisk is shutting down")
		return true
	}
	s.waitThawed()
	if run, alive := s.before(); !run {
		return alive
	}
	s.from, s.mark = len(s.batch.b), len(s.batch.marks)
	s.execute(r, w)
	s.after(s.from, s.mark)
	return !w.closing
}

// execute runs a well-formed action, or refuses it.
func (s *session) execute(r *Request, w *ResponseWriter) {
	a := s.srv.find(r.action)
	if !s.authed && (a == nil || !a.preAuth) {
		w.Error(manager.DeniedText)
		return
	}
	switch {
	case a == nil && s.refused(r.action):
		w.Error(manager.DeniedText)
	case a == nil:
		w.Error(unknownAction(r.action))
	case a.class != 0 && s.write&a.class == 0:
		w.Error(manager.DeniedText)
	default:
		a.run(r, w)
	}
}

// unknownAction is the refusal of an action that nobody registered; the server
// builds it in 512 bytes, one of them the final NUL.
func unknownAction(name []byte) string {
	const room = 511
	msg := "Invalid/unknown command: " + string(name) + ". Use Action: ListCommands to show available commands."
	return msg[:min(len(msg), room)]
}
