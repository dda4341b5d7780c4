package top

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apntalk/amictl/internal/objects"
	"github.com/apntalk/amictl/pkg/ami/state"
	"github.com/apntalk/amictl/pkg/output"
)

func itoa(n int) string { return strconv.Itoa(n) }

// pad moves text to the right end of a width.
func pad(s string, width int) string {
	return strings.Repeat(" ", max(0, width-output.Width(s))) + s
}

// age is how long something has been: 4s, 2:05, 1:02:05, 3d; nothing if that is not known.
func age(since, now time.Time) string {
	if since.IsZero() {
		return ""
	}
	d := max(0, now.Sub(since)) / time.Second
	switch {
	case d < 60:
		return fmt.Sprintf("%ds", d)
	case d < 3600:
		return fmt.Sprintf("%d:%02d", d/60, d%60)
	case d < 100*3600:
		return fmt.Sprintf("%d:%02d:%02d", d/3600, d/60%60, d%60)
	}
	return fmt.Sprintf("%dd", d/86400)
}

// of makes a column of things of one type.
func of[T state.Object](title string, width int, text func(m *Model, o T) (string, Style), order func(m *Model, a, b T) int) column {
	as := func(r *row) T { o, _ := r.obj.(T); return o }
	return column{
		title: title, width: width,
		text: func(m *Model, r *row) (string, Style) { return text(m, as(r)) },
		cmp:  func(m *Model, a, b *row) int { return order(m, as(a), as(b)) },
	}
}

// word is a column of text.
func word[T state.Object](title string, width int, text func(o T) string) column {
	return of(title, width, func(_ *Model, o T) (string, Style) { return text(o), Plain },
		func(_ *Model, a, b T) int { return cmp.Compare(text(a), text(b)) })
}

// count is a column of numbers.
func count[T state.Object](title string, width int, n func(m *Model, o T) int) column {
	c := of(title, width, func(m *Model, o T) (string, Style) { return itoa(n(m, o)), Plain },
		func(m *Model, a, b T) int { return cmp.Compare(n(m, a), n(m, b)) })
	c.right = true
	return c
}

// since is a column of ages, the oldest of which are the largest.
func since[T state.Object](title string, width int, at func(m *Model, o T) time.Time) column {
	c := of(title, width, func(m *Model, o T) (string, Style) { return age(at(m, o), m.now), Plain },
		func(m *Model, a, b T) int { return byTime(at(m, b), at(m, a)) })
	c.right = true
	return c
}

// stateOf is a column of states, coloured by what they mean.
func stateOf[T state.Object](title string, width int, text func(o T) string) column {
	c := word(title, width, text)
	c.text = func(_ *Model, r *row) (string, Style) {
		o, _ := r.obj.(T)
		return text(o), tone(text(o))
	}
	return c
}

// tone is how a state looks.
func tone(word string) Style {
	switch strings.Fields(word + " -")[0] {
	case "talking", "ready", "not-in-use", "registered":
		return Good
	case "ringing", "waiting", "dialing", "on-hold", "stale", "paused", "connecting", "backoff", "stopping":
		return Warn
	case "unavailable", "invalid", "unreachable", "rejected", "unregistered", "down", "refused":
		return Bad
	}
	return Plain
}

func nodeColumn() column {
	return column{
		title: "NODE", width: 12, several: true,
		text: func(_ *Model, r *row) (string, Style) { return r.node, Plain },
		cmp:  func(_ *Model, a, b *row) int { return cmp.Compare(a.node, b.node) },
	}
}

func callColumns() []column {
	return []column{
		since("AGE", 8, func(_ *Model, c *state.Call) time.Time { return c.Start }),
		stateOf("STATE", 8, func(c *state.Call) string {
			if c.Hold {
				return "on-hold"
			}
			return c.State
		}),
		word("FROM", 0, func(c *state.Call) string { return objects.PartyText(c.Caller) }),
		word("TO", 0, func(c *state.Call) string { return objects.PartyText(c.Callee) }),
		word("QUEUE", 10, func(c *state.Call) string { return c.Queue }),
		nodeColumn(),
		count("LEGS", 4, func(_ *Model, c *state.Call) int { return c.Legs }),
		since("ANSWERED", 8, func(_ *Model, c *state.Call) time.Time { return c.Answer }),
	}
}

func queueColumns() []column {
	return []column{
		word("QUEUE", 0, func(q *state.Queue) string { return q.Name }),
		nodeColumn(),
		{
			title: "WAITING", width: 7, right: true,
			text: func(m *Model, r *row) (string, Style) {
				if n := m.line(r.id).callers; n > 0 {
					return itoa(n), Warn
				}
				return "0", Plain
			},
			cmp: func(m *Model, a, b *row) int { return cmp.Compare(m.line(a.id).callers, m.line(b.id).callers) },
		},
		{
			title: "LONGEST", width: 8, right: true,
			text: func(m *Model, r *row) (string, Style) {
				if at := m.line(r.id).longest; !at.IsZero() {
					return age(at, m.now), Warn
				}
				return "", Plain
			},
			cmp: func(m *Model, a, b *row) int { return byTime(m.line(b.id).longest, m.line(a.id).longest) },
		},
		count("FREE", 6, func(m *Model, q *state.Queue) int { return m.line(idOf(q.Node, q)).free }),
		count("PAUSED", 6, func(m *Model, q *state.Queue) int { return m.line(idOf(q.Node, q)).paused }),
		count("MEMBERS", 7, func(_ *Model, q *state.Queue) int { return q.Members }),
	}
}

