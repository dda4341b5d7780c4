package top

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/apntalk/amictl/pkg/ami/state"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return noon.Add(-d) }

// hold tells the model that these are there now.
func hold(m *Model, node string, objects ...state.Object) {
	for _, o := range objects {
		m.Change(&state.Change{Op: state.OpAdd, Node: node, Object: o})
	}
}

func drop(m *Model, node string, o state.Object) {
	m.Change(&state.Change{Op: state.OpRemove, Node: node, Object: o})
}

func party(number, name string) state.Party { return state.Party{Number: number, Name: name} }

// busy is a model of two servers at noon.
func busy() *Model {
	m := NewModel(2, func(node string) string {
		if node == "pbx2" {
			return "context prod is protected"
		}
		return ""
	})
	m.Resize(80, 24)
	m.Tick(noon)
	hold(m, "pbx1", &state.Node{Node: "pbx1", Since: ago(time.Hour)},
		&state.Channel{Node: "pbx1", Uniqueid: "1", Linkedid: "1", Name: "PJSIP/bob-1", State: "up", Created: ago(65 * time.Second)},
		&state.Channel{Node: "pbx1", Uniqueid: "2", Linkedid: "1", Name: "PJSIP/alice-2", State: "up", Bridge: "b1", Created: ago(60 * time.Second)},
		&state.Call{Node: "pbx1", Linkedid: "1", State: "talking", Start: ago(65 * time.Second), Answer: ago(50 * time.Second), Caller: party("20", "Bob"), Callee: party("10", "Älice 漢字"), Legs: 2, Channels: []string{"1", "2"}},
		&state.Call{Node: "pbx1", Linkedid: "3", State: "waiting", Start: ago(9 * time.Second), Caller: party("4930123456789012345", "A Name that is far too long for it"), Queue: "sales", Legs: 1},
		&state.Queue{Node: "pbx1", Name: "sales", Callers: 1, Members: 3},
		&state.Caller{Node: "pbx1", Queue: "sales", Uniqueid: "3", Number: "49", Channel: "PJSIP/t-3", Position: 1, Joined: ago(7 * time.Second)},
		&state.Member{Node: "pbx1", Queue: "sales", Name: "Alice", Interface: "PJSIP/alice", State: "in-use", CallsTaken: 3, LastCall: ago(time.Hour)},
		&state.Member{Node: "pbx1", Queue: "sales", Name: "Carol", Interface: "PJSIP/carol", State: "not-in-use"},
		&state.Member{Node: "pbx1", Queue: "sales", Name: "Dave", Interface: "PJSIP/dave", State: "not-in-use", Paused: true, PausedReason: "tea"},
		&state.Endpoint{Node: "pbx1", Name: "PJSIP/erin", State: "unavailable"}, &state.Endpoint{Node: "pbx1", Name: "PJSIP/alice", State: "in-use"})
	hold(m, "pbx2", &state.Node{Node: "pbx2", Stale: true, Since: ago(3 * time.Second), Gaps: 1},
		&state.Channel{Node: "pbx2", Uniqueid: "7", Linkedid: "7", Name: "PJSIP/yan-7", State: "up", CallerNumber: "30", CallerName: "Yan", Bridge: "room", Created: ago(4000 * time.Second)},
		&state.Call{Node: "pbx2", Linkedid: "7", State: "up", Start: ago(4000 * time.Second), Caller: party("30", "Yan"), Callee: party("7000", ""), Legs: 1, Channels: []string{"7"}},
		&state.Conference{Node: "pbx2", Name: "7000", Bridge: "room", Parties: 1, Start: ago(4000 * time.Second)},
		&state.Registration{Node: "pbx2", Name: "trunk", Domain: "sip:example.com", State: "rejected"})
	m.Stats(map[string]NodeStat{"pbx1": {State: "ready", Rate: 41.6, Ping: 340 * time.Microsecond}, "pbx2": {State: "backoff"}})
	return m
}

// press types keys, which are separated by spaces; SPACE is one.
func press(m *Model, keys string) (last Intent) {
	for key := range strings.FieldsSeq(keys) {
		if key == "SPACE" {
			key = " "
		}
		last = m.Key(key)
	}
	return last
}

