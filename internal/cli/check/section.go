package check

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

func partOf(name string) *part {
	return &parts[slices.IndexFunc(parts, func(p part) bool { return p.name == name })]
}

// list asks for what a part is about, once.
func (c *checker) list(ctx context.Context, p *part) (*holding, error) {
	if h := c.held[p.name]; h != nil {
		return h, nil
	}
	if c.held == nil {
		c.held, c.lists = make(map[string]*holding), lists{to: c.conn, answers: make(map[string]answer)}
	}
	held, err := state.List(ctx, &c.lists, c.node.Name, append([]state.Kind{p.kind}, p.with...)...)
	if errors.Is(err, state.ErrShort) {
		err = failedCheck(fail.CodeRefused, c.node.Name+": a list ended before everything that it announced had come")
	}
	if err != nil {
		return nil, err
	}
	h := &holding{Snapshot: held, at: time.Now()}
	c.held[p.name] = h
	return h, nil
}

// Lists are what a server answered: parts share them, as calls, queues and conferences are all made of its channels.
type lists struct {
	to      ami.Doer
	answers map[string]answer
}

type answer struct {
	reply *ami.Reply
	err   error // that it was refused
}

// Do asks for a list that was not asked for before.
func (l *lists) Do(ctx context.Context, a ami.Action) (*ami.Reply, error) {
	if known, ok := l.answers[a.Name]; ok {
		return known.reply, known.err
	}
	reply, err := l.to.Do(ctx, a)
	if err == nil || errors.As(err, new(*ami.ResponseError)) {
		l.answers[a.Name] = answer{reply, err}
	}
	return reply, err
}

// listClasses are those that the lists want, one or the other.
const listClasses = "system, reporting or call"

// label is what the check of a section is called where its things are not known.
func (s *section) label() string {
	if s.title != "" {
		return s.title
	}
	if len(s.names) == 0 {
		return s.name
	}
	return s.one + " " + strings.Join(s.names, " ")
}

// section books the checks of a section: one of each thing, or one of all.
func (c *checker) section(ctx context.Context, s *section) {
	start := time.Now()
	book := func(name string, found finding) { c.add(name, start, time.Now(), found) }
	h, err := c.list(ctx, s.part)
	if err != nil {
		book(s.label(), failing(c.node.Name, err))
		return
	}
	known := h.Nodes[0].Knows(s.kind)
	chosen := s.chosen(ofKind(h.Snapshot, s.kind))
	switch {
	case known == state.Events && (s.counts || len(chosen) == 0):
		book(s.label(), c.notAllowed(s.asks(), listClasses))
		return
	case known == state.Absent && s.counts:
		book(s.label(), c.absent(s))
		return
	}
	if s.looksAtContacts() {
		if err := c.askContacts(ctx, h, chosen); err != nil {
			book(s.label(), failing(c.node.Name, err))
			return
		}
	}
	met := s.meeting(c.node.Name, h, chosen)
	if s.counts {
		book(s.label(), s.count(c.node.Name, h, met))
		return
	}
	for _, name := range s.missing(chosen) {
		if known == state.Events {
			book(s.nameOf(name), c.notAllowed(s.asks(), listClasses))
			continue
		}
		book(s.nameOf(name), s.judgeNone(c.node.Name, name))
	}
	for _, t := range met {
		book(s.nameOf(s.part.title(t.object)), s.judgeOne(c.node.Name, t))
	}
	switch {
	case len(met) > 0 || len(s.names) > 0 && len(chosen) == 0:
	case len(chosen) > 0:
		book(s.label(), finding{detail: fmt.Sprintf("%s, and none meets %s", fail.Count(len(chosen), s.one), s.where)})
	case s.passing:
		book(s.label(), finding{detail: "there is none"})
	default:
		book(s.label(), unlike("there is no %s", s.one))
	}
}

// judgeNone is the finding of a name that finds nothing.
func (s *section) judgeNone(node, name string) finding {
	if !s.passing {
		return unlike("there is no such %s", s.one)
	}
	figures := measure(s.figures, make([]float64, len(s.figures)), s.thresholds, s.one, name)
	known, _ := fields(figures)
	how, why := s.judge(node, known, nil)
	return judged(how, why, "there is none", figures)
}

// absent is the finding of a count of what the server has no list of.
func (c *checker) absent(s *section) finding {
	text := "the server has no list of " + s.name
	if s.asks() {
		return finding{status: undecided, detail: text, err: failedCheck(fail.CodeRefused, c.node.Name+": "+text)}
	}
	return finding{status: skipped, detail: text}
}

// nameOf is what the check of a thing is called.
func (s *section) nameOf(name string) string {
	if s.title != "" {
		return s.title + " " + name
	}
	return s.one + " " + name
}