func memberColumns() []column {
	return []column{
		word("MEMBER", 0, func(q *state.Member) string { return cmp.Or(q.Name, q.Interface) }),
		word("INTERFACE", 0, func(q *state.Member) string { return q.Interface }),
		stateOf("STATE", 12, func(q *state.Member) string {
			if q.Paused {
				return strings.TrimSpace("paused " + q.PausedReason)
			}
			return q.State
		}),
		count("CALLS", 6, func(_ *Model, q *state.Member) int { return q.CallsTaken }),
		since("LAST CALL", 9, func(_ *Model, q *state.Member) time.Time { return q.LastCall }),
	}
}

func callerColumns() []column {
	return []column{
		count("PLACE", 5, func(_ *Model, c *state.Caller) int { return c.Position }),
		since("WAITS", 8, func(_ *Model, c *state.Caller) time.Time { return c.Joined }),
		word("WHO", 0, func(c *state.Caller) string { return strings.TrimSpace(c.Number + " " + c.Name) }),
		word("CHANNEL", 0, func(c *state.Caller) string { return c.Channel }),
	}
}

// downColumns are of endpoints and registrations.
func downColumns() []column {
	text := func(of func(o state.Object) string) (func(*Model, *row) (string, Style), func(*Model, *row, *row) int) {
		return func(_ *Model, r *row) (string, Style) { return of(r.obj), tone(of(r.obj)) },
			func(_ *Model, a, b *row) int { return cmp.Compare(of(a.obj), of(b.obj)) }
	}
	col := func(title string, width int, of func(o state.Object) string) column {
		c := column{title: title, width: width}
		c.text, c.cmp = text(of)
		return c
	}
	return []column{
		col("NAME", 0, func(o state.Object) string { name, _, _ := downText(o); return name }),
		col("WHAT", 14, func(o state.Object) string { _, what, _ := downText(o); return what }),
		col("STATE", 14, func(o state.Object) string { _, _, is := downText(o); return is }),
		nodeColumn(),
	}
}

// downText says what is down; is "" if it is not.
func downText(o state.Object) (name, what, is string) {
	switch o := o.(type) {
	case *state.Endpoint:
		name, what = o.Name, "endpoint"
		switch {
		case o.State == "unavailable" || o.State == "invalid":
			is = o.State
		case o.Reach == "unreachable":
			is = o.Reach
		}
	case *state.Registration:
		name, what = strings.TrimSpace(cmp.Or(o.Name, o.Username)+" "+o.Domain), "registration"
		if o.State != "registered" {
			is = o.State
		}
	}
	return name, what, is
}

func conferenceColumns() []column {
	return []column{
		word("CONFERENCE", 0, func(c *state.Conference) string { return c.Name }),
		nodeColumn(),
		count("PARTIES", 7, func(_ *Model, c *state.Conference) int { return c.Parties }),
		since("SINCE", 8, func(_ *Model, c *state.Conference) time.Time { return c.Start }),
	}
}

func partyColumns() []column {
	return []column{
		word("CHANNEL", 0, func(c *state.Channel) string { return c.Name }),
		word("WHO", 0, func(c *state.Channel) string { return strings.TrimSpace(c.CallerNumber + " " + c.CallerName) }),
		since("UP", 8, func(_ *Model, c *state.Channel) time.Time { return c.Created }),
	}
}

func nodeColumns() []column {
	seen := func(m *Model, n *state.Node) NodeStat { return m.seen[n.Node] }
	return []column{
		word("NODE", 0, func(n *state.Node) string { return n.Node }),
		of("STATE", 10, func(m *Model, n *state.Node) (string, Style) {
			text := cmp.Or(seen(m, n).State, "ready")
			if n.Stale && text == "ready" {
				text = "stale"
			}
			return text, tone(text)
		}, func(m *Model, a, b *state.Node) int { return cmp.Compare(seen(m, a).State, seen(m, b).State) }),
		since("SINCE", 8, func(_ *Model, n *state.Node) time.Time { return n.Since }),
		count("CALLS", 6, func(m *Model, n *state.Node) int { return m.callsOf[n.Node] }),
		count("CHANNELS", 8, func(m *Model, n *state.Node) int { return m.channelsOf[n.Node] }),
		of("EVENTS/S", 8, func(m *Model, n *state.Node) (string, Style) {
			return pad(fmt.Sprintf("%.0f", seen(m, n).Rate), 8), Plain
		},
			func(m *Model, a, b *state.Node) int { return cmp.Compare(seen(m, a).Rate, seen(m, b).Rate) }),
		of("PING", 8, func(m *Model, n *state.Node) (string, Style) {
			if d := seen(m, n).Ping; d > 0 {
				return pad(output.Duration(d), 8), Plain
			}
			return "", Plain
		}, func(m *Model, a, b *state.Node) int { return cmp.Compare(seen(m, a).Ping, seen(m, b).Ping) }),
		count("GAPS", 5, func(_ *Model, n *state.Node) int { return int(min(n.Gaps, 1<<31)) }),
	}
}