func want(t *testing.T, m *Model, screen string) {
	t.Helper()
	g := m.View()
	got := strings.TrimRight(g.String(), "\n")
	if diff := cmp.Diff(strings.Trim(screen, "\n"), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestScreenOfAll(t *testing.T) {
	want(t, busy(), `
amictl top 12:00:00  2 nodes  1 NOT READY  3 calls, 1 talking  1 waiting  2 dow…
0 all  1 calls  2 queues  3 down  4 conferences  5 nodes
─ nodes 2 by NODE↑ ─────────────────────────────────────────────────────────────
NODE                      STATE         SINCE  CALLS CHANNELS EVENTS/S PING
pbx1                      ready       1:00:00      2        2       42    340µs
pbx2                      backoff          3s      1        1        0
─ calls 3 by AGE↓ ──────────────────────────────────────────────────────────────
     AGE STATE    FROM                   TO                     QUEUE      LEGS
 1:06:40 up       30 Yan                 7000                                 1
    1:05 talking  20 Bob                 10 Älice 漢字                        2
      9s waiting  4930123456789012345 A…                        sales         1


─ queues 1 by WAITING↓ ─────────────────────────────────────────────────────────
QUEUE                       NODE         WAITING  LONGEST   FREE PAUSED MEMBERS
sales                       pbx1               1       7s      1      1       3
─ conferences 1 by PARTIES↓ ────────────────────────────────────────────────────
CONFERENCE                                        NODE         PARTIES    SINCE
7000                                              pbx2               1  1:06:40
─ down 2 by NAME↑ ──────────────────────────────────────────────────────────────
NAME                                 WHAT           STATE          NODE
PJSIP/erin                           endpoint       unavailable    pbx1
trunk sip:example.com                registration   rejected       pbx2
↑↓ Enter open  Tab next  s sort  / filter  n node  x hang up  ? help  q quit
`)
}

// Each key, and what is seen then.
// The page of a queue counts what is in that queue: "1 of 3" would say that a filter hides the rest.
func TestCountsOfThePage(t *testing.T) {
	m := busy()
	hold(m, "pbx2", &state.Queue{Node: "pbx2", Name: "sales", Members: 1}, &state.Member{Node: "pbx2", Queue: "sales", Name: "Zoe", Interface: "PJSIP/zoe"},
		&state.Caller{Node: "pbx2", Queue: "sales", Uniqueid: "9", Number: "48", Channel: "PJSIP/t-9", Position: 1})
	press(m, "2 enter")
	for _, want := range []string{"─ waiting 1 by", "─ members 3 by"} {
		if got := m.View().String(); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestKeys(t *testing.T) {
	for name, test := range map[string]struct {
		keys string
		want []string // in the screen
		not  []string
	}{
		"the longest call is the first, and its ends are seen": {"1", []string{" 1:06:40 up       30 Yan                 7000"}, []string{"queues 1 by"}},
		"the other order":            {"1 S", []string{"─ calls 3 by AGE↑ "}, nil},
		"by another column":          {"1 s", []string{"─ calls 3 by STATE↓ "}, nil},
		"a condition":                {"1 / s t a t e = t a l k i n g enter", []string{"calls 1 of 3 by AGE↓ /state=talking", "20 Bob"}, []string{"Yan"}},
		"an age":                     {"1 / d u r a t i o n > 1 h enter", []string{"calls 1 of 3", "30 Yan"}, nil},
		"what to type instead":       {"1 / s t a r t > 5 enter", []string{"start is a moment: start>5s asks"}, nil},
		"a text":                     {"1 / y A n enter", []string{"calls 1 of 3", "30 Yan"}, []string{"Bob"}},
		"a condition that is wrong":  {"1 / n o k e y = 1 enter", []string{"no part that is asked for has a key nokey", "/nokey=1"}, nil},
		"one that is given up":       {"1 / x x esc", []string{"calls 3 by"}, []string{"/xx"}},
		"what is typed is corrected": {"1 / x backspace 3 0 enter", []string{"/30", "calls 2 of 3"}, nil},
		"a filter is cleared":        {"1 / 3 0 enter esc", []string{"calls 3 by"}, nil},
		"nothing meets it":           {"1 / z z z enter", []string{"nothing meets the filter"}, nil},
		"a node":                     {"n p b x 2 enter", []string{"on pbx2", "calls 1 of 3", "queues 0 of 1"}, []string{"Bob"}},
		"a node that is opened":      {"5 enter", []string{"on pbx1", "calls 2 of 3"}, []string{"Yan"}},
		"all nodes again":            {"n p b x 2 enter esc", []string{"calls 3 by"}, []string{"on pbx2"}},
		"queues":                     {"2", []string{"─ queues 1 by WAITING↓ "}, []string{"calls 3 by"}},
		"what is down":               {"3", []string{"PJSIP/erin", "endpoint", "trunk sip:example.com", "registration", "rejected"}, []string{"PJSIP/alice"}},
		"a queue":                    {"2 enter", []string{"queue sales on pbx1", "    1       7s 49", "Alice", "in-use", "paused tea"}, nil},
		"and back":                   {"2 enter esc", []string{"─ queues 1 by"}, []string{"Alice"}},
		"a conference":               {"4 enter", []string{"conference 7000 on pbx2", "PJSIP/yan-7", "30 Yan"}, []string{"alice"}},
		"a call":                     {"1 down enter", []string{"call 1  20 Bob → 10 Älice", "nothing has happened since you opened it"}, nil},
		"help":                       {"?", []string{"hang up: a call", "Ctrl-L"}, []string{"─ calls"}},
		"help is left by any key":    {"? q", []string{"─ calls 3"}, []string{"Ctrl-L"}},
		"frozen":                     {"SPACE", []string{"FROZEN"}, nil},
		"nothing to pause":           {"1 p", []string{"Enter on a queue shows them"}, nil},
		"nobody to kick":             {"1 K", []string{"Enter on one shows who is in it"}, nil},
		"protected":                  {"1 x", []string{"context prod is protected"}, []string{"hang up 30"}},
		"the question":               {"1 down x", []string{"hang up 20 Bob → 10 Älice 漢字 on pbx1? (y, or any other key for no)"}, nil},
		"no":                         {"1 down x n", []string{"not done"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := busy()
			press(m, test.keys)
			got := m.View().String()
			for _, text := range test.want {
				if !strings.Contains(got, text) {
					t.Errorf("%q is not in\n%s", text, got)
				}
			}
			for _, text := range test.not {
				if strings.Contains(got, text) {
					t.Errorf("%q is in\n%s", text, got)
				}
			}
		})
	}
}

// What is ordered once somebody agreed, and what the keys for the shell are.
func TestIntents(t *testing.T) {
	for name, test := range map[string]struct{ keys, want string }{
		"quit":             {"q", "quit"},
		"anywhere":         {"1 / ctrl-c", "quit"},
		"draw anew":        {"ctrl-l", "redraw"},
		"a call":           {"1 down enter", "watch 1"},
		"no call any more": {"1 down enter esc", "unwatch"},
		"hang up":          {"1 down x y", "pbx1 Hangup Channel=PJSIP/bob-1; pbx1 Hangup Channel=PJSIP/alice-2"},
		"from its story":   {"1 down enter x y", "pbx1 Hangup Channel=PJSIP/bob-1; pbx1 Hangup Channel=PJSIP/alice-2"},
		"who waits":        {"2 enter tab x y", "pbx1 Hangup Channel=PJSIP/t-3"},
		"pause":            {"2 enter p y", "pbx1 QueuePause Queue=sales Interface=PJSIP/alice Paused=true"},
		"unpause":          {"2 enter end p y", "pbx1 QueuePause Queue=sales Interface=PJSIP/dave Paused=false"},
		"not without yes":  {"4 enter K y", ""},
		"a question only":  {"1 down x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := intent(press(busy(), test.keys)); got != test.want {
				t.Errorf("it wants %q, want %q", got, test.want)
			}
		})
	}
	m := busy()
	m.protected = func(string) string { return "" } // --yes
	if got, want := intent(press(m, "4 enter K y")), "pbx2 ConfbridgeKick Conference=7000 Channel=PJSIP/yan-7"; got != want {
		t.Errorf("it wants %q, want %q", got, want)
	}
}

func intent(i Intent) string {
	switch {
	case i.Quit:
		return "quit"
	case i.Redraw:
		return "redraw"
	case i.Unwatch:
		return "unwatch"
	case i.Watch != nil:
		return "watch " + i.Watch.Linkedid
	}
	var all []string
	for _, o := range i.Orders {
		text := o.Node + " " + o.Action.Name
		for _, f := range o.Action.Fields {
			text += " " + f.Name + "=" + f.Value
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// The cursor stays on what it is on, whatever comes and goes above it, and goes to the top when that is gone.
func TestCursorStays(t *testing.T) {
	m := busy()
	press(m, "1 down")
	older := &state.Call{Node: "pbx1", Linkedid: "0", State: "up", Start: ago(2 * time.Hour)}
	hold(m, "pbx1", older)
	m.View()
	if r := m.calls.current(m); r.key != "1" {
		t.Errorf("the cursor is on %s", r.key)
	}
	drop(m, "pbx1", &state.Call{Node: "pbx1", Linkedid: "1"})
	m.View()
	if r := m.calls.current(m); r.key != "0" {
		t.Errorf("the cursor is on %s", r.key)
	}
}

// A long list is scrolled, and its cursor is always seen.
func TestScrolling(t *testing.T) {
	m := busy()
	for i := range 100 {
		hold(m, "pbx1", &state.Call{Node: "pbx1", Linkedid: fmt.Sprint("n", i), State: "up", Start: ago(time.Duration(i) * time.Minute), Caller: party(fmt.Sprint("n", i), "")})
	}
	for _, keys := range []string{"1 end", "pgup", "pgup pgup", "home", "down down", "pgdn"} {
		press(m, keys)
		g := m.View()
		found := false
		for y := range g.Height {
			found = found || g.At(0, y).Style == Cursor
		}
		if !found {
			t.Errorf("after %s the cursor is not seen:\n%s", keys, g)
		}
	}
}

// A story is scrolled back while it goes on, and bounded.
func TestStory(t *testing.T) {
	m := busy()
	press(m, "1 down enter")
	for i := range mostLines + 50 {
		m.Tell(fmt.Sprintf("%9.3f  line %d", float64(i)/10, i), false)
	}
	if got := m.View().String(); !strings.Contains(got, fmt.Sprint("line ", mostLines+49)) || len(m.story.lines) != mostLines {
		t.Errorf("the last line is not seen:\n%s", got)
	}
	press(m, "up up up")
	before := m.View().String()
	m.Tell("more", false)
	if diff := cmp.Diff(before, m.View().String()); diff != "" {
		t.Errorf("it moves under the reader's eyes:\n%s", diff)
	}
	m.Tell("", true)
	if got := m.View().String(); !strings.Contains(got, "(ended)") {
		t.Errorf("it has not ended:\n%s", got)
	}
}

// Whatever the size, something is drawn, nothing panics, and what is stale is dim.
func TestEverySize(t *testing.T) {
	for width := range 220 {
		for _, height := range []int{0, 1, 5, 6, 7, 10, 24, 50} {
			m := busy()
			m.Resize(width, height)
			for _, keys := range []string{"", "1", "2 enter", "4 enter", "1 enter", "esc / a b c", "esc ?"} {
				press(m, keys)
				m.View()
			}
		}
	}
	m := busy()
	press(m, "1 down")
	if s := m.View().At(20, 4).Style; s != Dim {
		t.Errorf("a call of a node that is away has the style %d", s)
	}
}

// Whoever was too slow starts over.
func TestReset(t *testing.T) {
	m := busy()
	m.Change(&state.Change{Op: state.OpReset, Lost: 7})
	if got := m.View().String(); !strings.Contains(got, "0 calls, 0 talking  0 waiting  0 down") {
		t.Errorf("there is something left:\n%s", got)
	}
}

// Five thousand calls at five hundred events a second, drawn ten times a second, are to take 15 % of a core at most; here it
// is what a second of that costs.
func BenchmarkSecond(b *testing.B) {
	m := busy()
	m.Resize(200, 50)
	calls := make([]*state.Call, 5000)
	for i := range calls {
		calls[i] = &state.Call{Node: "pbx1", Linkedid: fmt.Sprint(i), State: "talking", Start: ago(time.Duration(i) * time.Second), Caller: party(fmt.Sprint(i), "Caller"), Callee: party("200", "")}
		hold(m, "pbx1", calls[i])
	}
	for b.Loop() {
		for f := range 10 {
			for i := range 50 {
				c := *calls[(50*f+i)%len(calls)]
				c.Hold = !c.Hold
				m.Change(&state.Change{Op: state.OpChange, Node: "pbx1", Object: &c, Changed: []string{"hold"}})
			}
			m.View()
		}
	}
}
