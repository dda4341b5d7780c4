package cond

import (
	"slices"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/wire"
)

// A Count is how many things were asked whether they meet a condition, and how many did.
type Count struct{ Asked, Met int }

// Add counts what others counted, such as another node's answer.
func (c *Count) Add(other Count) {
	c.Asked += other.Asked
	c.Met += other.Met
}

// Item asks one item of a list, and reports whether it meets the condition: a header that it lacks meets != and !~.
// Without a condition each item counts.
func (c *Count) Item(w *ami.Where, node string, item *wire.Message) bool {
	met := w.Match(node, item)
	c.add(met)
	return met
}

func (c *Count) add(met bool) {
	c.Asked++
	if met {
		c.Met++
	}
}

// Reply asks a whole answer: the items that are in it and what is around them.
func (c *Count) Reply(w *ami.Where, r *ami.Reply) {
	for i := range r.Events {
		c.Item(w, r.Node, &r.Events[i].Message)
	}
	c.Around(w, r, len(r.Events))
}

// Around asks what is around so many items, which were asked one by one as they came.
//
// The response that begins a list and the event that ends it say little of what its items do: they are asked only if they
// carry a header that the condition names, and for the headers that they carry. So ListItems=0 looks at the end of a list,
// and Status!=Registered is not met by the absence of items. An answer that is no list counts as one thing, if there is a
// condition: what an Originate came to if that was waited for, else the response. One that only says that a list is empty
// is nothing.
func (c *Count) Around(w *ami.Where, r *ami.Reply, items int) {
	if w == nil || items == 0 && MeansEmpty(r.Get("Message")) {
		return
	}
	names := w.Fields()
	if !IsList(r, items) {
		if r.End.Len() > 0 && (carries(&r.End, names) || !carries(&r.Message, names)) {
			c.add(w.Match(r.Node, &r.End))
		} else {
			c.add(w.Match(r.Node, &r.Message))
		}
		return
	}
	for _, m := range []*wire.Message{&r.Message, &r.End} {
		if carries(m, names) {
			c.add(w.MatchPresent(r.Node, m))
		}
	}
}

// carries reports whether a packet has a header of one of the names.
func carries(m *wire.Message, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		_, there := m.Lookup(name)
		return there
	})
}

// IsList reports whether the server answered with a list, of so many items.
func IsList(r *ami.Reply, items int) bool {
	if _, announced := r.Lookup("EventList"); announced || items > 0 {
		return true
	}
	return r.End.Len() > 0 && !wire.EqualFold(r.End.Name(), "OriginateResponse")
}
