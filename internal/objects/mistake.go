package objects

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/apntalk/amictl/pkg/ami"
	"github.com/apntalk/amictl/pkg/ami/state"
)

// A Mistake is what is wrong with a condition: no object can meet it, or not as it is meant.
type Mistake struct {
	What    string
	Instead string   // what to write, "" if that is not known
	Key     string   // that nothing has, else ""
	Keys    []string // that there are, where Key is none of them
}

// Wrong looks for a mistake in a condition on the objects of parts; nil if there is none. more are keys that they have beside their own.
func Wrong(where *ami.Where, parts []*Part, more ...string) *Mistake {
	for c := range where.Conditions() {
		if m := wrong(c, parts, more); m != nil {
			return m
		}
	}
	return nil
}

func wrong(c ami.Condition, parts []*Part, more []string) *Mistake {
	ofAll := []string{"type", "node"}
	if c.Field == "*" || contains(ofAll, c.Field) || contains(more, c.Field) {
		return nil
	}
	var found *Mistake
	keys := slices.Clone(more)
	for _, p := range parts {
		keys = append(keys, p.Keys()...)
		if p.Kind == state.KindNode && strings.HasPrefix(strings.ToLower(c.Field), "parts.") { // its keys are the server's
			return nil
		}
		m, known := p.wrong(c)
		if known && m == nil {
			return nil
		}
		if m != nil {
			found = m
		}
	}
	if found != nil {
		return found
	}
	if len(parts) > 0 {
		keys = append(keys, ofAll...)
	}
	m := &Mistake{What: "no part that is asked for has a key " + c.Field, Key: c.Field, Keys: keys}
	if ageWords()[strings.ToLower(c.Field)] && contains(keys, duration) {
		m.Instead = duration + " is how long it has been there, such as duration>1m"
	}
	return m
}

// ageWords are keys of one part, and other words, for what is asked of another one as its duration.
var ageWords = sync.OnceValue(func() map[string]bool {
	return map[string]bool{"age": true, "since": true, "created": true, "start": true, "started": true, "joined": true, "began": true, "up": true, "uptime": true}
})

func contains(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// wrong says what is wrong with a condition on a key of the part, and whether the part has that key.
func (p *Part) wrong(c ami.Condition) (m *Mistake, known bool) {
	for i := range p.all() {
		col := &p.all()[i]
		switch key, within, nested := strings.Cut(c.Field, "."); {
		case strings.EqualFold(c.Field, col.key) && col.form != object:
			return p.mistaken(c, col), true
		case nested && strings.EqualFold(key, col.key):
			return nil, slices.ContainsFunc(col.within, func(w column) bool { return strings.EqualFold(within, w.key) })
		}
	}
	return nil, contains(p.Keys(), c.Field)
}

// mistaken says what is wrong with a condition on a key.
func (p *Part) mistaken(c ami.Condition, col *column) *Mistake {
	ordered := strings.ContainsAny(c.Op, "<>")
	equals := c.Op == "=" || c.Op == "!=" || c.Op == "IN"
	value := c.Values[0]
	switch {
	case col.form == listOfObjects && !c.Counts():
		return &Mistake{What: col.key + " is a list of objects", Instead: col.key + ">1 asks how many it has, and " + col.key + "." + col.within[0].key + "=… for what is in one"}
	case col.form == flag && (ordered || equals && !all(c.Values, func(v string) bool { return v == "true" || v == "false" })):
		return &Mistake{What: col.key + " is true or false", Instead: "such as " + col.key + "=true"}
	case col.form == number && (ordered || equals) && !all(c.Values, plain):
		if name := p.inSeconds(col); name != "" {
			return &Mistake{What: col.key + " is in microseconds", Instead: name + " is in seconds, such as " + name + ">10s"}
		}
		if equals || strings.HasSuffix(col.key, "_us") {
			return &Mistake{What: col.key + " is a number", Instead: "such as " + col.key + ">0"}
		}
	case col.form == moment && ordered && plain(value):
		return &Mistake{What: col.key + " is a moment", Instead: col.key + c.Op + value + "s asks how many seconds ago it is"}
	}
	return nil
}

func all(values []string, is func(string) bool) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !is(v) })
}

// plain reports whether a value is a number without a unit.
func plain(v string) bool {
	_, err := strconv.ParseFloat(v, 64)
	return err == nil
}
