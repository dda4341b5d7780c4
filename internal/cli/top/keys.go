package top

import (
	"strings"

	"github.com/apntalk/amictl/internal/cli/fail"
	"github.com/apntalk/amictl/internal/cli/held"
	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// A prompt is a line that is typed.
type prompt struct {
	label string
	text  []rune
	done  func(text string) error
}

// A question is asked before an order is given.
type question struct {
	text   string
	orders []Order
}

// Key takes a key: a character, or the name of another key in lower case, such as "up", "enter" or "ctrl-c".
func (m *Model) Key(key string) Intent {
	switch {
	case key == "ctrl-c":
		return Intent{Quit: true}
	case key == "ctrl-l":
		return Intent{Redraw: true}
	case key == "ctrl-z":
		return Intent{Suspend: true}
	case m.prompt != nil:
		m.typed(key)
		return Intent{}
	case m.ask != nil:
		return m.answered(key)
	case m.help:
		m.help = false
		return Intent{}
	}
	m.message = ""
	if do := keys[key]; do != nil {
		return do(m)
	}
	return Intent{}
}

// keys are what each key does where nothing is typed or asked.
var keys = map[string]func(*Model) Intent{
	"q": func(*Model) Intent { return Intent{Quit: true} },
	"?": func(m *Model) Intent { m.help = true; return Intent{} }, "h": func(m *Model) Intent { m.help = true; return Intent{} },
	"up": moves(-1), "k": moves(-1), "down": moves(1), "j": moves(1),
	"pgup": pages(-1), "pgdn": pages(1), "home": moves(-1 << 30), "g": moves(-1 << 30), "end": moves(1 << 30), "G": moves(1 << 30),
	"tab": turns(1), "backtab": turns(-1), "right": turns(1), "left": turns(-1),
	"0": shows(pageAll), "1": shows(pageCalls), "2": shows(pageQueues), "3": shows(pageDown), "4": shows(pageConferences), "5": shows(pageNodes),
	"s": func(m *Model) Intent { return m.order(1) }, "S": func(m *Model) Intent { return m.order(0) },
	"/": func(m *Model) Intent { return m.filter() }, "n": func(m *Model) Intent { return m.choose() },
	"enter": func(m *Model) Intent { return m.open() }, "esc": func(m *Model) Intent { return m.back() },
	"x": func(m *Model) Intent { return m.hangUp() }, "p": func(m *Model) Intent { return m.pause() }, "K": func(m *Model) Intent { return m.kick() },
	" ": func(m *Model) Intent { m.frozen = !m.frozen; return Intent{} },
}

func moves(by int) func(*Model) Intent {
	return func(m *Model) Intent {
		if m.page == pageCall {
			m.story.up = min(max(m.story.up-by, 0), max(0, len(m.story.lines)-m.room()))
		} else if t := m.table(); t != nil {
			t.move(m, by)
		}
		return Intent{}
	}
}

func pages(by int) func(*Model) Intent {
	return func(m *Model) Intent { return moves(by * max(1, m.room()-1))(m) }
}

// room is how many rows of a table or a story are seen at once.
func (m *Model) room() int { return max(1, m.height-5) }

// turns gives the focus to the next table of the page.
func turns(by int) func(*Model) Intent {
	return func(m *Model) Intent {
		if n := len(m.shown()); n > 0 {
			m.focus = (m.focus + by + n) % n
		}
		return Intent{}
	}
}

func shows(p page) func(*Model) Intent {
	return func(m *Model) Intent {
		i := m.leave()
		m.goTo(p)
		return i
	}
}

// order sorts by the next column, or the other way round.
func (m *Model) order(by int) Intent {
	if t := m.table(); t != nil {
		if by == 0 {
			t.reverse = !t.reverse
		} else {
			t.by = (t.by + by) % len(t.columns)
		}
		t.sorted = false
	}
	return Intent{}
}

// filter asks for a condition on the table at hand.
func (m *Model) filter() Intent {
	t := m.table()
	if t == nil {
		return Intent{}
	}
	m.prompt = &prompt{label: "/", text: []rune(t.filter), done: func(text string) error {
		where, err := condition(text, m.partsOf(t))
		if err != nil {
			return err
		}
		t.where, t.filter = where, text
		t.sift(m)
		return nil
	}}
	return Intent{}
}

// condition reads a filter: a condition, or a text that any key may hold.
func condition(text string, parts []*objects.Part) (*ami.Where, error) {
	if text == "" {
		return nil, nil
	}
	if !strings.ContainsAny(text, "=<>~") {
		text = "*=~(?i)" + text
	}
	return held.ParseWhere(text, parts...)
}

// partsOf are what a table shows.
func (m *Model) partsOf(t *table) []*objects.Part {
	kinds := map[*table][]state.Kind{
		m.calls: {state.KindCall}, m.queues: {state.KindQueue}, m.down: {state.KindEndpoint, state.KindRegistration},
		m.conferences: {state.KindConference}, m.nodes: {state.KindNode}, m.members: {state.KindMember}, m.callers: {state.KindCaller},
		m.parties: {state.KindChannel},
	}
	var parts []*objects.Part
	for _, k := range kinds[t] {
		parts = append(parts, objects.PartOf(k))
	}
	return parts
}

// choose asks for the nodes to look at.
func (m *Model) choose() Intent {
	m.prompt = &prompt{label: "node (a name, * and ? are wildcards; empty: all): ", text: []rune(m.node), done: func(text string) error {
		m.node = text
		for _, t := range m.tables() {
			t.sift(m)
		}
		return nil
	}}
	return Intent{}
}

// typed takes a key of a prompt.
func (m *Model) typed(key string) {
	p := m.prompt
	switch key {
	case "esc":
		m.prompt = nil
	case "enter":
		if err := p.done(strings.TrimSpace(string(p.text))); err != nil {
			f := fail.Classify(err)
			m.Say(f.Message+": "+f.Hint, true)
			return
		}
		m.message, m.prompt = "", nil
	case "backspace":
		p.text = p.text[:max(0, len(p.text)-1)]
	case "ctrl-u":
		p.text = p.text[:0]
	default:
		if r := []rune(key); len(r) == 1 && len(p.text) < 1000 {
			p.text = append(p.text, r...)
		}
	}
}

// open shows what is in the chosen thing.
func (m *Model) open() Intent {
	t := m.table()
	if t == nil {
		return Intent{}
	}
	r := t.current(m)
	if r == nil {
		return Intent{}
	}
	switch o := r.obj.(type) {
	case *state.Call:
		m.enter(pageCall, r.id, "call "+o.Linkedid+"  "+objects.PartyText(o.Caller)+" → "+objects.PartyText(o.Callee))
		m.story = &story{}
		return Intent{Watch: o}
	case *state.Queue:
		m.enter(pageQueue, r.id, "queue "+o.Name+" on "+r.node)
	case *state.Conference:
		m.enter(pageConference, r.id, "conference "+o.Name+" on "+r.node)
	case *state.Node:
		m.node = r.node
		for _, t := range m.tables() {
			t.sift(m)
		}
		m.goTo(pageAll)
	}
	return Intent{}
}

func (m *Model) enter(p page, subject id, title string) {
	if m.page < pageQueue {
		m.before = m.page
	}
	m.subject, m.title = subject, title
	m.goTo(p)
	for _, t := range m.shown() {
		t.sift(m)
	}
}

// back leaves a thing, else the filter, else the choice of a node.
func (m *Model) back() Intent {
	if m.page >= pageQueue {
		i := m.leave()
		m.goTo(m.before)
		return i
	}
	if t := m.table(); t != nil && t.filter != "" {
		t.where, t.filter = nil, ""
		t.sift(m)
		return Intent{}
	}
	m.node = ""
	for _, t := range m.tables() {
		t.sift(m)
	}
	return Intent{}
}

// leave ends the story that nobody will read any more.
func (m *Model) leave() Intent {
	if m.story == nil {
		return Intent{}
	}
	m.story = nil
	return Intent{Unwatch: true}
}