// matches reports whether a glob of a profile means a thing, with or without its technology: alice, or PJSIP/alice.
func (s *section) matches(glob string, o state.Object) bool {
	names := []string{s.part.title(o)}
	if e, ok := o.(*state.Endpoint); ok {
		_, bare, _ := strings.Cut(e.Name, "/")
		names = append(names, e.Name, bare)
	}
	return slices.ContainsFunc(names, func(name string) bool { return ami.MatchGlob(glob, name) })
}

// chosen are the things that a section names.
func (s *section) chosen(all []state.Object) []state.Object {
	if len(s.names) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(o state.Object) bool {
		return !slices.ContainsFunc(s.names, func(glob string) bool { return s.matches(glob, o) })
	})
}

// meeting measures things, and keeps those that meet the condition.
func (s *section) meeting(node string, h *holding, chosen []state.Object) (met []*thing) {
	for _, o := range chosen {
		if t := s.thing(h, o); s.where.MatchFields(node, s.fields(t)) {
			met = append(met, t)
		}
	}
	return met
}

// missing are the names that find nothing.
func (s *section) missing(chosen []state.Object) []string {
	return slices.DeleteFunc(slices.Clone(s.names), func(glob string) bool {
		return slices.ContainsFunc(chosen, func(o state.Object) bool { return s.matches(glob, o) })
	})
}

// judgeOne is the finding of one thing.
func (s *section) judgeOne(node string, t *thing) finding {
	figures := measure(s.figures, t.values, s.thresholds, s.one, s.part.title(t.object))
	how, why := s.judge(node, s.fields(t), nil)
	there := words(figures, s.thresholds)
	switch is := objects.TextOf(t.record, "state"); {
	case is == "":
	case s.kind == state.KindRegistration: // its one figure says the same
		there = is
	default:
		there = is + ", " + there
	}
	return judged(how, why, there, figures)
}

// count is the finding of all things of a section together.
func (s *section) count(node string, h *holding, met []*thing) finding {
	values := []float64{float64(len(met)), 0}
	of := counted
	oldest := ""
	for _, t := range met {
		if begun := s.objects().Began(t.record); !begun.IsZero() {
			if age := max(0, h.at.Sub(begun)).Truncate(time.Second).Seconds(); age > values[1] {
				values[1], oldest = age, s.part.title(t.object)
			}
		}
	}
	if !s.objects().Ages() {
		of, values = counted[:1], values[:1]
	}
	figures := measure(of, values, s.thresholds, "", "")
	known, unknown := fields(figures)
	how, why := s.judge(node, known, unknown)
	there := words(figures, s.thresholds)
	if oldest != "" {
		there += " (" + oldest + ")"
	}
	return judged(how, why, there, figures)
}

// A contact is an address of a PJSIP endpoint.
type contact struct {
	reachable bool          // or nobody tries
	rtt       time.Duration // 0: not known
}

// looksAtContacts reports whether a section is about what only each endpoint's own details tell.
func (s *section) looksAtContacts() bool {
	if s.kind != state.KindEndpoint {
		return false
	}
	return !s.counts || slices.ContainsFunc(s.where.Fields(), func(f string) bool { return contains([]string{"reachable", "rtt"}, f) })
}

// askContacts asks for the contacts of PJSIP endpoints that have any: no list has them with their states
// (PJSIPShowContacts leaves those out that are configured). An endpoint that is gone by then keeps what the list said.
func (c *checker) askContacts(ctx context.Context, h *holding, endpoints []state.Object) error {
	if h.contacts == nil {
		h.contacts = make(map[string][]contact)
	}
	var b ami.Batch[string]
	asked := 0
	for _, o := range endpoints {
		e := o.(*state.Endpoint)
		name, isPJSIP := strings.CutPrefix(e.Name, "PJSIP/")
		if _, known := h.contacts[e.Name]; known || !isPJSIP || len(e.Contacts) == 0 {
			continue
		}
		if err := b.Submit(ctx, c.conn, ami.NewAction("PJSIPShowEndpoint", "Endpoint", name), e.Name); err != nil {
			return err
		}
		asked++
	}
	for range asked {
		r, err := b.Next(ctx)
		if err != nil {
			return err
		}
		switch {
		case r.Err == nil:
			h.contacts[r.Value] = contactsOf(r.Reply)
		case !errors.As(r.Err, new(*ami.ResponseError)):
			return r.Err
		}
	}
	return nil
}

// contactsOf reads the contacts of an endpoint's details (pjsip_options.c, the statuses of contact_status_to_str).
func contactsOf(r *ami.Reply) (all []contact) {
	all = []contact{}
	for i := range r.Events {
		if !wire.EqualFold(r.Events[i].Name(), "ContactStatusDetail") {
			continue
		}
		var one contact
		switch strings.ToLower(r.Events[i].Get("Status")) {
		case "reachable", "nonqualified", "created", "updated":
			one.reachable = true
		}
		if us, err := strconv.ParseInt(r.Events[i].Get("RoundtripUsec"), 10, 64); err == nil && one.reachable {
			one.rtt = time.Duration(us) * time.Microsecond
		}
		all = append(all, one)
	}
	return all
}
